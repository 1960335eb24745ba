"""The Redis store when servers stop, connections break, and a server can't or won't."""

import os
import re
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

import active_workflow as aw
from active_workflow.core.states import State
from active_workflow.errors import DataRejected, StoreError, StoreUnavailable, UnknownCommit
from active_workflow.store.base import Heartbeat, Lease, NewExecution, Query, Verdict
from active_workflow.store.redis import committing, finding, inserting, leasing
from active_workflow.store.redis.database import Options
from active_workflow.store.redis.store import RedisStore
from active_workflow.store.redis.url import open_redis
from active_workflow.testing.store_contract.builders import (
    completed,
    ended,
    execution,
    outside,
    owned,
    signalled,
    started,
)
from active_workflow.testing.store_contract.races import at_once
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer
from tests.store.redis_help import end_all, through
from tests.store.server_help import HOUR, claim, insert, signal_once, until

ENDS = [state for state in State if state.terminal]
pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture
def store(redis_url: str) -> Iterator[RedisStore]:
    store = open_redis(redis_url)
    store.prepare()
    yield store
    store.close()


@pytest.fixture
def hasty(redis_url: str, store: RedisStore) -> Iterator[RedisStore]:
    """The same store, but one that gives up after half a second."""
    hasty = open_redis(f"{redis_url}?timeout=0.5")
    hasty.now()
    yield hasty
    hasty.close()


@pytest.fixture
def behind_proxy(store: RedisStore, redis_proxy: FaultProxy) -> Iterator[RedisStore]:
    behind = through(redis_proxy, timeout=1.0)
    insert(store, "warm")  # from here on the server knows these scripts by their digests
    [it] = store.load(["warm"])
    store.commit([outside(it, signalled(it))])
    yield behind
    behind.close()


@pytest.fixture
def durable_server() -> Iterator[RedisServer]:
    server = RedisServer(appendfsync="always")
    server.start()
    yield server
    server.remove()


# --- Servers and connections that end -------------------------------------------------------------------


def test_ended_connections_lose_nothing(store: RedisStore, redis_server: RedisServer) -> None:
    insert(store, "x1", "x2")
    over = threading.Event()

    def end_connections() -> int:
        ended = 0
        with redis_server.client() as client:
            while not over.wait(0.01):
                ended += end_all(client)
        return ended

    def signal(id: str) -> int:
        for number in range(100):
            signal_once(store, id, str(number))
        over.set()
        return 0

    ended, *_ = at_once(end_connections, lambda: signal("x1"), lambda: signal("x2"))
    assert ended > 0
    for it in store.load(["x1", "x2"]):
        assert [signal.payload for signal in it.signals] == [str(number) for number in range(100)]


def test_a_server_that_is_killed_again_and_again(durable_server: RedisServer) -> None:
    store = open_redis(durable_server.url())
    store.prepare()
    insert(store, "x1", "x2", "x3")
    over = threading.Event()

    def restart() -> int:
        kills = 0
        while not over.wait(0.2):
            durable_server.kill()
            durable_server.start()
            kills += 1
        return kills

    def signal(id: str) -> int:
        number = 0
        try:
            ends = time.monotonic() + 3
            while time.monotonic() < ends:
                signal_once(store, id, str(number))
                number += 1
        finally:
            over.set()
        return number

    kills, *counts = at_once(restart, *(lambda id=id: signal(id) for id in ("x1", "x2", "x3")))
    assert kills > 2
    for it, count in zip(store.load(["x1", "x2", "x3"]), counts, strict=True):
        assert [signal.payload for signal in it.signals] == [str(number) for number in range(count)]
        assert count > 0
    store.close()


def plus(number: int):
    def step(ctx):
        time.sleep(0.005)  # so that the server dies under way
        return ctx.n + number

    return step


class OverKills(aw.Workflow):
    one = aw.task(plus(1), no_undo="nothing is done")
    two = aw.task(plus(2), no_undo="nothing is done")
    three = aw.task(plus(3), no_undo="nothing is done")


def test_workflows_go_on_over_kills_of_the_server(durable_server: RedisServer) -> None:
    def completed_flows() -> int:
        with durable_server.client() as client:
            number: int = client.zcard("{aw}:in:completed")
        return number

    with aw.Engine(durable_server.url(), poll_interval="50ms", lease="2s", concurrency=4) as engine:
        flows = engine.start_many(OverKills, [{"n": n} for n in range(400)])
        for kill in range(4):
            until(lambda kill=kill: completed_flows() > 60 * kill)
            durable_server.kill()
            durable_server.start()
            assert completed_flows() < 400
        for n, flow in enumerate(flows):
            steps = flow.wait("60s", check=True).steps
            assert [step.result for step in steps.values()] == [n + 1, n + 2, n + 3]
        assert completed_flows() == 400
        with durable_server.client() as client:
            assert client.zcard("{aw}:in:live") == 0


