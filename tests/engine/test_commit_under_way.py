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


def test_what_is_told_while_a_commit_is_under_way_goes_into_the_next(bench: Bench) -> None:
    worker = bench.worker()
    first, second = side_by_side(bench, worker)
    worker.returns(first)
    answered = send(worker)
    worker.returns(second)
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
    worker = bench.worker()
    first, second = side_by_side(bench, worker)
    worker.returns(first)
    answered = send(worker)
    worker.returns(second)
    assert worker.scheduler.wake_at(bench.now) == bench.now
    assert worker.scheduler.wake_at(bench.now, committing=True) == bench.now + LEASE // 3
    answered()
    assert worker.scheduler.wake_at(bench.now) == bench.now
