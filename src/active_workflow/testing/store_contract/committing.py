# ruff: noqa: S101 - rules are asserts about plain numbers
"""Rules of ``commit`` and ``touch``: fencing, whole or not at all, and that nothing told gets lost."""

import pytest

from active_workflow.core.attempts import Completion, Run
from active_workflow.core.snapshot import Block, BlockKind, Execution
from active_workflow.core.states import Effect, State, StepState
from active_workflow.store.base import Applied, Heartbeat, NewExecution, Store, Verdict
from active_workflow.testing.store_contract.base import HOUR, Rules, claim, insert
from active_workflow.testing.store_contract.builders import (
    FAILURE,
    T0,
    completed,
    ended,
    execution,
    outside,
    owned,
    retried,
    signalled,
    started,
    taken,
    undoing,
    undone,
    waiting,
)


def claimed(store: Store, id: str = "x1") -> Execution:
    """Insert an execution, claim it and give it."""
    insert(store, id)
    assert claim(store) == [id]
    return store.load([id])[0]


def advance(store: Store, before: Execution, after: Execution) -> Execution:
    """Commit an owner's change and give the execution as it then is: what was committed is what is loaded."""
    change = owned(before, after)
    assert store.commit([change]) == [Applied(before.id, Verdict.APPLIED, before.revision + 1, before.token)]
    [found] = store.load([before.id])
    assert found == change.after
    assert store.states([before.id]) == {before.id: found.state}
    return found


