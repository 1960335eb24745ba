# ruff: noqa: S101, PLR2004 - rules are asserts about plain numbers
"""Random calls against a store and the memory store side by side: every answer must be the same.

The one file that needs hypothesis; ``ModelRules`` says so where it is missing.
"""

from collections.abc import Callable, Sequence
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from active_workflow.core.change import change_between
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import State, StepState
from active_workflow.store.base import ClaimRequest, Clock, Heartbeat, Lease, NewExecution, Query, Store
from active_workflow.store.memory import MemoryStore
from active_workflow.testing.store_contract import builders as make

MakeStore = Callable[[Clock], Store]

IDS = [f"x{n}" for n in range(6)]
PLANS = [make.make_plan(), make.make_plan("Refund"), make.make_plan(queue="slow")]
ids = st.sampled_from(IDS)
times = st.integers(0, 40)
maybe_times = st.none() | times
patches = st.dictionaries(
    st.sampled_from("abc"), st.none() | st.sampled_from(["1", '"é"', "null"]), max_size=2
)


def move(  # noqa: PLR0911 - a list of cases
    it: Execution, name: str, patch: dict[str, str | None], at: int
) -> Execution:
    """Make some move; one that makes no sense changes only a mark."""
    step = it.step(name)
    if it.completed_at is not None:
        return it.evolve(overdue=not it.overdue)
    match at % 8:
        case 0 | 1 if step.state is StepState.PENDING:
            return make.started(it, name, at)
        case 0 | 1 | 2 if step.state is StepState.RUNNING:
            return make.completed(it, name, patch)
        case 3 if step.state in {StepState.RUNNING, StepState.PENDING}:
            waits = make.waiting(it, name, {f"job_{name}": f"{at}"})  # a key that no other step writes
            return waits.with_step(waits.step(name).evolve(waiting_since=it.revision))  # no two waits are one
        case 4 if step.state is StepState.WAITING:
            return make.retried(it, name)
        case 5:
            return make.signalled(it, f'"{at}"', f"k{at}")
        case 6 if it.signals:
            return make.taken(it)
        case 7 if at > 30:
            return make.ended(it, at, State.FAILED if at % 2 else State.COMPLETED)
    return it.evolve(paused_at=at)


def differences(one: Any, two: Any) -> list[Any]:
    """Name the fields that differ: a snapshot is too long to be read whole."""
    if isinstance(one, Sequence) and isinstance(two, Sequence) and not isinstance(one, str):
        return [found for a, b in zip(one, two, strict=False) for found in differences(a, b)]
    if isinstance(one, Execution) and isinstance(two, Execution):
        return [(key, value, vars(two)[key]) for key, value in vars(one).items() if value != vars(two)[key]]
    return [] if one == two else [(one, two)]


