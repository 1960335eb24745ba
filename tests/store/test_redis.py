import pytest
import redis

from active_workflow.store.base import Clock, Store
from active_workflow.store.redis.url import open_redis
from active_workflow.testing.store_contract import StoreContract
from tests.servers.redis import RedisCluster, RedisServer, find_binaries

pytestmark = pytest.mark.services


class TestRedisStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _url(self, redis_url: str) -> None:
        self.url = redis_url

    def make_store(self) -> Store:
        return open_redis(self.url)

    def make_store_at(self, clock: Clock) -> Store:
        with redis.Redis.from_url(self.url.partition("?")[0]) as client:
            client.flushdb()
        return open_redis(self.url, clock)

    def make_second(self, store: Store) -> Store:
        return open_redis(self.url)

    def break_row(self, store: Store, id: str) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.hset(f"{{aw}}:x:{id}", "active", "{")


@pytest.fixture(scope="module")
def other_server():
    """A server of another make than the one of all other tests, where there is one."""
    first, *others = find_binaries()
    if not others:
        pytest.skip(f"there is only one server here, {first}")
    server = RedisServer(others[0])
    server.start()
    yield server
    server.remove()


@pytest.mark.slow
class TestRedisStoreOnAnotherServer(TestRedisStore):
    @pytest.fixture(autouse=True)
    def _url(self, other_server: RedisServer) -> None:
        self.url = f"{other_server.empty_database()}?prefix=another%20shop"

    def break_row(self, store: Store, id: str) -> None:
        with redis.Redis.from_url(self.url.partition("?")[0]) as client:
            client.hset(f"{{another shop}}:x:{id}", "active", "{")


@pytest.fixture(scope="module")
def cluster():
    made = RedisCluster()
    yield made
    made.remove()


@pytest.mark.slow
class TestRedisStoreInACluster(TestRedisStore):
    """Asked is the node that hasn't the store's slot; each node refuses a script with keys of two slots."""

    @pytest.fixture(autouse=True)
    def _url(self, cluster: RedisCluster) -> None:
        self.nodes = cluster.empty()
        self.url = self.nodes[0].url() if cluster.slot_of("{aw}") >= cluster.HALF else self.nodes[1].url()

    def make_store_at(self, clock: Clock) -> Store:
        for node in self.nodes:
            with node.client() as client:
                client.flushdb()
        return open_redis(self.url, clock)

    def break_row(self, store: Store, id: str) -> None:
        [serving] = [node for node in self.nodes if node.url() != self.url]
        with serving.client() as client:
            client.hset(f"{{aw}}:x:{id}", "active", "{")
