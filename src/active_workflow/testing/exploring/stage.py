"""What all runs of one exploration share: the saga and how it may fail, an engine, a store, a clock."""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from active_workflow.core.change import Change
from active_workflow.core.plan import Plan
from active_workflow.core.ready import due_at
from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.dsl.client import StartOptions
from active_workflow.dsl.handle import Execution
from active_workflow.dsl.program import Program, StepCode
from active_workflow.engine import default
from active_workflow.engine.engine import Engine
from active_workflow.engine.runtime import program_of as defined_program
from active_workflow.engine.runtime import why_not_served
from active_workflow.engine.starting import Starter
from active_workflow.errors import NonRetryable
from active_workflow.store.base import Applied, NewExecution
from active_workflow.store.memory import MemoryStore
from active_workflow.testing.exploring.schedule import Turn, Way
from active_workflow.testing.virtual import VirtualClock

LEASE = 30_000_000
"""So long a dead worker keeps its executions, microseconds."""


class StepFails(NonRetryable):
    """What a step raises where a schedule says that it fails for good."""


class WatchedStore(MemoryStore):
    """A store in memory that says when a worker is about to commit."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(lambda: clock.micros)
        self.watch: Callable[[Sequence[Change]], None] | None = None

    def renew_all(self) -> None:
        """Forget everything."""
        clock, watch = self._clock, self.watch
        MemoryStore.__init__(self, clock)
        self.watch = watch

    def commit(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """See ``Store``; a worker's commit is told of first."""
        if self.watch is not None and any(change.owned for change in changes):
            self.watch(changes)
        return super().commit(changes)

    def snapshots(self) -> list[Snapshot]:
        """Give all executions, the oldest first."""
        return [row.execution for row in self._rows.values()]


class Stage:
    """Everything that a run needs and does not change.

    Args:
        program: The saga.
        ctx: What each run of it starts with.
        world: Resets the fake of the outside, and gives it.
    """

    def __init__(self, program: Program, ctx: object, world: Callable[[], Any]) -> None:
        self.program = program
        self.world = world
        self.clock = VirtualClock()
        self.start_at = self.clock.micros
        self.store = WatchedStore(self.clock)
        self.engine = Engine(self.store, embedded=False, clock=self.clock, lease=LEASE / 1_000_000)
        self.id = f"{program.name.lower()}-1"
        self._first = self._accepted(ctx)
        self._programs: dict[Way | None, Program] = {None: program}
        self._loop = asyncio.Runner()

    def _accepted(self, ctx: object) -> Snapshot:
        """Give the execution as it is when it has just been accepted, under an id that is always the same."""
        starter = Starter(MemoryStore(), self.engine.serializer)
        [accepted] = starter.start(self.program, [ctx], StartOptions(), now=self.start_at)
        if accepted.new is None:
            raise AssertionError("an empty store accepts every start")
        return accepted.new.evolve(id=self.id)

    @contextmanager
    def open(self) -> Iterator["Stage"]:
        """Have the engine be the one of this process, so that steps may start other workflows."""
        try:
            with self._loop, self.engine, default.stand_in(self.engine):
                yield self
        finally:
            self.store.watch = None

    def begin(self) -> Any:
        """Set the stage for one run, with the saga just accepted; give the user's world."""
        self.clock.micros = self.start_at
        self.store.renew_all()
        world = self.world()
        self.store.insert([NewExecution(self._first, due_at=due_at(self._first))])
        return world

    def handle(self, id: str | None = None) -> Execution:
        """Give an execution as it is now, as users see it; the saga's unless told."""
        return self.engine.get(id or self.id)

    def await_here(self, awaitable: Awaitable[Any]) -> Any:
        """Await what an async step gives, on a loop of this exploration."""

        async def awaited() -> Any:
            return await awaitable

        return self._loop.run(awaited(), context=contextvars.copy_context())

    # --- Code -----------------------------------------------------------------------------------

    def code_for(self, way: Way | None) -> Callable[[Plan], Program]:
        """Give what finds the code of a plan, where the saga's own goes a certain way."""
        if way not in self._programs:
            self._programs[way] = _going(self.program, way)
        program = self._programs[way]

        def program_of(plan: Plan) -> Program:
            return program if _is_of(plan, program) else defined_program(plan)

        return program_of

    def why_not_served(self, execution: Snapshot) -> str | None:
        """Say why there is no code for an execution; None: there is."""
        return None if _is_of(execution.plan, self.program) else why_not_served(execution)


def _is_of(plan: Plan, program: Program) -> bool:
    return (plan.workflow, plan.version) == (program.name, program.version)


def _going(program: Program, way: Way | None) -> Program:
    if way is None or way.turn not in {Turn.FAIL, Turn.FAIL_LATE}:
        return program
    code = program.steps[way.target]
    steps: Mapping[str, StepCode] = {
        **program.steps,
        way.target: replace(code, call=_failing(code, way.target, after_effect=way.turn is Turn.FAIL_LATE)),
    }
    return replace(program, steps=steps)


def _failing(
    code: StepCode, step: str, *, after_effect: bool
) -> Callable[[Any, tuple[Any, ...] | None], Any]:
    error = StepFails(f"explore has {step} fail for good {'after' if after_effect else 'before'} its effect")

    def call(ctx: Any, args: tuple[Any, ...] | None) -> Any:
        value = code.call(ctx, args) if after_effect and code.call is not None else None
        if not inspect.isawaitable(value):
            raise error
        return _awaited_then(value, error)

    return call


async def _awaited_then(value: Awaitable[Any], error: Exception) -> None:
    await value
    raise error
