"""The PostgreSQL store when servers stop, backends end and connections break."""

import os
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.errors import DeadlockDetected

from active_workflow.errors import DataRejected, StoreUnavailable, UnknownCommit
from active_workflow.store.base import Lease, NewExecution, Verdict
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.database import Options
from active_workflow.store.postgres.store import PostgresStore
from active_workflow.testing.store_contract.builders import (
    completed,
    execution,
    outside,
    owned,
    signalled,
    started,
)
from active_workflow.testing.store_contract.races import at_once
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import FaultProxy
from tests.store.postgres_help import sql, terminate_all, through
from tests.store.server_help import HOUR, claim, insert, signal_once, until

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(postgres_url)
    store.prepare()
    yield store
    store.close()


@pytest.fixture
def behind_proxy(
    postgres_url: str, store: PostgresStore, postgres_proxy: FaultProxy
) -> Iterator[PostgresStore]:
    behind = PostgresStore(through(postgres_proxy, postgres_url), options=Options(timeout=1.0))
    yield behind
    behind.close()


# --- Servers and backends that end ----------------------------------------------------------------------


def test_ended_backends_lose_nothing(store: PostgresStore, postgres_url: str) -> None:
    insert(store, "x1", "x2")
    over = threading.Event()

    def end_backends() -> int:
        ended = 0
        while not over.wait(0.02):
            ended += terminate_all(postgres_url)
        return ended

    def signal(id: str) -> int:
        for number in range(60):
            signal_once(store, id, str(number))
        over.set()
        return 0

    ended, *_ = at_once(end_backends, lambda: signal("x1"), lambda: signal("x2"))
    assert ended > 0
    for it in store.load(["x1", "x2"]):
        assert [signal.payload for signal in it.signals] == [str(number) for number in range(60)]


def test_a_server_that_stops_at_once_again_and_again(
    postgres_server: PostgresServer, store: PostgresStore
) -> None:
    insert(store, "x1")
    over = threading.Event()

    def restart() -> None:
        while not over.wait(0.2):
            postgres_server.stop()
            postgres_server.start()

    def signal() -> None:
        try:
            ends = time.monotonic() + 2
            number = 0
            while time.monotonic() < ends:
                signal_once(store, "x1", str(number))
                number += 1
        finally:
            over.set()

    at_once(restart, signal)
    [it] = store.load(["x1"])
    assert [signal.payload for signal in it.signals] == [str(number) for number in range(it.signal_count)]
    assert it.signal_count > 0


def test_a_connection_that_ended_while_idle_is_not_used_again(
    store: PostgresStore, postgres_url: str
) -> None:
    insert(store, "x1")
    [it] = store.load(["x1"])
    terminate_all(postgres_url)
    time.sleep(0.1)  # until its good-bye has arrived
    assert store.commit([outside(it, signalled(it))])[0].verdict is Verdict.APPLIED


# --- Commits of unknown outcome -------------------------------------------------------------------------


def test_a_commit_that_was_cut_after_it_arrived(
    behind_proxy: PostgresStore, postgres_proxy: FaultProxy
) -> None:
    insert(behind_proxy, "x1")
    [it] = behind_proxy.load(["x1"])
    postgres_proxy.cut_after = b"needle"
    with pytest.raises(UnknownCommit, match="read again"):
        behind_proxy.commit([outside(it, signalled(it, '"needle"'))])
    until(lambda: behind_proxy.load(["x1"])[0].signal_count == 1)
    assert behind_proxy.load(["x1"])[0].revision == it.revision + 1


def test_a_commit_that_was_cut_before_it_arrived(
    behind_proxy: PostgresStore, postgres_proxy: FaultProxy
) -> None:
    insert(behind_proxy, "x1")
    [it] = behind_proxy.load(["x1"])
    postgres_proxy.cut_before = b"needle"
    with pytest.raises(UnknownCommit, match="read again"):
        behind_proxy.commit([outside(it, signalled(it, '"needle"'))])
    assert behind_proxy.load(["x1"]) == [it]


def test_an_insert_that_was_cut_is_repeated_and_done_once(
    behind_proxy: PostgresStore, postgres_proxy: FaultProxy
) -> None:
    new = [NewExecution(execution(f"x{n}", key=f"needle{n}"), due_at=0) for n in range(3)]
    postgres_proxy.cut_after = b"needle"
    assert [answer.holder for answer in behind_proxy.insert(new)] == [None] * 3
    assert postgres_proxy.cuts == 1
    assert len(behind_proxy.load(["x0", "x1", "x2"])) == 3


