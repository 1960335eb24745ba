"""Traps of the planner: a plan made while a table is empty, or no row leased, must be good when it is large.

Each test looks at what the server itself counted: how often a table was read whole, and how many rows were
fetched through indexes.
"""

import random
import threading
from collections.abc import Iterator

import psycopg
import pytest

from active_workflow.core.snapshot import Execution
from active_workflow.store.base import ClaimRequest, Heartbeat, Lease, NewExecution, Query
from active_workflow.store.postgres.database import Options
from active_workflow.store.postgres.store import PostgresStore
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
from tests.store.postgres_help import sql
from tests.store.server_help import HOUR, claim, insert, until

pytestmark = [pytest.mark.services, pytest.mark.slow]

TABLES = ("aw_executions", "aw_steps", "aw_signals", "aw_keys")
BATCH = 50
PARKED = 4_000


@pytest.fixture(params=["prepared", "behind a pooler"])
def store(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[PostgresStore]:
    threshold = 0 if request.param == "prepared" else None
    store = PostgresStore(postgres_url, options=Options(prepare_threshold=threshold))
    store.prepare()
    yield store
    store.close()


def counters(url: str) -> dict[str, tuple[int, int]]:
    """How often each table was read whole, and how many of its rows were fetched through an index."""
    rows = sql(url, "SELECT relname, seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables")
    return {name: (whole, fetched) for name, whole, fetched in rows if name in TABLES}


def commit(
    store: PostgresStore, before: list[Execution], after: list[Execution], **options: object
) -> list[Execution]:
    changes = [owned(b, a, **options) for b, a in zip(before, after, strict=True)]
    assert {answer.verdict for answer in store.commit(changes)} == {"applied"}
    return [change.after for change in changes]


def use_everything(store: PostgresStore, name: str) -> None:
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
    assert len(store.find(Query(limit=10))) == 10
    assert len(store.find(Query(limit=10, after=ids[20]))) == 10
    assert store.prune(2**41, BATCH) == BATCH


def park(store: PostgresStore, name: str) -> None:
    """Insert many that are due one day, with a key, a step and a signal each."""
    new = [
        signalled(completed(execution(f"{name}{n:05}", key=f"{name}{n}"), "reserve")) for n in range(PARKED)
    ]
    store.insert([NewExecution(it, due_at=2**60) for it in new])


def test_no_table_is_read_whole(store: PostgresStore, postgres_url: str) -> None:
    sql(postgres_url, "ANALYZE")
    store.close()
    before = counters(postgres_url)
    for number in range(7):  # a server takes its time to settle on a plan
        use_everything(store, f"a{number}-")
    park(store, "late")
    for number in range(3):
        use_everything(store, f"b{number}-")
    sql(postgres_url, "ANALYZE")  # at this moment no row is leased, and none is due
    for number in range(3):
        use_everything(store, f"c{number}-")
    store.close()
    until(lambda: counters(postgres_url) != before, 5)
    after = counters(postgres_url)
    assert {name: after[name][0] - before[name][0] for name in TABLES} == dict.fromkeys(TABLES, 0)
    # Each call fetches the rows it is about and no others: some ten calls for 13 batches, with room to spare.
    assert after["aw_executions"][1] - before["aw_executions"][1] < 13 * BATCH * 30


def test_a_claim_costs_the_same_however_many_wait(store: PostgresStore, postgres_url: str) -> None:
    park(store, "p")
    store.close()
    before = counters(postgres_url)["aw_executions"][1]
    for _ in range(20):
        assert claim(store) == []
    store.close()
    until(lambda: counters(postgres_url)["aw_executions"][1] > before, 5)
    assert counters(postgres_url)["aw_executions"][1] - before <= 20 * 4


def test_a_backlog_of_others_costs_a_claim_nothing(store: PostgresStore, postgres_url: str) -> None:
    plans = [make_plan("Other"), make_plan(queue="slow")]
    store.insert(
        [NewExecution(execution(f"o{n}", plan=plans[n % 2]), due_at=n) for n in range(PARKED)]
        + [NewExecution(execution("mine"), due_at=PARKED)]
    )
    store.close()
    before = counters(postgres_url)["aw_executions"][1]
    request = ClaimRequest("w1", 10, HOUR, workflows=["Checkout"], queues=["default"])
    assert [it.id for it in store.claim(request).executions] == ["mine"]
    for _ in range(19):
        assert list(store.claim(request).executions) == []
    store.close()
    until(lambda: counters(postgres_url)["aw_executions"][1] > before, 5)
    assert counters(postgres_url)["aw_executions"][1] - before <= 20 * 8


def test_many_kinds_are_claimed_in_one_order(store: PostgresStore) -> None:
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


def test_most_commits_touch_no_index(postgres_url: str) -> None:
    store = PostgresStore(postgres_url)
    store.prepare()
    insert(store, *(f"x{n}" for n in range(50)))
    found = claim(store)
    for name in ("reserve", "charge"):
        found = commit(store, found, [started(it, name) for it in found])
        found = commit(store, found, [completed(it, name) for it in found])
    store.close()
    statement = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'aw_executions'"
    until(lambda: sql(postgres_url, statement)[0][0] >= 250, 5)
    [(updates, hot)] = sql(postgres_url, statement)
    assert hot >= updates - 100, "all but the claim and the first commit to a full page stay on their page"


def test_claims_don_t_wait_for_each_other(postgres_url: str) -> None:
    store = PostgresStore(postgres_url, options=Options(timeout=5))
    store.prepare()
    insert(store, *(f"x{n}" for n in range(20)))
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM aw_executions WHERE id < 'x15' FOR UPDATE")
        got: list[str] = []
        thread = threading.Thread(target=lambda: got.extend(it.id for it in claim(store)))
        thread.start()
        thread.join(4)
        assert not thread.is_alive()
    assert sorted(got) == sorted(f"x{n}" for n in range(20) if f"x{n}" >= "x15")
    store.close()
