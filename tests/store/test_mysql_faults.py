"""The MariaDB and MySQL store when servers stop, connections end or break, and others are in the way."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pymysql
import pytest

from active_workflow.core.change import Change
from active_workflow.errors import DataRejected, StoreUnavailable, UnknownCommit
from active_workflow.store import open_store
from active_workflow.store.base import Lease, NewExecution, Verdict
from active_workflow.store.mysql.connection import Link
from active_workflow.store.mysql.statement import START, Statement
from active_workflow.store.mysql.store import MySQLStore
from active_workflow.testing.store_contract.builders import (
    completed,
    execution,
    outside,
    owned,
    signalled,
    started,
)
from active_workflow.testing.store_contract.races import at_once
from tests.servers.mariadb import MariaDBServer
from tests.servers.proxy import FaultProxy
from tests.store.mysql_help import connect, kill_all, sql, through
from tests.store.server_help import HOUR, claim, insert, signal_once, until

pytestmark = [pytest.mark.services, pytest.mark.slow]


def open_mysql(url: str) -> MySQLStore:
    store = open_store(url)
    assert isinstance(store, MySQLStore)
    return store


@pytest.fixture
def store(mysql_url: str) -> Iterator[MySQLStore]:
    store = open_mysql(mysql_url)
    store.prepare()
    yield store
    store.close()


@pytest.fixture
def behind_proxy(mysql_url: str, store: MySQLStore, mariadb_proxy: FaultProxy) -> Iterator[MySQLStore]:
    behind = open_mysql(through(mariadb_proxy, mysql_url, "?timeout=2"))
    yield behind
    behind.close()


# --- Servers and connections that end -------------------------------------------------------------------


def test_killed_connections_lose_nothing(store: MySQLStore, mysql_url: str) -> None:
    insert(store, "x1", "x2")
    over = threading.Event()

    def kill() -> int:
        ended = 0
        while not over.wait(0.02):
            ended += kill_all(mysql_url)
        return ended

    def signal(id: str) -> int:
        for number in range(60):
            signal_once(store, id, str(number))
        over.set()
        return 0

    ended, *_ = at_once(kill, lambda: signal("x1"), lambda: signal("x2"))
    assert ended > 0
    for it in store.load(["x1", "x2"]):
        assert [signal.payload for signal in it.signals] == [str(number) for number in range(60)]


def test_a_server_that_is_killed_again_and_again(mariadb_server: MariaDBServer, store: MySQLStore) -> None:
    insert(store, "x1")
    over = threading.Event()

    def restart() -> None:
        while not over.wait(0.2):
            mariadb_server.stop()
            mariadb_server.start()

    def signal() -> None:
        try:
            ends = time.monotonic() + 3
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


def test_a_connection_that_ended_while_idle_is_not_used_again(store: MySQLStore, mysql_url: str) -> None:
    insert(store, "x1")
    [it] = store.load(["x1"])
    assert kill_all(mysql_url) > 0
    time.sleep(0.1)  # until its good-bye has arrived
    assert store.commit([outside(it, signalled(it))])[0].verdict is Verdict.APPLIED


# --- Commits of unknown outcome -------------------------------------------------------------------------


@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_that_was_cut(behind_proxy: MySQLStore, mariadb_proxy: FaultProxy, arrives: bool) -> None:
    insert(behind_proxy, "x1")
    [it] = behind_proxy.load(["x1"])
    if arrives:
        mariadb_proxy.cut_after = b";COMMIT"
    else:
        mariadb_proxy.cut_before = b";COMMIT"
    with pytest.raises(UnknownCommit, match="read again"):
        behind_proxy.commit([outside(it, signalled(it, '"needle"'))])
    if arrives:
        until(lambda: behind_proxy.load(["x1"])[0].signal_count == 1)
        assert behind_proxy.load(["x1"])[0].revision == it.revision + 1
    else:
        assert behind_proxy.load(["x1"]) == [it]


def test_an_insert_that_was_cut_is_repeated_and_done_once(
    behind_proxy: MySQLStore, mariadb_proxy: FaultProxy
) -> None:
    new = [NewExecution(execution(f"x{n}", key=f"needle{n}"), due_at=0) for n in range(3)]
    mariadb_proxy.cut_after = b";COMMIT"
    assert [answer.holder for answer in behind_proxy.insert(new)] == [None] * 3
    assert mariadb_proxy.cuts == 1
    assert len(behind_proxy.load(["x0", "x1", "x2"])) == 3


def test_a_claim_that_was_cut_leaves_no_lock_behind(
    behind_proxy: MySQLStore, store: MySQLStore, mariadb_proxy: FaultProxy
) -> None:
    insert(store, "x1")
    mariadb_proxy.cut_before = b"lease_owner"
    assert [it.id for it in claim(behind_proxy)] == ["x1"]
    assert mariadb_proxy.cuts == 1


def test_a_line_that_went_silent_holds_no_call_for_ever(
    behind_proxy: MySQLStore, mariadb_proxy: FaultProxy
) -> None:
    insert(behind_proxy, "x1")
    [it] = behind_proxy.load(["x1"])
    mariadb_proxy.silent = True
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        behind_proxy.load(["x1"])
    assert 1.8 < time.monotonic() - began < 6
    mariadb_proxy.silent = False
    assert behind_proxy.load(["x1"]) == [it]
    mariadb_proxy.silent = True
    with pytest.raises(UnknownCommit):
        behind_proxy.commit([outside(it, signalled(it))])
    mariadb_proxy.silent = False
    assert behind_proxy.load(["x1"]) == [it]


# --- Being in each other's way --------------------------------------------------------------------------


def test_a_lock_that_others_hold_for_long_is_told_and_nothing_is_left_half_done(
    store: MySQLStore, mysql_url: str
) -> None:
    insert(store, "x1", "x2")
    before = store.load(["x1", "x2"])
    hasty = open_mysql(f"{mysql_url}?timeout=3")
    with closing(connect(mysql_url, autocommit=False)) as other, other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM aw_executions WHERE id = 'x2' FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="long transaction") as caught:
            hasty.commit([outside(it, signalled(it)) for it in before])
    assert not isinstance(caught.value, UnknownCommit)
    assert store.load(["x1", "x2"]) == before
    assert {a.verdict for a in hasty.commit([outside(it, signalled(it)) for it in before])} == {"applied"}
    hasty.close()


def test_a_real_deadlock_is_tried_again(store: MySQLStore, mysql_url: str) -> None:
    """Another transaction holds what a batch needs second, and wants what it has taken first."""
    insert(store, "x1", "x2")
    before = store.load(["x1", "x2"])
    with closing(connect(mysql_url, autocommit=False)) as other, other.cursor() as cursor:
        for _ in range(50):  # it has written most, so the server takes back the batch
            cursor.execute("UPDATE aw_executions SET seq = seq + 1 WHERE id = 'x2'")
        waits = "SELECT count(*) FROM information_schema.innodb_lock_waits"

        def meet() -> None:
            until(lambda: sql(mysql_url, waits)[0][0] > 0)
            cursor.execute("UPDATE aw_executions SET seq = seq + 1 WHERE id = 'x1'")
            other.rollback()

        answers, _ = at_once(
            lambda: list(store.commit([outside(it, signalled(it)) for it in before])), lambda: meet() or []
        )
    assert [answer.verdict for answer in answers] == ["applied"] * 2
    assert sql(mysql_url, "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")[0][1] != "0"


@pytest.mark.parametrize("code", [1213, 1205, 1020])
def test_what_the_database_took_back_is_tried_again_as_a_whole(store: MySQLStore, code: int) -> None:
    insert(store, "x1")
    fails = iter([pymysql.OperationalError(code, "one"), pymysql.OperationalError(code, "two")])

    def act(link: Link) -> int:
        assert link.rows(Statement("SELECT @@in_transaction, seq FROM aw_executions", {})) == ((0, 0),)
        link.run(START, Statement("UPDATE aw_executions SET seq = 7", {}))
        if (error := next(fails, None)) is not None:
            raise error
        return 1

    assert store._db.call(act, once=True) == 1


def test_batches_in_opposite_order_both_go_through(store: MySQLStore) -> None:
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


def test_leases_are_renewed_while_all_connections_are_in_use(mysql_url: str) -> None:
    store = open_mysql(f"{mysql_url}?pool_size=2&timeout=2")
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


def changes_of(store: MySQLStore, bad: set[str]) -> list[Change]:
    return [
        owned(it, completed(started(it, "reserve"), "reserve", result='"\ud800"' if it.id in bad else "1"))
        for it in claim(store)
    ]


def test_bad_data_is_found_in_a_large_batch(store: MySQLStore) -> None:
    ids = [f"x{n:02}" for n in range(70)]
    insert(store, *ids)
    bad = {"x07", "x08", "x69"}
    answers = store.commit(changes_of(store, bad))
    assert [answer.id for answer in answers] == ids
    assert {answer.id for answer in answers if answer.verdict is Verdict.REJECTED} == bad
    assert {it.id for it in store.load(ids) if it.revision == 1} == bad


@pytest.mark.parametrize(
    "bad",
    [
        {"id": "x" * 600},
        {"key": "k" * 1_025},
        {"parent_id": "é" * 300},
        {"run_at": 2**63},
        {"input": {"a": '"\ud800"'}},
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_an_insert_with_bad_data_inserts_nothing(store: MySQLStore, bad: dict[str, object]) -> None:
    new = [NewExecution(execution("x1")), NewExecution(execution(**{"id": "x2", **bad}))]
    with pytest.raises(DataRejected):
        store.insert(new)
    assert list(store.load(["x1", "x2", "a\0", "\ud800"])) == []


def test_keys_that_differ_at_their_end_are_two(store: MySQLStore) -> None:
    keys = ["k" * 1_023 + "1", "k" * 1_023 + "2"]
    answers = store.insert([NewExecution(execution(f"x{n}", key=key)) for n, key in enumerate(keys)])
    assert [answer.holder for answer in answers] == [None, None]


def test_more_than_one_message_can_hold(store: MySQLStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("active_workflow.store.mysql.connection.LARGE", 4_000)
    monkeypatch.setattr("active_workflow.store.mysql.rows._LETTERS", 1_000)
    new = [NewExecution(execution(f"x{n:02}", key=f"k{n}"), due_at=0) for n in range(50)]
    assert [answer.holder for answer in store.insert(new)] == [None] * 50
    found = claim(store)
    assert len(found) == 50
    assert {a.verdict for a in store.commit([owned(it, started(it, "reserve")) for it in found])} == {
        "applied"
    }
    again = [NewExecution(execution(f"y{n}", key=f"k{n % 50}", input_hash="h2")) for n in range(60)]
    assert all(answer.holder for answer in store.insert(again, skip_conflicts=False))
    assert list(store.load([f"y{n}" for n in range(60)])) == []


def test_more_than_the_server_takes_is_refused_before_it_is_sent(
    mariadb_server: MariaDBServer, mysql_url: str
) -> None:
    open_store(mysql_url).prepare()
    sql(mysql_url, "SET GLOBAL max_allowed_packet = 2097152")
    store = open_mysql(mysql_url)
    try:
        with pytest.raises(DataRejected, match="max_allowed_packet"):
            store.insert([NewExecution(execution("x1", input={"a": '"' + "a" * 3_000_000 + '"'}))])
        many = [
            NewExecution(execution(f"y{n}", input={"a": '"' + "a" * 900_000 + '"'}), due_at=0)
            for n in range(9)
        ]
        assert len(store.insert(many)) == 9
        assert [it.id for it in claim(store)] == [f"y{n}" for n in range(9)]
    finally:
        sql(mysql_url, "SET GLOBAL max_allowed_packet = 16777216")
        store.close()


def test_it_is_right_whatever_the_session_s_sql_mode_is(store: MySQLStore) -> None:
    """A proxy between may hand out sessions that are set otherwise: quoting follows what the server says."""
    value = "it's \\' \\\\ \" %s :id -- ;"

    def act(link: Link) -> object:
        link.run(Statement("SET SESSION sql_mode = ''", {}))
        return link.rows(Statement("SELECT :value", {"value": value}))

    assert store._db.call(act) == ((value,),)


# --- The rest -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(store: MySQLStore) -> None:
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


def test_it_can_be_opened_by_many_threads_at_once(mysql_url: str) -> None:
    store = open_mysql(mysql_url)
    store.prepare()
    at_once(*(lambda n=n: insert(store, f"x{n}") for n in range(16)))
    assert len(store.states([f"x{n}" for n in range(16)])) == 16
    there = "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE()"
    assert sql(mysql_url, there)[0][0] <= 9
    store.close()


def test_a_transaction_that_was_left_open_by_an_error_of_ours_is_taken_back(store: MySQLStore) -> None:
    insert(store, "x1")

    def act(link: Link) -> None:
        link.run(START, Statement("UPDATE aw_executions SET seq = 7", {}))
        raise KeyError("ours")

    with pytest.raises(KeyError):
        store._db.call(act)
    assert store.load(["x1"])[0].seq == 0
    insert(store, "x2")  # on the same connection: what it begins must not end what was left
    assert store.load(["x1"])[0].seq == 0
