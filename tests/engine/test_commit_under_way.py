"""What a worker's mind does between a commit's sending and its answer: reports and leases go on meanwhile."""

from typing import Any

import pytest

from active_workflow.core.events import CancelRequested
from active_workflow.core.states import State, StepState
from active_workflow.engine.call import Call
from active_workflow.errors import UnknownCommit
from active_workflow.store.base import Renewed
from tests.engine.test_scheduler import LEASE, Bench, Worker, chain


@pytest.fixture
def bench() -> Bench:
    return Bench()


def send(worker: Worker) -> Any:
    """Begin a commit; give what takes its answer."""
    worker.scheduler.hint()
    changes = worker.driver.prepare()
    assert changes
    answers = worker.bench.store.commit(changes)
    return lambda: worker.driver.settle(changes, answers)


def side_by_side(bench: Bench, worker: Worker) -> list[Call]:
    """Two steps that run at once, and one after both."""
    bench.insert(*chain("a"), *chain("b"), *[step for step in chain("a", "b", "c") if step.name == "c"])
    return worker.begin()


def told_meanwhile(bench: Bench) -> tuple[Worker, Any]:
    """A worker that hears of the second of two steps while it commits that the first has returned."""
    worker = bench.worker()
    first, second = side_by_side(bench, worker)
    worker.returns(first)
    answered = send(worker)
    worker.returns(second)
    return worker, answered


def test_what_is_told_while_a_commit_is_under_way_goes_into_the_next(bench: Bench) -> None:
    worker, answered = told_meanwhile(bench)
    answered()

    x = bench.read()
    assert (x.steps["a"].state, x.steps["b"].state) == (StepState.COMPLETED, StepState.RUNNING)
    assert worker.scheduler.calls() == [], "it has ended, though the store does not know that yet"
    [third] = worker.begin()
    assert third.step == "c"
    assert bench.read().steps["b"].state is StepState.COMPLETED


def test_what_it_started_is_called_though_something_was_told_meanwhile(bench: Bench) -> None:
    bench.insert(*chain("a", "c"), *chain("b"))
    worker = bench.worker()
    calls = {call.step: call for call in worker.begin()}
    worker.returns(calls["a"])
    answered = send(worker)
    worker.returns(calls["b"])
    answered()
    assert [call.step for call in worker.scheduler.calls()] == ["c"]
    worker.turn()
    assert bench.read().steps["b"].state is StepState.COMPLETED


def test_a_refused_commit_loses_nothing_of_what_was_told_meanwhile(bench: Bench) -> None:
    worker = bench.worker()
    first, second = side_by_side(bench, worker)
    bench.outside(CancelRequested())
    worker.returns(first)
    answered = send(worker)
    worker.returns(second)
    answered()
    worker.turn()
    worker.turn()
    x = bench.read()
    assert x.state is State.CANCELLED
    assert {step.state for step in x.steps.values()} == {StepState.COMPLETED}


def test_an_unknown_commit_loses_nothing_of_what_was_told_meanwhile(bench: Bench) -> None:
    worker = bench.worker()
    first, second = side_by_side(bench, worker)
    worker.returns(first)
    worker.scheduler.hint()
    changes = worker.driver.prepare()
    bench.store.commit(changes)
    worker.returns(second)
    with pytest.raises(UnknownCommit):
        worker.driver.settle(changes, UnknownCommit("the answer was lost"))
    [third] = worker.begin()
    assert third.step == "c"
    assert {bench.read().steps[name].run.attempts for name in "ab"} == {1}


def test_nothing_is_read_again_while_its_commit_is_under_way(bench: Bench) -> None:
    bench.insert(*chain("a", "b"))
    worker = bench.worker()
    [call] = worker.begin()
    worker.returns(call)
    answered = send(worker)
    revision = bench.read().revision
    worker.scheduler.renewed([Renewed("x", held=True, revision=revision)], bench.now + LEASE)
    worker.scheduler.touched("x")
    assert worker.scheduler.stale() == []
    answered()
    assert worker.scheduler.stale() == ["x"], "somebody said that it has changed"
    [second] = worker.turn()
    assert second.step == "b"


