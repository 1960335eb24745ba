"""The contract of dispatchers, over ours; and that it finds those that break it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

import active_workflow as aw
from active_workflow.testing import DispatcherContract
from active_workflow.testing.virtual import VirtualClock


class Queued:
    """Puts a job into a queue, as most backends do."""

    def __init__(self, jobs: list[Callable[[], object]]) -> None:
        self._jobs = jobs
        self._run_due: Callable[[], object] | None = None

    def bind(self, run_due: Callable[[], object]) -> None:
        self._run_due = run_due

    def wake(self, ids: Sequence[str]) -> None:
        if self._run_due is not None:
            self._jobs.append(self._run_due)


class TestInline(DispatcherContract):
    def make_dispatcher(self) -> aw.InlineDispatcher:
        return aw.InlineDispatcher()


class TestQueued(DispatcherContract):
    jobs: list[Callable[[], object]]

    def make_dispatcher(self) -> Queued:
        self.jobs = []
        return Queued(self.jobs)

    def deliver(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()


class Deaf(aw.InlineDispatcher):
    def wake(self, ids: Sequence[str]) -> None: ...


class Once(aw.InlineDispatcher):
    """Takes a runner that failed for one that still runs."""

    def wake(self, ids: Sequence[str]) -> None:
        if not getattr(self, "running", False):
            self.running = True
            super().wake(ids)
            self.running = False


class Eager(aw.InlineDispatcher):
    def bind(self, run_due: Callable[[], object]) -> None:
        if self._run_due is None:
            super().bind(run_due)


class Unbound(aw.InlineDispatcher):
    def wake(self, ids: Sequence[str]) -> None:
        self._run_due()


class Contract(DispatcherContract):
    __test__ = False

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make_dispatcher = make


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (Deaf, "test_what_is_started_is_run"),
        (Deaf, "test_whatever_comes_from_outside_wakes_it"),
        (Deaf, "test_many_at_once"),
    ],
)
def test_it_finds_one_that_loses_work(broken, rule, tmp_path) -> None:
    dispatcher = broken()
    contract = Contract(lambda: dispatcher)
    engine = aw.Engine(f"sqlite:///{tmp_path}/x.db", dispatcher=dispatcher, clock=VirtualClock())
    with engine, pytest.raises((AssertionError, TypeError)):
        getattr(contract, rule)(engine)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (Once, "test_a_runner_that_fails_is_woken_again"),
        (Eager, "test_it_wakes_whoever_was_bound_last"),
        (Unbound, "test_a_hint_before_there_is_anything_to_wake_does_no_harm"),
    ],
)
def test_it_finds_one_that_is_bound_badly(broken, rule) -> None:
    with pytest.raises((AssertionError, TypeError)):
        getattr(Contract(broken), rule)(broken())
