# ruff: noqa: S101, PLR2004 - rules are asserts about plain numbers
"""The conformance suite of dispatchers: subclass it, say how one is made, and run pytest.

    class TestMyDispatcher(DispatcherContract):
        def make_dispatcher(self):
            return MyDispatcher(...)

        def deliver(self):
            my_backend.run_all_jobs()  # leave it out where ``wake`` itself runs what is due

It drives an engine over a SQLite file, and never sleeps.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from active_workflow.core.states import State
from active_workflow.dispatch.base import Dispatcher
from active_workflow.dsl import Execution, Workflow, step, task, wait_for_signal
from active_workflow.engine.default import stand_in
from active_workflow.engine.engine import Engine
from active_workflow.testing.virtual import VirtualClock


class Waits(Workflow, name="DispatcherContract.Waits"):
    """Two steps, with waits for a signal and a completion between them."""

    @step(no_undo="only counts")
    def first(self) -> None: ...

    go = wait_for_signal(timeout="1d")

    @task(external=True, timeout="1d", no_undo="only counts")
    @staticmethod
    def job(ctx: Any) -> None: ...

    @step(no_undo="only counts")
    def last(self) -> None: ...


class Fails(Workflow, name="DispatcherContract.Fails"):
    """One step is undone, as the next one fails."""

    @step(compensate="undo")
    def done(self) -> None: ...

    def undo(self) -> None: ...

    @step(no_undo="does nothing")
    def fail(self) -> None:
        raise ValueError("as it should")


class Starts(Workflow, name="DispatcherContract.Starts"):
    """A step starts another execution."""

    @step(no_undo="only counts")
    def begin(self) -> dict[str, str]:
        return {"child": Plain.start().id}


class Plain(Workflow, name="DispatcherContract.Plain"):
    """One step."""

    @step(no_undo="only counts")
    def only(self) -> None: ...


class DispatcherRules:
    """The rules, and what a subclass says of its dispatcher."""

    def make_dispatcher(self) -> Dispatcher:
        """Give a new dispatcher, bound to nothing yet."""
        raise NotImplementedError("define make_dispatcher() in your subclass of DispatcherContract")

    def deliver(self) -> None:
        """Have every hint arrive that was given so far, as the backend's worker would."""

    @pytest.fixture
    def clock(self) -> VirtualClock:
        return VirtualClock()

    @pytest.fixture
    def dispatcher(self) -> Dispatcher:
        return self.make_dispatcher()

    @pytest.fixture
    def engine(self, dispatcher: Dispatcher, clock: VirtualClock, tmp_path: Path) -> Iterator[Engine]:
        url = f"sqlite:///{tmp_path / 'dispatched.db'}"
        with Engine(url, dispatcher=dispatcher, clock=clock) as engine, stand_in(engine):
            yield engine

    def ended(self, execution: Execution) -> State:
        """Give the state once every hint has arrived; no step has run more often than once."""
        self.deliver()
        execution.refresh()
        assert all(one.attempts <= 1 for one in execution.steps.values()), "a step ran twice"
        return execution.state

    # --- Nothing is lost ----------------------------------------------------------------------------

    def test_what_is_started_is_run(self, engine: Engine) -> None:
        assert self.ended(engine.start(Plain, {})) is State.COMPLETED

    def test_many_at_once(self, engine: Engine) -> None:
        started = engine.start_many(Plain, [{}] * 25)
        assert [self.ended(execution) for execution in started] == [State.COMPLETED] * 25

    def test_whatever_comes_from_outside_wakes_it(self, engine: Engine) -> None:
        execution = engine.start(Waits, {})
        assert self.ended(execution) is State.WAITING
        assert execution.signal("go")
        assert self.ended(execution) is State.WAITING
        assert execution.complete_step("job")
        assert self.ended(execution) is State.COMPLETED

    def test_a_cancel_and_a_failure_are_undone(self, engine: Engine) -> None:
        cancelled, failed = engine.start(Waits, {}), engine.start(Fails, {})
        self.deliver()
        assert cancelled.cancel()
        assert self.ended(cancelled) is State.CANCELLED
        assert self.ended(failed) is State.FAILED
        assert failed.steps["done"].state == "compensated"

    def test_what_a_step_starts_is_run_as_well(self, engine: Engine) -> None:
        parent = engine.start(Starts, {})
        assert self.ended(parent) is State.COMPLETED
        assert self.ended(engine.get(parent.ctx.child)) is State.COMPLETED

    def test_a_hint_that_was_lost_is_made_up_for_by_the_next(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        lost = Engine(engine.store, embedded=False, clock=clock).start(Plain, {})
        assert self.ended(engine.start(Plain, {})) is State.COMPLETED
        assert self.ended(lost) is State.COMPLETED

    def test_starts_from_many_threads(self, engine: Engine) -> None:
        with ThreadPoolExecutor(8) as pool:
            started = list(pool.map(lambda _: engine.start(Plain, {}), range(24)))
        self.deliver()
        engine.start(Plain, {})  # whatever two runners left to each other is nobody's but the next one's
        assert [self.ended(execution) for execution in started] == [State.COMPLETED] * 24

    def test_it_is_given_ids_and_nothing_else(
        self, engine: Engine, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given: list[str] = []
        wake = dispatcher.wake

        def noted(ids: Sequence[str]) -> None:
            given.extend(ids)
            wake(ids)

        monkeypatch.setattr(dispatcher, "wake", noted)
        execution = engine.start(Plain, {})
        assert given == [execution.id]
        assert self.ended(execution) is State.COMPLETED

    # --- A hint is only a hint ----------------------------------------------------------------------

    def test_a_hint_that_comes_twice_or_late_changes_nothing(
        self, engine: Engine, dispatcher: Dispatcher
    ) -> None:
        execution = engine.start(Plain, {})
        self.deliver()
        dispatcher.wake([execution.id, execution.id])
        dispatcher.wake([execution.id])
        assert self.ended(execution) is State.COMPLETED

    def test_a_hint_that_comes_early_starts_nothing(
        self, engine: Engine, dispatcher: Dispatcher, clock: VirtualClock
    ) -> None:
        execution = engine.start(Plain, {}, run_at=clock.now + timedelta(hours=1))
        dispatcher.wake([execution.id])
        assert self.ended(execution) is State.PENDING
        clock.advance("1h")
        dispatcher.wake([execution.id])
        assert self.ended(execution) is State.COMPLETED

    def test_hints_for_nobody_do_no_harm(self, engine: Engine, dispatcher: Dispatcher) -> None:
        dispatcher.wake([])
        dispatcher.wake(["there is no such execution"])
        assert self.ended(engine.start(Plain, {})) is State.COMPLETED

    def test_a_hint_before_there_is_anything_to_wake_does_no_harm(self, dispatcher: Dispatcher) -> None:
        dispatcher.wake(["nobody listens yet"])
        self.deliver()

    def test_it_wakes_whoever_was_bound_last(self, dispatcher: Dispatcher) -> None:
        woken: list[str] = []
        dispatcher.bind(lambda: woken.append("first"))
        dispatcher.bind(lambda: woken.append("second"))
        dispatcher.wake(["x"])
        self.deliver()
        assert set(woken) == {"second"}

    def test_a_runner_that_fails_is_woken_again(self, dispatcher: Dispatcher) -> None:
        calls: list[int] = []

        def run_due() -> None:
            calls.append(1)
            if len(calls) == 1:
                raise ConnectionError("the store is away")

        dispatcher.bind(run_due)
        for _ in range(2):
            with suppress(ConnectionError):  # it may tell whoever gave the hint
                dispatcher.wake(["x"])
                self.deliver()
        assert len(calls) >= 2


class DispatcherContract(DispatcherRules):
    """Every rule that a dispatcher has to keep.

    Define ``make_dispatcher``; and ``deliver``, where ``wake`` doesn't run what is due itself.
    """