class SideBySide(RuleBasedStateMachine):
    """A store and its model, called with the same."""

    def __init__(self, make_store: MakeStore) -> None:
        super().__init__()
        self._make_store = make_store

    @initialize()
    def begin(self) -> None:
        self.now = 10
        self.model = MemoryStore(lambda: self.now)
        self.store = self._make_store(lambda: self.now)
        self.store.prepare()
        self.seen: list[Execution] = []

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def both(self, name: str, *args: Any, **options: Any) -> Any:
        """Call both stores and compare their answers."""
        one = getattr(self.model, name)(*args, **options)
        two = getattr(self.store, name)(*args, **options)
        assert _plain(one) == _plain(two), f"{name}{args}: {differences(one, two)}"
        return one

    @rule(by=st.integers(0, 9))
    def time_passes(self, by: int) -> None:
        self.now += by

    @rule(
        new=st.lists(
            st.tuples(ids, st.sampled_from([None, "a", "A"]), st.sampled_from(PLANS), maybe_times), max_size=3
        ),
        reuse=st.sampled_from(["never", "failed", "terminal"]),
        owner=st.sampled_from([None, None, "w1"]),
        skip=st.booleans(),
    )
    def insert(self, new: list[Any], reuse: str, owner: str | None, skip: bool) -> None:
        token = 0 if owner is None else 1
        batch = [
            NewExecution(
                make.execution(id, key=key, plan=plan, created_at=self.now % 5, tags={"t": id}, token=token),
                reuse,
                owner,
                3,
                due_at,
            )
            for id, key, plan, due_at in new
        ]
        self.both("insert", batch, skip_conflicts=skip)

    @rule(
        limit=st.integers(0, 3),
        lease=st.integers(0, 20),
        workflows=st.none() | st.just(["Refund"]),
        queues=st.none() | st.just(["default"]),
        not_plans=st.sampled_from([(), (PLANS[0].hash,)]),
    )
    def claim(self, limit: int, lease: int, **filters: Any) -> None:
        answer_1 = self.model.claim(ClaimRequest("w1", limit, lease, **filters))
        answer_2 = self.store.claim(ClaimRequest("w1", limit, lease, **filters))
        assert not differences(answer_1.executions, answer_2.executions)
        assert len(answer_1.executions) == len(answer_2.executions)
        assert (answer_1.next_due, answer_1.now) == (answer_2.next_due, answer_2.now)
        self.seen += answer_1.executions

    @rule(wanted=st.lists(ids, max_size=4))
    def load(self, wanted: list[str]) -> None:
        self.seen += self.both("load", wanted)
        self.both("states", wanted)

    @precondition(lambda self: self.seen)
    @rule(
        data=st.data(),
        name=st.sampled_from([step.name for step in make.PLAN.steps]),
        patch=patches,
        owned=st.booleans(),
        release=st.booleans(),
        due_at=maybe_times,
    )
    def commit(self, data: st.DataObject, name: str, patch: Any, owned: bool, **options: Any) -> None:
        newest = {it.id: it for it in self.seen[-12:]}
        chosen = data.draw(st.lists(st.sampled_from(sorted(newest)), min_size=1, max_size=6, unique=True))
        changes = []
        for id in chosen:
            after = move(newest[id], name, patch, data.draw(times))
            changes.append(change_between(newest[id], after, owned=owned, **options))
        for answer, change in zip(self.both("commit", changes), changes, strict=True):
            if answer.verdict == "applied":
                self.seen.append(change.after)

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), lease=st.integers(0, 20), due_at=maybe_times)
    def renew_and_release(self, data: st.DataObject, lease: int, due_at: int | None) -> None:
        held = [Lease(it.id, it.token) for it in data.draw(st.lists(st.sampled_from(self.seen), max_size=3))]
        self.both("renew", held, lease)
        if held:
            self.both("release", held[:1], {held[0].id: due_at})

    @rule(id=ids, name=st.sampled_from(["fulfil", "charge"]))
    def touch(self, id: str, name: str) -> None:
        self.both("touch", [Heartbeat(id, name, f'"{self.now}"')])

    @rule(
        states=st.sampled_from([(), (State.RUNNING, State.PENDING)]),
        since=st.none() | st.integers(0, 5),
        after=st.none() | ids,
        limit=st.integers(1, 4),
        tags=st.sampled_from([{}, {"t": "x1"}]),
        workflow=st.sampled_from([None, "Refund"]),
    )
    def find(self, **query: Any) -> None:
        self.both("find", Query(**query))

    @rule(before=st.integers(0, 60), limit=st.integers(0, 3))
    def prune(self, before: int, limit: int) -> None:
        self.both("prune", before, limit)

    @invariant()
    def leases_agree(self) -> None:
        if hasattr(self, "store"):
            for id in IDS:
                self.both("lease_of", id)


def run_side_by_side(make_store: MakeStore, examples: int) -> None:
    """Run random calls; raises an AssertionError with the shortest story in which the answers differ.

    Args:
        make_store: Gives a new, empty store with this clock.
        examples: How many stories.
    """

    class Machine(SideBySide):
        def __init__(self) -> None:
            super().__init__(make_store)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[
                HealthCheck.too_slow,
                HealthCheck.data_too_large,
                HealthCheck.filter_too_much,
            ],
        ),
    )


def _plain(answer: Any) -> Any:
    """Give an answer as it is compared: any sequence will do."""
    return list(answer) if isinstance(answer, Sequence) and not isinstance(answer, str) else answer
