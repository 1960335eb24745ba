"""Copying between stores: everything arrives as it was, lives in one store only, and ends there."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import active_workflow as aw
from active_workflow.core.change import change_between
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import State
from active_workflow.engine.copying import Copied, copy, copy_executions, mover
from active_workflow.errors import ConfigurationError, ExecutionMoved, StoreError
from active_workflow.store import MemoryStore, SqliteStore, Store, open_store
from active_workflow.store.base import ClaimRequest, Heartbeat, NewExecution, Query
from active_workflow.testing.store_contract.base import HOUR, claim, insert
from active_workflow.testing.store_contract.builders import (
    ended,
    execution,
    outside,
    owned,
    signalled,
    started,
    taken,
    waiting,
)
from tests.golden.ending import finish_all
from tests.golden.stories import Clock, make_all, open_engine


@pytest.fixture
def here(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "here.db")
    store.prepare()
    yield store
    store.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "there.db")
    store.prepare()
    yield store
    store.close()


def everything(store: Store) -> dict[str, Execution]:
    return {x.id: x for x in store.find(Query(limit=10_000))}


def load(store: Store, id: str) -> Execution:
    [found] = store.load([id])
    return found


# --- Between all kinds of stores --------------------------------------------------------------------

STORES = {
    "memory": lambda _request, _folder, _name: "memory://",
    "sqlite": lambda _request, folder, name: f"sqlite:///{folder}/{name}.db",
    "postgres": lambda request, _folder, name: (
        f"{request.getfixturevalue('postgres_url')}?schema={name}"  # both may be in one database
    ),
}
SERVERS = {"postgres"}
WAYS = [
    pytest.param(a, b, marks=[pytest.mark.services] if {a, b} & SERVERS else [])
    for a, b in [
        *(("sqlite", "postgres"), ("postgres", "sqlite"), ("postgres", "postgres")),
        *(("sqlite", "sqlite"), ("memory", "sqlite"), ("sqlite", "memory")),
    ]
]


@pytest.mark.parametrize(("a", "b"), WAYS)
def test_executions_in_every_state_arrive_and_end(request, tmp_path, a, b) -> None:
    clock = Clock()
    source, target = (
        open_store(STORES[kind](request, tmp_path, name), clock.micros) for kind, name in ((a, "x"), (b, "y"))
    )
    source.prepare()
    make_all(source, clock)
    clock.advance("61m")  # whoever held some is lost by now
    before = everything(source)
    copied = copy_executions(source, target)
    moved = 1  # one of the stories was moved to a third store before
    assert copied.complete
    assert (copied.executions, copied.copied) == (len(before), len(before) - moved)
    assert (copied.same, copied.gone) == (len(before) - moved, moved)
    after = everything(target)
    assert {x.state for x in before.values()} == set(State)
    for id, x in after.items():
        _check_is_the_same(before[id], x)
    again = copy_executions(source, target)
    assert (again.complete, again.copied, again.same) == (True, 0, copied.same)

    with open_engine(target, clock) as engine:
        finish_all(engine, clock, moved=False)
    clock.advance("80d")
    with open_engine(source, clock) as engine:
        assert engine.run_until_idle() == 0  # nothing is left to run there
    last = copy_executions(source, target)
    assert last.complete
    assert last.same + last.went_on == copied.same
    for store in (source, target):
        store.close()


def _check_is_the_same(before: Execution, after: Execution) -> None:
    """All but the guards are the same; an attempt that was under way has lost its worker."""
    if any(step.run.running for step in before.steps.values()):
        assert after.steps.keys() == before.steps.keys()
        assert not any(step.run.running for step in after.steps.values())
    else:
        assert after.evolve(revision=0, token=0) == before.evolve(revision=0, token=0)


# --- What has left takes nothing more ---------------------------------------------------------------


@pytest.fixture
def order(here, there) -> aw.Execution:
    """One that waits in the target, and was moved from the source."""
    with aw.Engine(here, embedded=False) as engine:

        class Order(aw.Workflow):
            first = aw.task(lambda ctx: {"first": 1})
            ship = aw.task(lambda ctx: {}, external=True)
            approval = aw.wait_for_signal()
            last = aw.task(lambda ctx: {"last": 1})

        execution = engine.start(Order, {}, idempotency_key="k")
        engine.run_until_idle()
        assert copy_executions(here, there, target_name="postgresql://db/app").complete
        yield execution.refresh()


@pytest.mark.parametrize(
    "act",
    [
        lambda engine, id: engine.complete_step(id, "ship"),
        lambda engine, id: engine.fail_step(id, "ship"),
        lambda engine, id: engine.extend_timeout(id, "ship", by="1h"),
        lambda engine, id: engine.signal(id, "approval"),
        lambda engine, id: engine.cancel(id),
        lambda engine, id: engine.pause(id),
        lambda engine, id: engine.resume(id),
        lambda engine, id: engine.retry(id),
        lambda engine, id: engine.resolve(id, "ship", skip=True),
    ],
)
def test_what_has_left_says_where_it_is(here, there, order, act) -> None:
    with aw.Engine(here, embedded=False) as engine:
        with pytest.raises(ExecutionMoved, match=r"was moved to postgresql://db/app"):
            act(engine, order.id)
        found = engine.get(order.id)
        assert found.state == "paused"
        assert "was moved to postgresql://db/app: nothing happens to it here" in found.explain()


def test_a_key_still_finds_what_has_left(here, there, order) -> None:
    with aw.Engine(here, embedded=False) as engine:
        assert engine.start("Order", {}, idempotency_key="k").id == order.id
    with aw.Engine(there, embedded=False) as engine:
        again = engine.start("Order", {}, idempotency_key="k")
        assert (again.id, again.state) == (order.id, "waiting")


def test_it_comes_back(here, there, order) -> None:
    with aw.Engine(there, embedded=False) as engine:
        engine.complete_step(order.id, "ship", {"a": 1})
        engine.signal(order.id, "approval")
        engine.signal(order.id, "approval", 2)
    assert copy_executions(there, here).complete
    with aw.Engine(there, embedded=False) as engine, pytest.raises(ExecutionMoved):
        engine.signal(order.id, "approval")
    with aw.Engine(here, embedded=False) as engine:
        engine.run_until_idle()
        assert engine.get(order.id).state == "completed"
    copied = copy_executions(there, here)
    assert (copied.complete, copied.went_on) == (True, 1)


# --- Held by a worker -------------------------------------------------------------------------------


def test_what_a_worker_holds_stays_until_it_lets_go(here, there) -> None:
    insert(here, "x1", "x2")
    assert claim(here, "w1", limit=1) == ["x1"]
    x = load(here, "x1")
    begun = owned(x, started(x, "reserve"))
    here.commit([begun])
    copied = copy_executions(here, there)
    assert (copied.complete, copied.held, copied.same) == (False, {"w1": 1}, 1)
    assert load(here, "x1") == begun.after
    here.commit([owned(begun.after, begun.after, release=True, due_at=0)])
    assert copy_executions(here, there).complete
    assert claim(here) == []
    assert sorted(claim(there)) == ["x1", "x2"]


def test_a_worker_that_claims_just_before_the_mark_starts_nothing(there) -> None:
    """Its commit is refused, and what it then reads says that the execution has left."""
    ran = []

    class One(aw.Workflow):
        one = aw.task(lambda ctx: ran.append(1))

    here = Meanwhile()
    with aw.Engine(here, embedded=False) as engine:
        execution = engine.start(One, {})
        here.acts["mark"] = lambda: claimed.extend(here.claim(ClaimRequest("w1", 1, -1)).executions)
        claimed: list[Execution] = []
        assert copy_executions(here, there).complete
        assert [x.id for x in claimed] == [execution.id]
        start = owned(claimed[0], started(claimed[0], "one"))
        assert here.commit([start])[0].verdict == "refused"
        assert engine.run_until_idle() == 0  # the lease is over: this worker claims it, too
        assert here.claim(ClaimRequest("w2", 1, HOUR)).next_due is None
    with aw.Engine(there, embedded=False) as engine:
        assert engine.run_until_idle() == 1
        assert engine.get(execution.id).state == "completed"


def test_a_lease_that_is_over_is_taken_for_a_lost_worker(here, there) -> None:
    insert(here, "x1")
    claim(here, "w1", lease=-1)
    x = load(here, "x1")
    begun = owned(x, started(x, "reserve"))
    here.commit([begun])
    assert copy_executions(here, there).complete
    left = load(here, "x1")
    late = owned(begun.after, begun.after.evolve(overdue=True))
    assert here.commit([late])[0].verdict == "refused"  # whoever was only slow comes too late
    assert left.step("reserve").run.interruptions == load(there, "x1").step("reserve").run.interruptions == 1


# --- Keys -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 100])
def test_a_key_that_was_taken_over_stays_with_its_later_holder(here, there, monkeypatch, batch) -> None:
    monkeypatch.setattr(copy, "BATCH", batch)
    for n in range(4):
        x = execution(f"x{n}", key="k", created_at=n)
        here.insert([NewExecution(x, "terminal", due_at=0)])
        if n < 3:
            here.commit([outside(x, ended(x))])
    copied = copy_executions(here, there)
    assert (copied.complete, copied.same) == (True, 4)
    assert everything(there).keys() == everything(here).keys()
    [answer] = there.insert([NewExecution(execution("y", key="k"))])
    assert answer.holder is not None
    assert answer.holder.id == "x3"


def test_a_key_that_another_one_holds_in_the_target_is_a_conflict(here, there) -> None:
    insert(here, "x1", key="k")
    insert(here, "x2")
    insert(there, "y", key="k")
    copied = copy_executions(here, there)
    assert (copied.complete, copied.same) == (False, 1)
    assert copied.conflicts == {"x1": "its idempotency key is held in the target by y"}
    assert claim(here) == ["x1"]  # it lives on where it is


# --- Conflicts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", [False, True])
def test_another_one_of_its_id_is_never_overwritten(here, there, over) -> None:
    insert(here, "x1")
    if over:
        here.commit([outside(execution("x1"), ended(execution("x1")))])
    insert(there, "x1", input={"other": "1"})
    before = load(here, "x1"), load(there, "x1")
    copied = copy_executions(here, there)
    assert list(copied.conflicts) == ["x1"]
    assert "another one of this id" in copied.conflicts["x1"]
    assert (load(here, "x1"), load(there, "x1")) == before


def test_what_is_still_on_its_way_to_the_source_is_told(here, there, tmp_path) -> None:
    insert(here, "x1")
    third = SqliteStore(tmp_path / "third.db")
    third.prepare()
    report = Copied()
    ends = mover.End(here, "here"), mover.End(there, "there")
    mover.Mover(*ends, report)._announce(["x1"])
    copied = copy_executions(there, third)
    assert copied.conflicts == {"x1": "it is still being moved here from here"}
    with aw.Engine(there, embedded=False) as engine, pytest.raises(ExecutionMoved, match="still being moved"):
        engine.cancel("x1")
    assert copy_executions(here, third).complete
    assert not copy_executions(there, third).complete
    copied = copy_executions(here, there)  # it went to the third: never to live there as well
    assert (copied.complete, copied.left) == (False, 1)
    assert claim(there) == []
    third.close()


def test_data_that_the_target_refuses_lives_on_in_the_source(here, there) -> None:
    insert(here, "x1", "x2")
    connection = sqlite3.connect(there.path, isolation_level=None)
    connection.execute(
        "CREATE TRIGGER no BEFORE UPDATE ON aw_executions WHEN new.id = 'x1' BEGIN "
        "SELECT RAISE(ABORT, 'no room'); END"
    )
    copied = copy_executions(here, there)
    assert copied.conflicts == {"x1": "the target refuses its data: no room"}
    assert (copied.same, claim(here)) == (1, ["x1"])
    connection.execute("DROP TRIGGER no")
    connection.close()
    assert not copy_executions(here, there).complete
    assert copy_executions(here, there).held == {"w1": 1}


@pytest.mark.parametrize("kind", ["waits", "claimed"])
def test_one_store_under_two_names_is_refused(here, tmp_path, kind) -> None:
    insert(here, "x1")
    if kind == "claimed":
        claim(here)
        x = load(here, "x1")
        here.commit([owned(x, ended(x), release=True)])
    before = everything(here)
    (tmp_path / "other.db").symlink_to(here.path)
    with pytest.raises(ConfigurationError, match="same store"):
        copy_executions(here, SqliteStore(tmp_path / "other.db"))
    assert everything(here) == before


# --- What changes meanwhile -------------------------------------------------------------------------


class Meanwhile(MemoryStore):
    """Does something just before a call."""

    def __init__(self) -> None:
        super().__init__()
        self.acts: dict[str, Callable[[], object]] = {}

    def _before(self, call: str) -> None:
        self.acts.pop(call, lambda: None)()

    def commit(self, changes):
        self._before("commit")
        if any(change.after.elsewhere for change in changes):
            self._before("mark")
        return super().commit(changes)

    def lease_of(self, id):
        self._before("lease_of")
        return super().lease_of(id)

    def find(self, query):
        self._before("find" if query.after else "find first")
        return super().find(query)


def test_what_changes_meanwhile_is_copied_as_it_then_is(there) -> None:
    here = Meanwhile()
    insert(here, "x1", "x2")

    def change() -> None:
        x = load(here, "x1")
        here.commit([outside(x, signalled(x), due_at=0)])

    def more() -> None:
        insert(here, "x3")
        here.acts["commit"] = change

    here.acts["lease_of"] = more
    copied = copy_executions(here, there)
    assert (copied.complete, copied.same, copied.copied) == (True, 3, 3)
    assert len(load(there, "x1").signals) == 1


def test_a_source_that_is_pruned_while_it_is_read_is_read_again(there, monkeypatch) -> None:
    monkeypatch.setattr(copy, "BATCH", 1)
    here = Meanwhile()
    for id in ("x1", "x2"):
        insert(here, id)
        here.commit([outside(execution(id), ended(execution(id)))])
    here.acts["find"] = lambda: here.prune(2**62, 10)
    with pytest.raises(StoreError, match="pruned while they were read"):
        copy_executions(here, there)


def test_what_was_pruned_in_the_target_does_not_come_back(here, there) -> None:
    insert(here, "x1")
    assert copy_executions(here, there).complete
    x = load(there, "x1")
    there.commit([outside(x, ended(x))])
    assert there.prune(2**62, 10) == 1
    copied = copy_executions(here, there)
    assert (copied.complete, copied.gone, everything(there)) == (True, 1, {})


def test_a_sign_of_life_over_there_is_no_difference(here, there) -> None:
    insert(here, "x1")
    x = load(here, "x1")
    here.commit([outside(x, waiting(started(x, "fulfil"), "fulfil"))])
    assert copy_executions(here, there).complete
    there.touch([Heartbeat("x1", "fulfil", '"half"')])
    assert copy_executions(here, there).same == 1


def test_signals_that_were_taken_in_between_come_back_right(here, there) -> None:
    insert(here, "x1")
    x = load(here, "x1")
    here.commit([outside(x, signalled(signalled(x, '"a"', "k1"), '"b"'), due_at=0)])
    assert copy_executions(here, there).complete
    x = load(there, "x1")
    there.commit([outside(x, signalled(taken(x), '"c"'), due_at=there.now() + HOUR)])
    wanted = load(there, "x1")
    assert copy_executions(there, here).complete
    assert load(here, "x1").evolve(revision=0) == wanted.evolve(revision=0)
    x = load(here, "x1")
    here.commit([change_between(x, taken(x))])
    assert [signal.number for signal in load(here, "x1").signals] == [3]
