"""Traps of the planner: calls must cost what they are about, whatever the history, and lock nothing else.

Each test looks at what the server itself counted: how many rows it has read, in whatever way.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from active_workflow.core.snapshot import Execution
from active_workflow.store import open_store
from active_workflow.store.base import ClaimRequest, Heartbeat, Lease, NewExecution, Query, Store
from active_workflow.testing.store_contract.builders import (
    completed,
    ended,
    execution,
    make_plan,
    outside,
    owned,
    signalled,
    started,
    taken,
    waiting,
)
from active_workflow.testing.store_contract.races import at_once
from tests.store.mysql_help import connect, sql
from tests.store.server_help import HOUR, claim, insert, until

pytestmark = [pytest.mark.services, pytest.mark.slow]

HISTORY = 100_000
PARKED = 4_000
BATCH = 50


@pytest.fixture
def store(mysql_url: str) -> Iterator[Store]:
    store = open_store(mysql_url)
    store.prepare()
    yield store
    store.close()


@pytest.fixture
def history(store: Store, mysql_url: str) -> None:
    """As many executions that have ended, of the workflow and queue that the tests use, each with a step."""
    store.insert([NewExecution(execution("h0"), due_at=None)])
    columns = "workflow, version, plan, queue, input, input_hash, tags, active, marks, seq, token, format"
    with closing(connect(mysql_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO aw_executions (id, state, revision, created_at, run_at, completed_at, {columns}) "
            f"SELECT CONCAT('h', n.seq), 'completed', 9, n.seq, 0, n.seq, {columns.replace('seq', 'e.seq')} "
            f"FROM aw_executions e JOIN seq_1_to_{HISTORY} n WHERE e.id = 'h0'"
        )
        cursor.execute(
            "INSERT INTO aw_steps (execution_id, name, position, state, attempts) "
            f"SELECT CONCAT('h', seq), 'reserve', 0, 'completed', 1 FROM seq_1_to_{HISTORY}"
        )


def rows_read(url: str) -> int:
    """How many rows the server has read so far, in tables and indexes, its own passing ones too."""
    return sum(int(value) for _, value in sql(url, "SHOW GLOBAL STATUS LIKE 'Handler\\_read\\_%'"))


class Cost:
    """Counts the rows that are read between two looks; a look itself reads a fixed number."""

    def __init__(self, url: str) -> None:
        self._url = url
        first = rows_read(url)
        self._look = rows_read(url) - first
        self._seen = rows_read(url)

    def __call__(self) -> int:
        return rows_read(self._url) - self._seen - self._look


def commit(
    store: Store, before: list[Execution], after: list[Execution], **options: object
) -> list[Execution]:
    changes = [owned(b, a, **options) for b, a in zip(before, after, strict=True)]
    assert {answer.verdict for answer in store.commit(changes)} == {"applied"}
    return [change.after for change in changes]


def use_everything(store: Store, name: str) -> None:
    """Call everything that a worker calls, for a batch of executions."""
    ids = [f"{name}{n:02}" for n in range(BATCH)]
    insert(store, *ids)
    store.insert([NewExecution(execution(f"{name}key", key=f"{name}key"), due_at=None)])
    store.insert([NewExecution(execution(f"{name}again", key=f"{name}key"), due_at=None)])
    found = claim(store, BATCH)
    assert [it.id for it in found] == ids
    found = commit(store, found, [started(it, "reserve") for it in found])
    found = commit(store, found, [started(completed(it, "reserve"), "fulfil") for it in found])
    found = commit(store, found, [signalled(waiting(it, "fulfil")) for it in found])
    leases = [Lease(it.id, it.token) for it in found]
    assert all(answer.held for answer in store.renew(leases, HOUR))
    assert all(store.touch([Heartbeat(id, "fulfil") for id in ids]))
    store.release(leases[: BATCH // 2], {it.id: 1 for it in found})
    assert len(claim(store, BATCH)) == BATCH // 2
    again = list(store.load(ids))
    store.commit([outside(it, signalled(taken(it))) for it in again])
    again = list(store.load(ids))
    assert len(store.states(ids)) == BATCH
    assert store.lease_of(ids[0])
    commit(store, again, [ended(completed(it, "fulfil"), at=2**40) for it in again], release=True)


def test_nothing_costs_more_for_a_long_history(store: Store, mysql_url: str, history: None) -> None:
    """The planner has never been told how large the tables are: they were empty when it last looked."""
    cost = Cost(mysql_url)
    for number in range(3):
        use_everything(store, f"a{number}-")
    # Each call reads the rows it is about, the index entries that lead there, and its batch twice.
    assert cost() < 3 * BATCH * 150
    sql(mysql_url, "ANALYZE TABLE aw_executions, aw_steps, aw_signals, aw_keys")
    cost = Cost(mysql_url)
    for number in range(3):
        use_everything(store, f"b{number}-")
    assert cost() < 3 * BATCH * 150


def test_a_poll_costs_the_same_whatever_has_ended_and_whatever_waits(
    store: Store, mysql_url: str, history: None
) -> None:
    store.insert([NewExecution(execution(f"p{n:05}"), due_at=2**60) for n in range(PARKED)])
    assert claim(store) == []
    cost = Cost(mysql_url)
    for _ in range(20):
        assert claim(store) == []
    assert cost() <= 20 * 6
    insert(store, "mine")
    cost = Cost(mysql_url)
    assert [it.id for it in claim(store)] == ["mine"]
    assert cost() <= 60


def test_a_backlog_of_others_costs_a_claim_nothing(store: Store, mysql_url: str) -> None:
    plans = [make_plan("Other"), make_plan(queue="slow")]
    store.insert(
        [NewExecution(execution(f"o{n}", plan=plans[n % 2]), due_at=n) for n in range(PARKED)]
        + [NewExecution(execution("mine"), due_at=PARKED)]
    )
    request = ClaimRequest("w1", 10, HOUR, workflows=["Checkout"], queues=["default"])
    cost = Cost(mysql_url)
    assert [it.id for it in store.claim(request).executions] == ["mine"]
    for _ in range(19):
        assert list(store.claim(request).executions) == []
    assert cost() <= 20 * 12


@pytest.mark.parametrize(
    "query",
    [
        Query(limit=10),
        Query(limit=10, after="h500"),
        Query(limit=10, states=["running", "blocked"]),
        Query(limit=10, since=HISTORY - 5),
        Query(limit=10, parent_id="h7"),
    ],
    ids=["all", "after", "live", "since", "children"],
)
def test_a_page_costs_what_is_on_it(store: Store, mysql_url: str, history: None, query: Query) -> None:
    insert(store, "x1", created_at=7)
    store.find(query)
    cost = Cost(mysql_url)
    store.find(query)
    assert cost() <= 150


def test_pruning_costs_what_is_pruned(store: Store, mysql_url: str, history: None) -> None:
    cost = Cost(mysql_url)
    assert store.prune(HISTORY + 1, 100) == 100
    assert cost() <= 100 * 20
    assert sql(mysql_url, "SELECT count(*), min(created_at) FROM aw_executions WHERE completed_at > 0") == [
        (HISTORY - 100, 101)
    ]
    assert sql(mysql_url, "SELECT count(*) FROM aw_steps") == [(HISTORY - 100,)]


def test_the_server_goes_through_the_index(store: Store, mysql_url: str, history: None) -> None:
    look = (
        "SELECT 0, claimable_at FROM aw_executions FORCE INDEX (aw_executions_due) "
        "WHERE workflow = 'Checkout' AND queue = 'default' AND claimable_at IS NOT NULL AND format <= 1 "
        "ORDER BY claimable_at, id LIMIT 1"
    )
    due = (
        look.replace("claimable_at IS NOT NULL", "claimable_at <= 2000000000000000")
        + " FOR UPDATE SKIP LOCKED"
    )
    for statement in (look, due):
        [row] = sql(mysql_url, f"EXPLAIN {statement}")
        assert (row[3], row[5]) == ("range", "aw_executions_due")
        assert "Using filesort" not in row[-1]
        assert "Using index" in row[-1]


def test_many_kinds_are_claimed_in_one_order(store: Store) -> None:
    plans = [make_plan(f"Flow{n % 3}", queue=f"q{n % 5}") for n in range(15)]
    due = random.Random(7).sample(range(1_000), 150)
    store.insert(
        [NewExecution(execution(f"x{at:03}", plan=plans[n % 15]), due_at=at) for n, at in enumerate(due)]
    )
    wanted = [f"x{at:03}" for at in sorted(due)]
    got: list[str] = []
    while found := store.claim(ClaimRequest("w1", 7, HOUR)):
        if not found.executions:
            break
        got += [it.id for it in found.executions]
        if len(got) < len(wanted):
            assert found.next_due == sorted(due)[len(got)]
    assert got == wanted


# --- Locks ----------------------------------------------------------------------------------------------


def test_claims_don_t_wait_for_rows_that_others_hold(store: Store, mysql_url: str) -> None:
    insert(store, *(f"x{n:02}" for n in range(20)))
    with closing(connect(mysql_url, autocommit=False)) as other, other.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute("SELECT 1 FROM aw_executions WHERE id < 'x15' FOR UPDATE")
        got: list[str] = []
        thread = threading.Thread(target=lambda: got.extend(it.id for it in claim(store)))
        thread.start()
        thread.join(4)
        assert not thread.is_alive()
    assert got == [f"x{n:02}" for n in range(15, 20)]


def test_a_claim_under_way_holds_up_no_other_and_nobody_else(store: Store, mysql_url: str) -> None:
    """What a claim has locked, when its connection stands still between its messages."""
    insert(store, *(f"x{n:02}" for n in range(20)))
    later = execution("y1")
    store.insert([NewExecution(later, due_at=2**60)])
    lock = (
        "SELECT id FROM aw_executions FORCE INDEX (aw_executions_due) WHERE workflow = 'Checkout' AND "
        "queue = 'default' AND claimable_at <= 5 AND format <= 1 ORDER BY claimable_at, id LIMIT 10 "
        "FOR UPDATE SKIP LOCKED"
    )
    with closing(connect(mysql_url, autocommit=False)) as other, other.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute(lock)
        assert len(cursor.fetchall()) == 10
        answers = at_once(
            lambda: [it.id for it in claim(store)],
            lambda: [store.commit([outside(later, signalled(later), due_at=7)])[0].verdict],
            lambda: [insert(store, "z1") or "done"],
        )
    assert set(answers[0]) >= {f"x{n:02}" for n in range(10, 20)}
    assert not set(answers[0]) & {f"x{n:02}" for n in range(10)}
    assert answers[1:] == [["applied"], ["done"]]


def test_many_claim_and_nobody_gets_the_same(store: Store, mysql_url: str) -> None:
    insert(store, *(f"x{n:04}" for n in range(600)))
    stores = [open_store(mysql_url) for _ in range(4)]

    def claim_all(number: int) -> list[str]:
        got: list[str] = []
        until(lambda: not _more(got, stores[number], f"w{number}"))
        return got

    def _more(got: list[str], each: Store, owner: str) -> bool:
        found = each.claim(ClaimRequest(owner, 9, HOUR))
        got += [it.id for it in found.executions]
        return bool(found.executions) or (found.next_due is not None and found.next_due <= found.now)

    shares = at_once(*(lambda n=n: claim_all(n) for n in range(4)))
    assert sorted(id for share in shares for id in share) == [f"x{n:04}" for n in range(600)]
    for each in stores:
        each.close()
