"""What calls of the Redis store cost beside much that is over or waits: commands are counted, not timed."""

from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest

from active_workflow.core.snapshot import Block, BlockKind
from active_workflow.store.base import ClaimRequest, NewExecution, Query
from active_workflow.store.redis.store import RedisStore
from active_workflow.store.redis.url import open_redis
from active_workflow.testing.store_contract.builders import ended, execution, make_plan
from tests.servers.redis import RedisServer
from tests.store.redis_help import calls
from tests.store.server_help import HOUR

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(300)]

MANY = 100_000
BATCH = 5_000
NOW = 1_000_000
NUMBERS = count()
PLANS = [make_plan(), make_plan("Refund"), make_plan(queue="slow")]
NOT_SERVED = make_plan(version=2)
BLOCKED = Block(BlockKind.CODE, "no code here")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    server = RedisServer(appendfsync="no")
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def store(server: RedisServer) -> Iterator[RedisStore]:
    store = open_redis(server.url(), lambda: NOW)
    store.prepare()
    yield store
    store.close()


def insert_many(store: RedisStore, name: str, due_at: int | None, *, over: bool = False, plan=None) -> None:
    for first in range(0, MANY, BATCH):
        made = [
            execution(f"{name}{n}", created_at=n, plan=plan or PLANS[n % len(PLANS)])
            for n in range(first, first + BATCH)
        ]
        if plan is NOT_SERVED:
            made = [each.evolve(blocked=BLOCKED) for each in made]
        store.insert(
            [NewExecution(ended(each, n) if over else each, due_at=due_at) for n, each in enumerate(made)]
        )


def cost_of_a_poll(server: RedisServer, store: RedisStore) -> Counter[str]:
    """How many commands a claim costs that finds one thing, and one that finds nothing."""
    store.insert([NewExecution(execution(f"new{next(NUMBERS)}"), due_at=5)])
    request = ClaimRequest("w1", 10, HOUR, ["Checkout", "Refund"], ["default"], [NOT_SERVED.hash])
    with server.client() as client:
        before = calls(client)
        assert len(store.claim(request).executions) == 1
        assert len(store.claim(request).executions) == 0
        after = calls(client)
    cost = after - before
    del cost["info"]
    return cost


def test_a_poll_costs_the_same_however_much_there_is(server: RedisServer, store: RedisStore) -> None:
    for number, plan in enumerate([*PLANS, NOT_SERVED]):  # one of each kind, so that all kinds are known
        store.insert([NewExecution(execution(f"first{number}", plan=plan), due_at=NOW + HOUR)])
    cost_of_a_poll(server, store)  # from here on the server knows the scripts
    alone = cost_of_a_poll(server, store)
    insert_many(store, "over", None, over=True)
    insert_many(store, "waiting", NOW + HOUR)
    insert_many(store, "signal", None)
    insert_many(store, "unserved", 1, plan=NOT_SERVED)
    with server.client() as client:
        assert client.zcard("{aw}:in:live") > 3 * MANY
        assert client.zcard("{aw}:in:completed") == MANY
    beside = cost_of_a_poll(server, store)
    assert beside == alone
    assert sum(beside.values()) < 60


def test_the_newest_of_many_are_found_at_once(server: RedisServer, store: RedisStore) -> None:
    with server.client() as client:
        before = calls(client)
        assert len(store.find(Query(limit=20, states=["pending"]))) == 20
        cost = calls(client) - before
    assert sum(cost.values()) < 100


def test_pruning_many_deletes_all_of_them(store: RedisStore, server: RedisServer) -> None:
    assert store.prune(NOW, 10_001) == 10_001
    with server.client() as client:
        assert client.zcard("{aw}:over") == MANY - 10_001