def test_a_connection_that_ended_while_idle_is_not_used_again(
    store: RedisStore, redis_server: RedisServer
) -> None:
    insert(store, "x1")
    [it] = store.load(["x1"])
    with redis_server.client() as client:
        end_all(client)
    time.sleep(0.1)  # until its good-bye has arrived
    assert store.commit([outside(it, signalled(it))])[0].verdict is Verdict.APPLIED


def test_scripts_that_the_server_has_forgotten(store: RedisStore, redis_server: RedisServer) -> None:
    insert(store, "x1")
    with redis_server.client() as client:
        client.script_flush()
    insert(store, "x2")
    assert len(store.load(["x1", "x2"])) == 2


# --- Commits of unknown outcome -------------------------------------------------------------------------


def test_a_commit_that_was_cut_after_it_arrived(behind_proxy: RedisStore, redis_proxy: FaultProxy) -> None:
    insert(behind_proxy, "x1")
    [it] = behind_proxy.load(["x1"])
    redis_proxy.cut_after = b"needle"
    with pytest.raises(UnknownCommit, match="read again"):
        behind_proxy.commit([outside(it, signalled(it, '"needle"'))])
    until(lambda: behind_proxy.load(["x1"])[0].signal_count == 1)
    assert behind_proxy.load(["x1"])[0].revision == it.revision + 1


def test_a_commit_that_was_cut_before_it_arrived(behind_proxy: RedisStore, redis_proxy: FaultProxy) -> None:
    insert(behind_proxy, "x1")
    [it] = behind_proxy.load(["x1"])
    redis_proxy.cut_before = b"needle"
    with pytest.raises(UnknownCommit, match="read again"):
        behind_proxy.commit([outside(it, signalled(it, '"needle"'))])
    assert behind_proxy.load(["x1"]) == [it]


def test_an_insert_that_was_cut_is_repeated_and_done_once(
    behind_proxy: RedisStore, redis_proxy: FaultProxy
) -> None:
    new = [NewExecution(execution(f"x{n}", key=f"needle{n}"), due_at=0) for n in range(3)]
    redis_proxy.cut_after = b"needle"
    assert [answer.holder for answer in behind_proxy.insert(new)] == [None] * 3
    assert redis_proxy.cuts == 1
    assert len(behind_proxy.load(["x0", "x1", "x2"])) == 3


def test_a_line_that_went_silent_holds_no_call_for_ever(
    behind_proxy: RedisStore, redis_proxy: FaultProxy
) -> None:
    insert(behind_proxy, "x1")
    [it] = behind_proxy.load(["x1"])
    redis_proxy.silent = True
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        behind_proxy.load(["x1"])
    assert 0.9 < time.monotonic() - began < 5
    redis_proxy.silent = False
    assert behind_proxy.load(["x1"]) == [it]
    redis_proxy.silent = True
    with pytest.raises(UnknownCommit):
        behind_proxy.commit([outside(it, signalled(it))])
    redis_proxy.silent = False
    assert behind_proxy.load(["x1"]) == [it]


def test_a_server_that_was_never_there_is_told_at_once() -> None:
    store = open_redis("redis://ada:s3cret@127.0.0.1:1/0")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"redis://127.0.0.1:1/0.*is the server up\?") as caught:
        store.prepare()
    assert time.monotonic() - began < 5
    assert "s3cret" not in str(caught.value) + repr(store)


# --- What the server can't or won't do ------------------------------------------------------------------


def refused(store: RedisStore, words: str) -> None:
    """A commit is refused with these words, and nothing of it was written."""
    [it] = store.load(["x1"])
    with pytest.raises(StoreUnavailable, match=words) as caught:
        store.commit([outside(it, signalled(it))])
    assert not isinstance(caught.value, UnknownCommit)
    assert store.load(["x1"]) == [it]


def test_a_replica_takes_no_writes_until_it_is_a_primary(
    store: RedisStore, hasty: RedisStore, redis_server: RedisServer
) -> None:
    insert(store, "x1")
    with redis_server.client() as client:
        client.replicaof("127.0.0.1", "1")
        try:
            refused(hasty, "replica")
            later = threading.Timer(0.3, client.replicaof, ("NO", "ONE"))
            later.start()
            signal_once(store, "x1", '"goes through by itself"')
            later.join()
        finally:
            client.replicaof("NO", "ONE")
    assert store.load(["x1"])[0].signal_count == 1


