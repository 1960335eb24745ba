"""What the Redis store asks of a server before it entrusts anything to it, and which stores it refuses."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

import active_workflow as aw
from active_workflow.core.plan import Plan, StepPlan
from active_workflow.core.plan_data import sealed
from active_workflow.errors import ConfigurationError, CorruptRow, SchemaError
from active_workflow.store.base import ClaimRequest, Holder, Lease, NewExecution
from active_workflow.store.codec import FORMAT
from active_workflow.store.keys import Held
from active_workflow.store.redis import packing
from active_workflow.store.redis.database import Options
from active_workflow.store.redis.server import why_not
from active_workflow.store.redis.store import RedisStore
from active_workflow.store.redis.url import open_redis
from active_workflow.testing.store_contract.builders import (
    completed,
    ended,
    execution,
    make_plan,
    outside,
    owned,
    signalled,
    started,
)
from tests.servers.redis import RedisServer
from tests.store.server_help import HOUR, claim, insert

pytestmark = pytest.mark.services


@pytest.fixture
def store(redis_url: str) -> Iterator[RedisStore]:
    store = open_redis(redis_url)
    yield store
    store.close()


# --- Servers that may lose data -------------------------------------------------------------------------


@pytest.fixture
def settings(redis_server: RedisServer) -> Iterator[object]:
    """Changes the server's settings until the test is over."""
    with redis_server.client() as client:
        yield client.config_set
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "yes")


@pytest.mark.parametrize(
    ("policy", "words"),
    [("allkeys-lru", "drops executions, without a word"), ("volatile-ttl", "keys with a time to live")],
)
def test_one_that_drops_data_when_it_is_full(redis_url: str, settings, policy: str, words: str) -> None:
    settings("maxmemory-policy", policy)
    open_redis(redis_url).prepare()  # without a limit nothing is ever dropped
    settings("maxmemory", "100mb")
    with pytest.raises(ConfigurationError, match=f"is {policy}: .*{words}.*noeviction.*allow_eviction=true"):
        open_redis(redis_url).prepare()
    open_redis(f"{redis_url}?allow_eviction=true").prepare()
    settings("maxmemory-policy", "noeviction")
    open_redis(redis_url).prepare()


def test_one_that_keeps_no_log(redis_url: str, settings) -> None:
    settings("appendonly", "no")
    with pytest.raises(
        ConfigurationError, match=r"last snapshot \(RDB\).*appendonly.*allow_no_aof=true"
    ) as caught:
        open_redis(redis_url).prepare()
    assert "run again" in str(caught.value)
    open_redis(f"{redis_url}?allow_no_aof=true").prepare()


def test_an_engine_does_not_start_on_it(redis_url: str, settings) -> None:
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, no_undo="nothing is done")

    settings("appendonly", "no")
    with aw.Engine(redis_url) as engine, pytest.raises(ConfigurationError, match="appendonly is no"):
        engine.start(Flow, {})


def test_one_that_tells_nothing() -> None:
    assert "INFO memory" in str(why_not({"aof_enabled": "1"}, Options()))
    told = {"maxmemory": "0", "maxmemory_policy": "noeviction"}
    assert "INFO persistence" in str(why_not(told, Options()))
    assert why_not({}, Options(allow_eviction=True, allow_no_aof=True)) is None


# --- Stores that are none, or another version's ---------------------------------------------------------


def test_without_a_store_it_says_what_to_do(store: RedisStore, redis_server: RedisServer) -> None:
    with pytest.raises(SchemaError, match="active-workflow migrate"):
        insert(store, "x1")
    with redis_server.client() as client:
        assert client.keys("*") == []
        store.prepare()
        insert(store, "x1")
        client.flushall()
    with pytest.raises(SchemaError, match="backup"):
        store.load(["x1"])
    store.prepare()
    insert(store, "x1")
    assert [it.id for it in claim(store)] == ["x1"]


def test_a_later_format_is_refused_and_left_alone(store: RedisStore, redis_server: RedisServer) -> None:
    store.prepare()
    insert(store, "x1")
    with redis_server.client() as client:
        client.hset("{aw}", "format", 2)
        before = client.hgetall("{aw}:x:x1")
        for call in (store.prepare, store.now, lambda: claim(store), lambda: store.prune(9, 9)):
            with pytest.raises(SchemaError, match=r"format 2.*knows 1: upgrade"):
                call()
        assert client.hgetall("{aw}:x:x1") == before


