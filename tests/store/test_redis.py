import pytest
import redis

from active_workflow.store.redis.store import RedisStore
from active_workflow.store.redis.url import open_redis
from active_workflow.testing.store_contract import StoreContract

pytestmark = pytest.mark.services


class TestRedisStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _url(self, redis_url: str) -> None:
        self.url = redis_url

    def make_store(self) -> RedisStore:
        return open_redis(self.url)

    def make_second(self, store: RedisStore) -> RedisStore:
        return open_redis(self.url)

    def break_row(self, store: RedisStore, id: str) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.hset(f"{{aw}}:x:{id}", "active", "{")