def test_a_replica_without_its_primary(
    store: RedisStore, hasty: RedisStore, redis_server: RedisServer
) -> None:
    insert(store, "x1")
    with redis_server.client() as client:
        client.config_set("replica-serve-stale-data", "no")
        client.replicaof("127.0.0.1", "1")
        try:
            with pytest.raises(StoreUnavailable, match="lost its primary"):
                hasty.load(["x1"])
        finally:
            client.replicaof("NO", "ONE")
            client.config_set("replica-serve-stale-data", "yes")


def test_a_full_memory(store: RedisStore, redis_server: RedisServer) -> None:
    insert(store, "x1")
    with redis_server.client() as client:
        client.config_set("maxmemory", "1")
        try:
            refused(store, "maxmemory.*prune")
            with pytest.raises(StoreUnavailable, match="maxmemory"):
                insert(store, "x2")
        finally:
            client.config_set("maxmemory", "0")
    assert list(store.load(["x2"])) == []
    insert(store, "x2")


def test_a_script_of_somebody_elses_that_has_no_end(
    store: RedisStore, hasty: RedisStore, redis_server: RedisServer
) -> None:
    insert(store, "x1")

    def loop() -> None:
        with redis_server.client() as client, pytest.raises(Exception, match="killed"):
            client.eval("while true do end", 0)

    with redis_server.client() as client:
        client.config_set("lua-time-limit", "1")
        looping = threading.Thread(target=loop)
        looping.start()
        try:
            until(lambda: _is_busy(client))
            with pytest.raises(StoreUnavailable, match="somebody's script"):
                hasty.load(["x1"])
        finally:
            client.script_kill()
            looping.join()
            client.config_set("lua-time-limit", "5000")
    assert hasty.load(["x1"])


def _is_busy(client: object) -> bool:
    try:
        client.ping()  # type: ignore[attr-defined]
    except Exception as error:  # noqa: BLE001 - of the driver
        return "BUSY" in str(error)
    return False


def test_a_user_who_may_not(store: RedisStore, redis_server: RedisServer) -> None:
    wrong = open_redis(f"redis://ada:s3cret@127.0.0.1:{redis_server.port}/0")
    with pytest.raises(StoreError, match="user and password") as caught:
        wrong.prepare()
    assert "s3cret" not in str(caught.value)
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "ada", "on", ">s3cret", "~*", "+select", "+info", "+client")
        with pytest.raises(StoreError, match="let this user run EVAL") as caught:
            wrong.prepare()
        client.execute_command("ACL", "SETUSER", "ada", "reset", "on", ">s3cret", *_rights())
        wrong.prepare()
        insert(wrong, "x1", key="k", parent_id="p1")
        [it] = claim(wrong)
        stop = wrong.listen(lambda: None)
        assert wrong.commit([owned(it, ended(it), release=True)])[0].verdict is Verdict.APPLIED
        assert (len(wrong.find(Query())), wrong.prune(2**62, 9)) == (1, 1)
        until(lambda: client.pubsub_numsub("{aw}:hints")[0][1] == 1)
        stop()
        wrong.close()
        client.execute_command("ACL", "DELUSER", "ada")
    assert "s3cret" not in str(caught.value)


def _rights() -> list[str]:
    """The rights that the documentation says are enough."""
    page = (Path(__file__).parents[2] / "docs" / "howto" / "redis.md").read_text(encoding="utf-8")
    [commands] = re.findall(r"`(\+@read [^`]+)`", page)
    keys = re.findall(r"`([~&]\{aw\}\*)`", page)
    assert len(keys) == 2
    return [*commands.split(), "resetchannels", *keys]


def test_leases_are_renewed_while_all_connections_are_in_use(store: RedisStore, redis_url: str) -> None:
    small = open_redis(f"{redis_url}?pool_size=2&timeout=0.5")
    insert(small, "x1")
    claim(small)
    with small._db._pool.lend(time.monotonic() + 1), small._db._pool.lend(time.monotonic() + 1):
        assert small.renew([Lease("x1", 1)], HOUR)[0].held
        with pytest.raises(StoreUnavailable, match="pool_size"):
            small.load(["x1"])
    assert small.load(["x1"])
    small.close()


# --- Batches in pieces ----------------------------------------------------------------------------------


def test_bad_data_is_found_in_a_large_batch(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "ROWS", 7)
    monkeypatch.setattr(leasing, "ROWS", 9)
    ids = [f"x{n:02}" for n in range(70)]
    insert(store, *ids)
    bad = {"x00", "x07", "x08", "x69"}
    changes = [
        owned(it, completed(started(it, "reserve"), "reserve", result='"\ud800"' if it.id in bad else "1"))
        for it in claim(store)
    ]
    answers = store.commit(changes)
    assert [answer.id for answer in answers] == ids
    assert {answer.id for answer in answers if answer.verdict is Verdict.REJECTED} == bad
    assert {it.id for it in store.load(ids) if it.revision == 1} == bad