def test_the_answer_for_a_lease_that_was_lost_meanwhile_counts_for_nothing(bench: Bench) -> None:
    bench.insert(*chain("a", "b"))
    worker = bench.worker()
    [call] = worker.begin()
    worker.returns(call)
    answered = send(worker)
    bench.now += LEASE
    [lost] = bench.worker("other").begin()
    worker.scheduler.renewed([Renewed("x", held=False, revision=0)], bench.now + LEASE)
    answered()
    assert worker.scheduler.calls() == []
    assert not worker.scheduler.held
    assert (lost.step, lost.attempt) == ("b", 2)


def test_the_answer_for_an_execution_that_was_claimed_anew_meanwhile_counts_for_nothing(bench: Bench) -> None:
    bench.insert(*chain("a", "b"))
    worker = bench.worker()
    [call] = worker.begin()
    worker.returns(call)
    answered = send(worker)
    bench.now += LEASE
    worker.scheduler.hint()
    assert worker.driver.claim()
    answered()
    assert worker.scheduler.calls() == []
    [again] = worker.turn()
    assert (again.step, again.attempt) == ("b", 2), "the attempt of the lost lease is interrupted"


def test_while_a_commit_is_under_way_only_leases_and_time_limits_wake_it(bench: Bench) -> None:
    worker, answered = told_meanwhile(bench)
    assert worker.scheduler.wake_at(bench.now) == bench.now
    assert worker.scheduler.wake_at(bench.now, committing=True) == bench.now + LEASE // 3
    answered()
    assert worker.scheduler.wake_at(bench.now) == bench.now


# --- Several at a time ------------------------------------------------------------------------------


def two(bench: Bench, worker: Worker) -> list[Call]:
    """Two executions, each with a step that runs and one after it."""
    bench.insert(*chain("a", "b"), id="x")
    bench.insert(*chain("a", "b"), id="y")
    return worker.begin()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_another_commit_may_be_sent_before_the_answer_to_the_first(
    bench: Bench, order: tuple[int, int]
) -> None:
    worker = bench.worker()
    of_x, of_y = two(bench, worker)
    worker.returns(of_x)
    first = send(worker)
    worker.returns(of_y)
    answers = first, send(worker)
    for place in order:
        answers[place]()
    assert sorted((call.id, call.step) for call in worker.scheduler.calls()) == [("x", "b"), ("y", "b")]


def test_nothing_is_decided_about_an_execution_before_its_own_answer(bench: Bench) -> None:
    worker, answered = told_meanwhile(bench)
    assert worker.driver.prepare() == []
    assert worker.scheduler.gathered == 0, "it would be looked at again and again"
    answered()
    assert worker.scheduler.gathered == 1
    [third] = worker.begin()
    assert third.step == "c"


def test_an_answer_is_not_taken_for_that_to_a_later_lease(bench: Bench) -> None:
    worker = bench.worker()
    [call, _] = two(bench, worker)
    worker.returns(call)
    answered = send(worker)
    bench.now += LEASE
    worker.scheduler.hint()
    assert worker.driver.claim()
    later = send(worker)
    answered()
    assert worker.scheduler.calls() == [], "the later commit has no answer yet"
    later()
    assert {(c.id, c.step, c.attempt) for c in worker.scheduler.calls()} == {("x", "b", 2), ("y", "a", 2)}


def test_room_is_kept_for_what_a_commit_under_way_starts(bench: Bench) -> None:
    worker = bench.worker(concurrency=1)
    for id in ("x", "y"):
        bench.insert(*chain("a"), id=id)
        worker.scheduler.adopt(bench.read(id), bench.now + LEASE, bench.now)
    changes = worker.driver.prepare()
    assert [change.id for change in changes] == ["x"]
    worker.scheduler.touched("y")
    assert worker.driver.prepare() == [], "the one slot is promised"
    assert worker.scheduler.pace.room == 0
    worker.driver.commit_now(changes)
    assert [call.id for call in worker.scheduler.calls()] == ["x"]
    assert (worker.scheduler.pace.in_use, worker.scheduler.pace.planned) == (1, 0)
