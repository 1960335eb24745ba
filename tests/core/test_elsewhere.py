"""An execution that moves to another store: inert where it was and where it is announced."""

import pytest

from active_workflow.core import events as ev
from active_workflow.core.change import change_between
from active_workflow.core.explain import explain
from active_workflow.core.machine import apply
from active_workflow.core.ready import due_at, next_commands
from active_workflow.core.relocating import announced, arrived, departed
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import State, StepState
from active_workflow.core.timers import first_due
from active_workflow.errors import ExecutionMoved
from tests.core.making import ERROR, Story, call, chain, external, new, signal, sleep

PLAN = chain(call("one"), external("two", timeout=50), signal("three"), sleep("four"))

FROM_OUTSIDE = [
    ev.Completed("two", "1"),
    ev.Rejected("two", ERROR),
    ev.Extended("two", 5),
    ev.Signalled("three", "1"),
    ev.CancelRequested(),
    ev.Paused(),
    ev.Resumed(),
    ev.RetryRequested(),
    ev.Resolved("one", landed=True),
]
FROM_A_WORKER = [
    ev.Started("one"),
    ev.NotCalled("one", 1),
    ev.Returned("one", 1),
    ev.Failed("one", 1, ERROR),
    ev.RanOut("one", 1),
    ev.WorkerLost(),
    ev.Wake(),
    ev.CodeMissing("no code"),
    ev.CodeFound(),
]


def running() -> Execution:
    return apply(new(PLAN), ev.Started("one"), 1)


def waiting() -> Execution:
    it = apply(running(), ev.Returned("one", 1, "1", {"a": "1"}), 2)
    return apply(apply(it, ev.Started("two"), 3), ev.Returned("two", 1, "2"), 4)


def gone(it: Execution) -> Execution:
    return departed(it, "postgresql://db/app", "t1", 9)


@pytest.mark.parametrize("make", [lambda: new(PLAN), running, waiting])
def test_nothing_is_due_of_what_has_departed(make) -> None:
    it = gone(make())
    assert it.state is State.PAUSED
    assert (due_at(it), first_due(it, 10**9)) == (None, None)
    assert [command.due_at for command in next_commands(it, 10**9)] == [None]


@pytest.mark.parametrize("event", FROM_OUTSIDE)
def test_it_refuses_what_comes_from_outside(event) -> None:
    it = gone(waiting())
    with pytest.raises(ExecutionMoved, match=r"was moved to postgresql://db/app: nothing was recorded here"):
        apply(it, event, 10)
    place = announced(waiting(), "sqlite:///a.db", "t1", 9)
    with pytest.raises(ExecutionMoved, match=r"is still being moved here from sqlite:///a\.db"):
        apply(place, event, 10)


@pytest.mark.parametrize("event", FROM_A_WORKER)
def test_what_a_worker_says_is_too_late(event) -> None:
    it = gone(running())
    assert apply(it, event, 10) is it


def test_all_events_are_taken_for_one_or_the_other() -> None:
    from active_workflow.core.machine import _FROM_OUTSIDE, HANDLERS  # noqa: PLC0415

    assert {type(event) for event in FROM_OUTSIDE} == set(_FROM_OUTSIDE)
    assert set(_FROM_OUTSIDE) < set(HANDLERS)


def test_an_attempt_that_ran_has_lost_its_worker() -> None:
    it = gone(running())
    step = it.step("one")
    assert (step.state, step.run.running, step.run.interruptions) == (StepState.PENDING, False, 1)


@pytest.mark.parametrize("paused_at", [None, 7])
def test_it_arrives_as_it_departed(paused_at) -> None:
    it = waiting().evolve(paused_at=paused_at)
    left = gone(it)
    assert left.paused_at == (9 if paused_at is None else paused_at)
    assert arrived(left) == it
    assert arrived(it) is it
    assert gone(left) is left


def test_the_announcement_is_as_if_new() -> None:
    it = waiting().evolve(key="k", tags={"a": "b"}, parent_id="p", token=3)
    place = announced(it, "sqlite:///a.db", "t1", 9)
    assert (place.revision, place.token, place.steps, place.seq, place.started_at) == (1, 0, {}, 0, None)
    assert (place.key, place.tags, place.parent_id, place.plan) == ("k", {"a": "b"}, "p", PLAN)
    change = change_between(place, arrived(gone(it)))
    assert {step.name for step in change.steps} == {"one", "two"}


def test_what_is_over_departs_nowhere() -> None:
    it = apply(new(PLAN), ev.CancelRequested(), 1)
    assert it.state is State.CANCELLED
    assert gone(it) is it


def test_what_ends_with_its_lost_worker_is_over() -> None:
    """Cancelled while its only attempt ran, and there is nothing to undo."""
    plan = chain(call("one", compensates=False))
    it = apply(apply(new(plan), ev.Started("one"), 1), ev.CancelRequested(), 2)
    assert it.state is State.RUNNING
    it = gone(it)
    assert (it.state, it.elsewhere) == (State.CANCELLED, None)


def test_explain_says_where_it_is() -> None:
    told = explain(gone(waiting()), 10, None)
    assert "It was moved to postgresql://db/app: nothing happens to it here." in told
    assert "paused it" not in told
    told = explain(announced(waiting(), "sqlite:///a.db", "t1", 9), 10, None)
    assert "It is being moved here from sqlite:///a.db: nothing happens to it here." in told


def test_claims_that_nobody_answered_are_counted_anew_over_there() -> None:
    story = Story(chain("z", signal("w", decides=True))).does("z")
    assert story.x.asked_under is not None
    left = gone(story.x)
    assert (left.asked_under, arrived(left).asked_under) == (None, None)