def test_a_batch_of_many_bytes(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "LARGE", 3_000)
    ids = [f"x{n:02}" for n in range(9)]
    insert(store, *ids)
    result = f'"{"x" * 2_000}"'
    changes = [owned(it, completed(started(it, "reserve"), "reserve", result=result)) for it in claim(store)]
    assert [answer.verdict for answer in store.commit(changes)] == ["applied"] * 9


def test_a_claim_in_pieces_takes_nothing_twice(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leasing, "ROWS", 3)
    insert(store, *(f"x{n}" for n in range(10)))
    assert len(claim(store, limit=8)) == 8
    over_at_once = claim(store, limit=8, lease=0)
    assert len({it.id for it in over_at_once}) == len(over_at_once) >= 2


def test_a_search_in_pieces(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    new = [execution(f"x{n:02}", created_at=1_000 + n // 2, tags={"odd": str(n % 3)}) for n in range(30)]
    store.insert([NewExecution(each) for each in new])
    fourth = store.load([f"x{n:02}" for n in range(0, 30, 4)])
    store.commit([outside(it, ended(it, outcome=end)) for it, end in zip(fourth, cycle(ENDS), strict=False)])
    whole = [it.id for it in store.find(Query())]
    odd = [it.id for it in store.find(Query(tags={"odd": "1"}))]
    assert (len(whole), len(odd)) == (30, 10)
    for looks in (1, 2, 3, 7, 10):
        monkeypatch.setattr(finding, "LOOKS", looks)
        assert [it.id for it in store.find(Query())] == whole
        assert [it.id for it in store.find(Query(tags={"odd": "1"}))] == odd
        assert [it.id for it in store.find(Query(after=whole[4], limit=9))] == whole[5:14]
    monkeypatch.setattr(finding, "ROWS", 2)
    assert [it.id for it in store.find(Query(limit=7))] == whole[:7]


def test_an_insert_that_no_server_takes(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inserting, "LARGE", 2_000)
    with pytest.raises(DataRejected, match="several calls"):
        insert(store, *(f"x{n}" for n in range(50)))
    assert store.states([f"x{n}" for n in range(50)]) == {}


def test_an_insert_with_bad_data_inserts_nothing(store: RedisStore) -> None:
    new = [NewExecution(execution("x1")), NewExecution(execution("x2", tags={"a": "\ud800"}))]
    with pytest.raises(DataRejected, match="surrogate"):
        store.insert(new)
    assert list(store.load(["x1", "x2", "\ud800"])) == []
    with pytest.raises(DataRejected):
        store.touch([Heartbeat("x1", "\ud800")])


# --- The rest -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(store: RedisStore) -> None:
    insert(store, "x1")
    child = os.fork()
    if not child:
        code = 1
        try:
            insert(store, "x2")
            store.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    insert(store, "x3")
    assert sorted(store.states(["x1", "x2", "x3"])) == ["x1", "x2", "x3"]


def test_a_given_clock_decides(redis_url: str) -> None:
    now = [1_000]
    store = open_redis(redis_url, lambda: now[0])
    store.prepare()
    store.insert(
        [
            NewExecution(execution("x1"), due_at=2_000),
            NewExecution(execution("x2", token=1), lease_owner="w0", lease=500),
        ]
    )
    assert (store.now(), claim(store)) == (1_000, [])
    lease = store.lease_of("x2")
    assert lease is not None
    assert lease.until == 1_500
    now[0] = 2_000
    assert store.lease_of("x2") is None
    assert [it.id for it in claim(store, lease=10)] == ["x2", "x1"]
    assert store.renew([Lease("x1", 1)], 70)[0].held
    lease = store.lease_of("x1")
    assert lease is not None
    assert lease.until == 2_070
    store.close()


def test_it_can_be_opened_by_many_threads_at_once(redis_url: str, redis_server: RedisServer) -> None:
    store = RedisStore(open_redis(redis_url)._db.where, options=Options(pool_size=4))
    at_once(*(store.prepare for _ in range(8)))
    at_once(*(lambda n=n: insert(store, f"x{n}") for n in range(16)))
    assert len(store.states([f"x{n}" for n in range(16)])) == 16
    with redis_server.client() as client:
        assert sum(each["name"] == "active-workflow" for each in client.client_list()) <= 4
    store.close()