def test_a_line_that_went_silent_holds_no_call_for_ever(
    behind_proxy: PostgresStore, postgres_proxy: FaultProxy
) -> None:
    insert(behind_proxy, "x1")
    [it] = behind_proxy.load(["x1"])
    postgres_proxy.silent = True
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        behind_proxy.load(["x1"])
    assert 0.9 < time.monotonic() - began < 5
    postgres_proxy.silent = False
    assert behind_proxy.load(["x1"]) == [it]
    postgres_proxy.silent = True
    with pytest.raises(UnknownCommit):
        behind_proxy.commit([outside(it, signalled(it))])
    postgres_proxy.silent = False
    assert behind_proxy.load(["x1"]) == [it]


# --- Being in each other's way --------------------------------------------------------------------------


def test_a_lock_that_others_hold_for_long_is_told(store: PostgresStore, postgres_url: str) -> None:
    insert(store, "x1")
    [it] = store.load(["x1"])
    hasty = PostgresStore(postgres_url, options=Options(timeout=0.5))
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM aw_executions FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="long transaction") as caught:
            hasty.commit([outside(it, signalled(it))])
    assert not isinstance(caught.value, UnknownCommit)
    assert store.load(["x1"]) == [it]
    hasty.close()


def test_what_the_database_took_back_is_tried_again(store: PostgresStore) -> None:
    fails = iter([DeadlockDetected("one"), DeadlockDetected("two")])

    def act(link: Link) -> int:
        if (error := next(fails, None)) is not None:
            raise error
        return len(link.rows(b"SELECT 1"))

    assert store._db.call(act, once=True) == 1


def test_batches_in_opposite_order_both_go_through(store: PostgresStore) -> None:
    ids = [f"x{n}" for n in range(40)]
    insert(store, *ids)

    def signal_all(order: int) -> int:
        applied = 0
        while applied < 200:
            found = store.load(ids[::order])
            applied += sum(
                a.verdict == "applied" for a in store.commit([outside(it, signalled(it)) for it in found])
            )
        return applied

    counts = at_once(*(lambda order=order: signal_all(order) for order in (1, -1)))
    assert sum(it.signal_count for it in store.load(ids)) == sum(counts)


def test_leases_are_renewed_while_all_connections_are_in_use(postgres_url: str) -> None:
    store = PostgresStore(postgres_url, options=Options(pool_size=2, timeout=0.5))
    store.prepare()
    insert(store, "x1")
    claim(store)
    with store._db._pool.lend(time.monotonic() + 1), store._db._pool.lend(time.monotonic() + 1):
        assert store.renew([Lease("x1", 1)], HOUR)[0].held
        with pytest.raises(StoreUnavailable, match="pool_size"):
            store.load(["x1"])
    assert store.load(["x1"])
    store.close()


# --- Data -----------------------------------------------------------------------------------------------


def test_bad_data_is_found_in_a_large_batch(store: PostgresStore) -> None:
    ids = [f"x{n:02}" for n in range(70)]
    insert(store, *ids)
    bad = {"x07", "x08", "x69"}
    changes = [
        owned(it, completed(started(it, "reserve"), "reserve", result='"\ud800"' if it.id in bad else "1"))
        for it in claim(store)
    ]
    answers = store.commit(changes)
    assert [answer.id for answer in answers] == ids
    assert {answer.id for answer in answers if answer.verdict is Verdict.REJECTED} == bad
    assert {it.id for it in store.load(ids) if it.revision == 1} == bad


def test_an_insert_with_bad_data_inserts_nothing(store: PostgresStore) -> None:
    new = [NewExecution(execution("x1")), NewExecution(execution("x2", tags={"a": "\0"}))]
    with pytest.raises(DataRejected):
        store.insert(new)
    assert list(store.load(["x1", "x2", "a\0", "\ud800"])) == []


def test_more_than_one_statement_can_hold(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("active_workflow.store.postgres.inserting.LARGE", 2_000)
    new = [NewExecution(execution(f"x{n}", key=f"k{n}"), due_at=0) for n in range(50)]
    assert [answer.holder for answer in store.insert(new)] == [None] * 50
    assert len(claim(store)) == 50
    again = [NewExecution(execution(f"y{n}", key=f"k{n % 50}", input_hash="h2")) for n in range(60)]
    assert all(answer.holder for answer in store.insert(again, skip_conflicts=False))
    assert list(store.load([f"y{n}" for n in range(60)])) == []


# --- The rest -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(store: PostgresStore) -> None:
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


def test_a_given_clock_decides(postgres_url: str) -> None:
    now = [1_000]
    store = PostgresStore(postgres_url, lambda: now[0])
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


def test_it_can_be_opened_by_many_threads_at_once(postgres_url: str) -> None:
    store = PostgresStore(postgres_url)
    store.prepare()
    at_once(*(lambda n=n: insert(store, f"x{n}") for n in range(16)))
    assert len(store.states([f"x{n}" for n in range(16)])) == 16
    assert sql(
        postgres_url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'active-workflow'"
    ) <= [(8,)]
    store.close()