def test_the_command_makes_it(redis_url: str, redis_server: RedisServer) -> None:
    command = [sys.executable, "-m", "active_workflow", "migrate", "--store", redis_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with redis_server.client() as client:
        assert client.hgetall("{aw}") == {b"format": b"1"}


def test_stores_of_two_prefixes_know_nothing_of_each_other(redis_url: str, redis_server: RedisServer) -> None:
    one, two = open_redis(redis_url), open_redis(f"{redis_url}?prefix=b%C3%A9")
    for store in (one, two):
        store.prepare()
        insert(store, "x1", key="k")
    assert [it.id for it in claim(one)] == ["x1"]
    assert [it.id for it in claim(two)] == ["x1"]
    with redis_server.client() as client:
        assert {key.decode().partition("}")[0] for key in client.keys("*")} == {"{aw", "{bé"}
    one.close()
    two.close()


def test_a_start_can_join_no_transaction_here(redis_url: str) -> None:
    class Joining(aw.Workflow):
        one = aw.task(lambda ctx: 1, no_undo="nothing is done")

    with (
        aw.Engine(redis_url, embedded=False) as engine,
        pytest.raises(ConfigurationError, match="RedisStore is in no database whose transactions"),
    ):
        engine.start(Joining, {}, connection=object())


# --- What is kept, and what it costs --------------------------------------------------------------------


def test_no_number_is_rounded(store: RedisStore) -> None:
    store.prepare()
    late = 2**53 + 1
    insert(store, "x1")
    claim(store)
    [it] = store.load(["x1"])
    store.release([Lease("x1", it.token)], {"x1": late})
    assert store.claim(ClaimRequest("w1", 0, HOUR)).next_due == late


def test_one_that_moves_to_another_queue_is_on_that_alone(store: RedisStore) -> None:
    steps = (StepPlan("pack", queue="a"), StepPlan("ship", after=("pack",), queue="b"))
    store.prepare()
    insert(store, "x1", plan=sealed(Plan("Moving", steps)))
    [it] = store.claim(ClaimRequest("w1", 9, HOUR, queues=["a"])).executions
    store.commit([owned(it, completed(started(it, "pack"), "pack"), release=True, due_at=0)])
    assert store.claim(ClaimRequest("w1", 9, HOUR, queues=["a"])).next_due is None
    assert store.claim(ClaimRequest("w1", 9, HOUR, queues=["a"])).executions == []
    assert [it.id for it in store.claim(ClaimRequest("w1", 9, HOUR, queues=["b"])).executions] == ["x1"]


def test_of_those_due_at_once_the_lower_id_comes_first(store: RedisStore) -> None:
    store.prepare()
    ids = ["b", "a", "é", "B", "aa", "_", "9"]
    for number, id in enumerate(ids):
        insert(store, id, plan=make_plan(queue=str(number % 3)))
    assert [it.id for it in claim(store, limit=6)] == sorted(ids)[:6]


def test_a_key_goes_to_nobody_whose_view_of_its_holder_is_old(store: RedisStore) -> None:
    store.prepare()
    insert(store, "x1", key="k")
    [it] = store.load(["x1"])
    late = NewExecution(execution("x2", key="k"), key_reuse="failed")
    found = store._inserter._try(
        [late], packing.packed(["x2", ""]), packing.packed(["k", "x1", "failed"]), ""
    )
    assert found == (set(), {"k": Held(Holder("x1", it.plan.workflow, it.input_hash), "pending")})
    assert store.states(["x2"]) == {}


def test_rows_of_a_later_format_are_left_alone(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.prepare()
    with monkeypatch.context() as later:
        later.setattr(packing, "FORMAT", FORMAT + 1)
        insert(store, "x1", plan=make_plan("Refund"))
    insert(store, "x2")
    assert [it.id for it in claim(store)] == ["x2"]
    assert store.lease_of("x1") is None
    with pytest.raises(CorruptRow, match="later version"):
        store.load(["x1"])


def test_nothing_is_left_of_what_was_pruned(store: RedisStore, redis_server: RedisServer) -> None:
    store.prepare()
    ids = [f"x{n}" for n in range(5)]
    insert(store, *ids, key=None, parent_id="p1", tags={"a": "1"})
    store.commit([outside(it, ended(signalled(it), 7), due_at=3) for it in claim(store)])
    assert store.prune(8, 10) == 5
    with redis_server.client() as client:
        assert set(client.keys("*")) <= {b"{aw}", b"{aw}:plans", b"{aw}:kinds"}