class CommitRules(Rules):
    """Rules of ``commit`` and ``touch``."""

    def test_a_whole_story_is_kept(self, store: Store) -> None:
        it = claimed(store)
        it = advance(store, it, started(it, "reserve"))
        it = advance(store, it, retried(it, "reserve"))
        it = advance(store, it, started(completed(started(it, "reserve"), "reserve", {"a": "1"}), "charge"))
        it = advance(store, it, started(completed(it, "charge", {"a": "2", "name": None}), "fulfil"))
        it = advance(store, it, waiting(it, "fulfil", {"job": "7"}))
        step = it.step("fulfil").evolve(payload='"p"', keys=("k",), decided=True)
        it = it.evolve(steps={**it.steps, "fulfil": step})
        it = advance(store, store.load(["x1"])[0], completed(it, "fulfil", {"job": "7", "fulfil": '"p"'}))
        assert it.ctx == {"order_id": "42", "a": "2", "job": "7", "fulfil": '"p"'}
        it = advance(store, it, ended(it))
        assert it.state is State.COMPLETED

    def test_an_undo_is_kept(self, store: Store) -> None:
        it = claimed(store)
        it = completed(started(it, "reserve"), "reserve", {"a": "1"})
        it = advance(store, store.load(["x1"])[0], completed(started(it, "charge"), "charge", {"a": "2"}))
        it = advance(store, it, undoing(it))
        undo = Run(attempts=1, running=True, started_at=T0, attempt_at=T0)
        it = advance(
            store, it, it.with_step(it.step("charge").evolve(state=StepState.COMPENSATING, undo=undo))
        )
        it = advance(store, it, undone(it, "charge", {"a": "3", "order_id": None}))
        it = advance(store, it, undone(it, "reserve", {"a": None}))
        assert it.ctx == {"name": '"Ada"'}
        it = advance(store, it, ended(it, outcome=State.FAILED))
        assert it.state is State.FAILED

    def test_a_step_may_wait_and_be_tried_again(self, store: Store) -> None:
        it = claimed(store)
        it = advance(store, it, waiting(started(it, "fulfil"), "fulfil", {"job": "1"}))
        it = advance(store, it, retried(it, "fulfil"))
        assert it.ctx["job"] == "1"
        assert store.touch([Heartbeat("x1", "fulfil")]) == [False]
        it = advance(store, it, waiting(started(it, "fulfil"), "fulfil", {"job": "2"}))
        assert store.touch([Heartbeat("x1", "fulfil")]) == [True]

    def test_every_field_of_a_step_is_kept(self, store: Store) -> None:
        it = claimed(store)
        odd = it.step("charge").evolve(
            state=StepState.RUNNING,
            effect=Effect.UNKNOWN,
            run=Run(3, 1, 2, 1, True, True, T0, T0 + 1, T0 + 2, True, 4, 2, T0 + 3),
            undo=Run(attempts=1, lingering=1, abandon_at=T0),
            early=Completion(None, "k", "c", FAILURE),
            keys=("k1", "k2"),
            decided=False,
            undo_waiting_since=T0,
            heartbeat_at=T0,
            heartbeat="{}",
        )
        it = advance(store, it, it.with_step(odd))
        over = odd.evolve(state=StepState.IN_DOUBT, run=odd.run.evolve(lingering=None), undo=Run(attempts=1))
        advance(store, it, it.with_step(over))

    def test_every_mark_is_kept(self, store: Store) -> None:
        it = claimed(store)
        it = advance(store, it, it.evolve(paused_at=T0))
        it = advance(
            store, it, it.evolve(paused_at=None, blocked=Block(BlockKind.PIVOT, "✓ why"), overdue=True)
        )
        advance(store, it, it.evolve(blocked=None, cancel_requested_at=T0, signal_keys=("a", "b")))

    def test_signals_are_kept_until_taken(self, store: Store) -> None:
        it = claimed(store)
        it = advance(store, it, signalled(signalled(it, '"a"', "k1"), '"b"'))
        it = advance(store, it, taken(it))
        assert [signal.number for signal in it.signals] == [2]
        it = advance(store, it, signalled(taken(it)))
        assert (it.signal_count, it.signal_keys) == (3, ("k1",))

    def test_children_are_inserted_with_it(self, store: Store) -> None:
        it = claimed(store)
        it = advance(store, it, completed(started(it, "reserve"), "reserve", {"a": "1"}))
        sent = completed(it, "receipt", result=None)
        change = owned(it, sent)
        store.commit([change])
        [child] = store.load(["x1.receipt"])
        assert child == change.children[0].evolve(revision=1)
        assert (child.parent_id, child.ctx["a"], child.plan.workflow) == ("x1", "1", "Checkout")
        assert claim(store, "w2") == ["x1.receipt"]

    # --- Fencing ------------------------------------------------------------------------------------

    def test_an_owner_without_the_token_writes_nothing(self, store: Store) -> None:
        insert(store, "x1")
        claim(store, lease=0)
        [old] = store.load(["x1"])
        claim(store, "w2")
        [now] = store.load(["x1"])
        change = owned(
            old, signalled(completed(started(old, "receipt"), "receipt", {"a": "1"})), release=True
        )
        assert store.commit([change]) == [Applied("x1", Verdict.REFUSED, old.revision, old.token + 1)]
        assert store.load(["x1"]) == [now]
        assert list(store.load(["x1.receipt"])) == []
        lease = store.lease_of("x1")
        assert lease is not None
        assert lease.owner == "w2"

    def test_a_stale_revision_writes_nothing(self, store: Store) -> None:
        it = claimed(store)
        [applied] = store.commit([outside(it, signalled(it))])
        assert applied == Applied("x1", Verdict.APPLIED, it.revision + 1, it.token)
        after = completed(started(it, "reserve"), "reserve", {"a": "1"})
        for change in (owned(it, after), outside(it, signalled(it, '"late"'))):
            assert store.commit([change]) == [Applied("x1", Verdict.REFUSED, it.revision + 1, it.token)]
        [now] = store.load(["x1"])
        assert (now.steps, len(now.signals), now.ctx) == ({}, 1, it.ctx)

    def test_a_change_from_outside_needs_no_token(self, store: Store) -> None:
        insert(store, "x1")
        [before] = store.load(["x1"])
        claim(store)
        [applied] = store.commit([outside(before, signalled(before))])
        assert applied == Applied("x1", Verdict.APPLIED, 2, 1)
        assert store.load(["x1"])[0].token == 1

    def test_no_row_is_a_refusal(self, store: Store) -> None:
        it = execution("nowhere")
        assert (
            store.commit([owned(it, started(it, "reserve")), outside(it, signalled(it))])
            == [Applied("nowhere", Verdict.REFUSED, 0, 0)] * 2
        )

    def test_a_refusal_leaves_the_rest_of_its_batch(self, store: Store) -> None:
        ids = [f"x{n}" for n in range(9)]
        insert(store, *ids)
        claim(store)
        found = store.load(ids)
        store.commit([outside(found[4], signalled(found[4]))])
        answers = store.commit([owned(it, started(it, "reserve"), release=it.id == "x2") for it in found])
        refused = [answer.id for answer in answers if answer.verdict is Verdict.REFUSED]
        assert ([answer.id for answer in answers], refused) == (ids, ["x4"])
        assert [len(it.steps) for it in store.load(ids)] == [1, 1, 1, 1, 0, 1, 1, 1, 1]

    def test_data_that_no_database_takes_is_rejected_alone(self, store: Store) -> None:
        ids = ["x0", "x1", "x2"]
        insert(store, *ids)
        claim(store)
        found = store.load(ids)
        half = "\ud800"
        changes = [
            owned(it, completed(started(it, "reserve"), "reserve", result=half if it.id == "x1" else "1"))
            for it in found
        ]
        answers = store.commit(changes)
        assert [answer.verdict for answer in answers] == ["applied", "rejected", "applied"]
        assert (answers[1].revision, answers[1].token) == (found[1].revision, found[1].token)
        assert store.load(["x1"]) == [found[1]]
        advance(store, found[1], started(found[1], "reserve"))

    def test_committing_nothing_is_allowed(self, store: Store) -> None:
        assert list(store.commit([])) == []

    # --- Heartbeats ---------------------------------------------------------------------------------

    def test_a_heartbeat_is_recorded_for_waiting_steps_only(self, store: Store) -> None:
        it = claimed(store)
        it = advance(
            store, it, waiting(started(completed(started(it, "reserve"), "reserve"), "fulfil"), "fulfil")
        )
        it = advance(store, it, started(it, "charge"))
        beats = [
            Heartbeat("x1", "fulfil", '"half"'),
            Heartbeat("x1", "charge"),
            Heartbeat("x1", "reserve"),
            Heartbeat("x1", "nothing"),
            Heartbeat("nowhere", "fulfil"),
        ]
        assert store.touch(beats) == [True, False, False, False, False]
        [after] = store.load(["x1"])
        step = after.step("fulfil")
        assert (after.revision, step.heartbeat) == (it.revision, '"half"')
        assert step.heartbeat_at is not None

    @pytest.mark.parametrize("still_waiting", [True, False])
    def test_a_heartbeat_survives_a_change_decided_before_it(self, store: Store, still_waiting: bool) -> None:
        it = claimed(store)
        it = advance(store, it, waiting(started(it, "fulfil"), "fulfil"))
        store.touch([Heartbeat("x1", "fulfil", "1")])
        later = it.with_step(it.step("fulfil").evolve(timeout_at=T0 + HOUR))
        store.commit([owned(it, later if still_waiting else completed(it, "fulfil"))])
        assert (store.load(["x1"])[0].step("fulfil").heartbeat == "1") is still_waiting

    def test_a_heartbeat_survives_a_change_of_another_step(self, store: Store) -> None:
        it = claimed(store)
        it = advance(store, it, waiting(started(it, "fulfil"), "fulfil"))
        store.touch([Heartbeat("x1", "fulfil", "1")])
        store.commit([owned(it, completed(started(it, "charge"), "charge"))])
        assert store.load(["x1"])[0].step("fulfil").heartbeat == "1"

    def test_the_due_time_of_a_new_execution_is_kept(self, store: Store) -> None:
        store.insert([NewExecution(execution("x1"), due_at=store.now() + HOUR)])
        assert claim(store) == []
