"""One step by itself: no store, no worker, no record."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from active_workflow.core.plan import StepKind
from active_workflow.dsl.context import SNAPSHOT, Ctx, OpenCtx, encode
from active_workflow.dsl.current import StepInfo, enter, leave
from active_workflow.dsl.open_ctx import Opened, open_ctx
from active_workflow.dsl.program import Program, StepCode
from active_workflow.dsl.starting import validate_input
from active_workflow.dsl.step_def import StepRef
from active_workflow.dsl.workflow import program_of
from active_workflow.store.serializer import JsonSerializer

EXTERNAL = StepKind.EXTERNAL
EXECUTION_ID = "test-1"
"""The execution id that steps see which are run by themselves."""


def run_step(
    step: StepRef,
    ctx: object = None,
    *,
    attempt: int = 1,
    execution_id: str = EXECUTION_ID,
    connection: Any = None,
) -> tuple[Any, Ctx]:
    """Run one step of a workflow by itself, for instance ``Checkout.charge_card``.

    Its condition is not asked and its retry policy counts for nothing; what it raises comes out as it is.

    Args:
        step: The step, by its object.
        ctx: ctx before the step: a mapping or an instance of the ctx type.
        attempt: What ``ctx.attempt`` is to be.
        execution_id: What ``ctx.execution_id`` is to be, and ``ctx.step_key`` begins with.
        connection: What a transactional step is handed: a connection (or session) of the test's own, which
            is neither committed nor rolled back here.

    Returns:
        What it returned, as later steps would get it, and ctx after it.

    Raises:
        TypeError: It is no step that calls something, or is transactional and was given no connection.
        SerializationError: What it returned or wrote can't be recorded.
    """
    info = StepInfo(execution_id, getattr(step, "name", ""), attempt, connection=connection)
    return _Bench.of(step, ctx, info).run()


def run_undo(
    step: StepRef,
    ctx: object = None,
    result: Any = None,
    *,
    attempt: int = 1,
    execution_id: str = EXECUTION_ID,
    connection: Any = None,
) -> Ctx:
    """Run the compensation of one step by itself.

    Args:
        step: The step, by its object.
        ctx: ctx before the undo; what ``run_step`` gave, for instance.
        result: What the step returned: the second argument of its compensation, if it takes one.
        attempt: What ``ctx.attempt`` is to be.
        execution_id: What ``ctx.execution_id`` is to be; ``ctx.step_key`` is the step's own.
        connection: What the undo of a transactional step is handed.

    Returns:
        ctx after it.

    Raises:
        TypeError: It is no step, has no compensation, or is transactional and was given no connection.
    """
    info = StepInfo(execution_id, getattr(step, "name", ""), attempt, connection=connection)
    return _Bench.of(step, ctx, info).undo(result)


@dataclass(frozen=True)
class _Bench:
    """One step on the bench."""

    program: Program
    step: StepRef
    code: StepCode
    fragments: Mapping[str, str]
    info: StepInfo
    serializer: JsonSerializer

    @classmethod
    def of(cls, step: StepRef, ctx: object, info: StepInfo) -> "_Bench":
        if not isinstance(step, StepRef):
            raise TypeError(f"{step!r} is no step; give its object, such as Checkout.charge_card")
        program, serializer = program_of(step.workflow), JsonSerializer()
        values = _values(program, {} if ctx is None else ctx)
        fragments = {key: encode(serializer, key, value) for key, value in values.items()}
        return cls(program, step, program.steps[step.name], fragments, info, serializer)

    def run(self) -> tuple[Any, Ctx]:
        plan = self.program.plan.by_name[self.step.name]
        call, arguments = self.code.call, self.code.args
        if call is None:
            raise TypeError(f"{self.step!r} calls nothing: it is a wait or a sleep")

        def made(opened: Opened) -> Any:
            args = None if arguments is None else tuple(_settled(arguments(opened.view)))
            value = _settled(call(opened.view, args))
            external = plan.kind is EXTERNAL
            if external and isinstance(value, Mapping):
                value = {key: item for key, item in value.items() if key != "correlation_id"}
            if plan.store_as is not None and not external:
                opened.merge({plan.store_as: value})
            elif isinstance(value, Mapping):
                opened.merge(value)
            return None if value is None else self.serializer.load(self.serializer.dump(value))

        return self._made(made)

    def undo(self, result: Any) -> Ctx:
        compensate = self.code.compensate
        if compensate is None:
            raise TypeError(f"{self.step!r} has no compensation")
        return self._made(lambda opened: _settled(compensate(opened.view, result)))[1]

    def _made(self, made: Callable[[Opened], Any]) -> tuple[Any, Ctx]:
        if self.code.transactional and self.info.connection is None:
            raise TypeError(f"{self.step!r} is transactional: give connection=, one of the test's own")
        opened = open_ctx(self.program, self.fragments, self.info, self.serializer)
        token = enter(self.info)
        try:
            value = made(opened)
            patch = opened.patch()
        finally:
            leave(token)
            opened.close()
        merged: dict[str, str | None] = {**self.fragments, **patch}
        after = {key: text for key, text in merged.items() if text is not None}
        return value, OpenCtx(after, None, self.serializer, SNAPSHOT).view


def _values(program: Program, given: object) -> dict[str, Any]:
    """Check ctx as a start would, but for what has come from outside by the time that a step runs."""
    if not isinstance(given, Mapping):
        return validate_input(program, given)[0]
    fields: Mapping[str, object] = {} if program.ctx_type is None else program.ctx_type.defaults
    payloads = {
        step.payload_key for step in program.plan.steps if not step.kind.calls or step.kind is EXTERNAL
    }
    came = {key: value for key, value in given.items() if key in payloads and key not in fields}
    rest = {key: value for key, value in given.items() if key not in came}
    return {**validate_input(program, rest)[0], **came}


def _settled(value: Any) -> Any:
    async def awaited() -> Any:
        return await value

    return asyncio.run(awaited()) if inspect.isawaitable(value) else value
