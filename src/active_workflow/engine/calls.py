"""Calls user code, and makes an event of whatever comes of it. Nothing that user code does escapes.

One coroutine is written for both worlds: in a thread it is driven by hand and never suspends (what the
user's code gives to be awaited is awaited on the worker's loop meanwhile); on the loop it is a task.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from active_workflow.core.attempts import Failure
from active_workflow.core.events import (
    CodeMissing,
    Decided,
    DecideFailed,
    Event,
    Failed,
    Returned,
    Skipped,
    Verified,
    VerifyFailed,
)
from active_workflow.core.plan import Plan, StepKind
from active_workflow.core.states import Phase
from active_workflow.dsl.current import StepInfo, enter, leave
from active_workflow.dsl.durations import parse_duration, parse_instant
from active_workflow.dsl.open_ctx import Opened, open_ctx
from active_workflow.dsl.program import Program, StepCode
from active_workflow.dsl.verdict import settled
from active_workflow.engine.call import Call, CallKind, Report, not_called, overtime
from active_workflow.engine.failures import ProcessEndsError, failure_of, is_of_the_end
from active_workflow.engine.transactional import Transactional
from active_workflow.errors import ActiveWorkflowError
from active_workflow.store.serializer import Serializer

Settle = Callable[[Any], Awaitable[Any]]

_Outcome = tuple[str | None, Mapping[str, str | None], str | None]
"""A call's result, its patch of ctx and its correlation id."""
_PLAIN = frozenset({type(None), dict, str, int, bool, list})
"""What steps mostly return, and nobody has to await: told from the type, a tenth of the cost of asking."""


class Caller:
    """Makes the calls that a scheduler asks for.

    Args:
        program_of: Gives today's code of a call's execution.
        serializer: Reads and writes the user's values.
        now: The store's time.
        roll: Gives a number in [0, 1).
        wait_for: Has something awaited on the worker's loop, for code that runs in a thread.
        transactional: Makes the calls of transactional steps.
    """

    def __init__(
        self,
        program_of: Callable[[Plan], Program],
        serializer: Serializer,
        now: Callable[[], int],
        roll: Callable[[], float],
        wait_for: Callable[[Awaitable[Any]], Any],
        *,
        transactional: Transactional | None = None,
    ) -> None:
        self._program_of = program_of
        self._serializer = serializer
        self._now = now
        self._roll = roll
        self._wait_for = wait_for
        self._transactional = transactional

    def is_async(self, call: Call) -> bool:
        """Tell whether a call's code is a coroutine function; code that is gone is not."""
        try:
            _, code = self._found(call)
        except LookupError:
            return False
        match call.kind:
            case CallKind.RUN:
                return code.call_is_async
            case CallKind.UNDO:
                return code.compensate_is_async
            case CallKind.VERIFY:
                return code.verify_is_async
            case CallKind.DECIDE:
                return False

    def call(self, call: Call) -> Report:
        """Make a call in this thread, unless the lease that it was asked for under may be over by now."""
        if (missing := self._missing(call)) is not None:
            return Report(call, missing)
        if self._transactional is not None and _has_transaction(call):
            return self._transactional.report(call, call.code[1].transactional, lambda: self._here(call))
        if not call.begin(self._now()):
            return not_called(call)
        event = self._here(call)
        call.ended_at = self._now()
        return Report(call, event)

    def _here(self, call: Call) -> Event:
        coroutine = self._guarded(call, self._settle_in_thread)
        try:
            coroutine.send(None)
        except StopIteration as stop:
            event: Event = stop.value
        except asyncio.CancelledError as error:  # the user's own: nobody cancels what runs in a thread
            event = self._failed(call, failure_of(error))
        else:
            raise AssertionError("a call in a thread never suspends")
        return event

    async def call_async(self, call: Call) -> Report:
        """Make a call on the running loop, with the same exception."""
        if not call.begin(self._now()):
            return not_called(call)
        try:
            return Report(call, await self._guarded(call, _settle_on_loop))
        except asyncio.CancelledError:
            if not call.stopping:  # the user's own code was cancelled, not by us
                error = Failure("CancelledError", "the step's task was cancelled from inside", retryable=True)
                return Report(call, self._failed(call, error))
            return Report(call, overtime(call, self._roll(), stopped=True))

    # --- Around every call ----------------------------------------------------------------------

    async def _guarded(self, call: Call, settle: Settle) -> Event:
        token, ctx = None, None
        try:
            sign = call.execution.step(call.step).heartbeat
            heartbeat = None if sign is None else self._serializer.load(sign)
            info = StepInfo(call.id, call.step, max(call.attempt, 1), heartbeat, call.handed)
            token = enter(info)
            program, code = self._found(call)
            ctx = open_ctx(program, call.execution.ctx, info, self._serializer)
            match call.kind:
                case CallKind.RUN:
                    return await self._run(call, code, ctx, settle)
                case CallKind.UNDO:
                    return await self._undo(call, code, ctx, settle)
                case CallKind.VERIFY:
                    return await self._verify(call, code, ctx, settle)
                case CallKind.DECIDE:
                    return await self._decide(call, code, ctx, settle)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # SystemExit and the like are recorded, the worker lives
            if is_of_the_end(error):
                raise ProcessEndsError from error
            return self._failed(call, failure_of(_raised(error)))
        finally:
            if ctx is not None:
                ctx.close()
            if token is not None:
                leave(token)

    def _found(self, call: Call) -> tuple[Program, StepCode]:
        """Give the code of a call, looked up once; raise LookupError where it is gone."""
        if call.code is None:
            program = self._program_of(call.execution.plan)
            call.code = (program, program.steps[call.step])
        found: tuple[Program, StepCode] = call.code
        return found

    def _missing(self, call: Call) -> CodeMissing | None:
        """Say what is missing where the code was there at the claim and is gone (redefined)."""
        try:
            self._found(call)
        except LookupError as error:
            return CodeMissing(
                f"no code for step {call.step!r} of {call.execution.plan.workflow} here: {error}"
            )
        return None

    def _failed(self, call: Call, error: Failure) -> Event:
        if call.kind is CallKind.VERIFY:
            doubts = call.execution.step(call.step).run.doubts
            return VerifyFailed(call.step, call.attempt, error, self._roll(), doubts)
        if call.kind is CallKind.DECIDE:
            return DecideFailed(call.step, error, self._roll())
        undo = call.kind is CallKind.UNDO
        return Failed(call.step, call.attempt, error, self._roll(), undo=undo, decided=call.decided)

    # --- The four kinds -------------------------------------------------------------------------

    async def _run(self, call: Call, code: StepCode, ctx: Opened, settle: Settle) -> Event:
        if code.when is not None or code.unless is not None:
            undoing = call.execution.phase is Phase.UNDOING  # then it only finds out what it did
            asked = call.decided or undoing
            if not asked and not await _is_wanted(code, ctx, settle):
                return Skipped(call.step, call.attempt)
            call.decided = True
        if code.call is None:
            raise ActiveWorkflowError(f"step {call.step!r} calls nothing in the code of this worker")
        args = None if code.args is None else tuple(await settle(code.args(ctx.view)))
        value = code.call(ctx.view, args)
        if type(value) not in _PLAIN:
            value = await settle(value)
        try:
            outcome = self._outcome(call, ctx, value)
        except Exception as error:  # noqa: BLE001 - the effect has happened: no attempt may follow
            failure = failure_of(error)
            return Failed(call.step, call.attempt, failure, self._roll(), returned=True)
        return Returned(call.step, call.attempt, *outcome)

    def _outcome(self, call: Call, ctx: Opened, value: Any) -> _Outcome:
        """Give a return value's text, what it (and changes in place) did to ctx, and its correlation id."""
        correlation_id = None
        store_as = call.execution.plan.by_name[call.step].store_as
        if self._is_external(call):
            correlation_id, value = _without_correlation(value)
            store_as = None  # that is where its completion goes
        if store_as is not None:
            ctx.merge({store_as: value})
        elif isinstance(value, Mapping):
            ctx.merge(value)
        result = None if value is None else self._serializer.dump(value)
        return result, ctx.patch(), correlation_id

    def _is_external(self, call: Call) -> bool:
        return call.execution.plan.by_name[call.step].kind is StepKind.EXTERNAL

    async def _undo(self, call: Call, code: StepCode, ctx: Opened, settle: Settle) -> Event:
        if code.compensate is None:
            raise ActiveWorkflowError(f"step {call.step!r} has no compensation in the code of this worker")
        text = call.execution.step(call.step).result
        result = None if text is None else self._serializer.load(text)
        answer = await settle(code.compensate(ctx.view, result))
        external = call.execution.plan.by_name[call.step].undo_external
        correlation_id, _ = _without_correlation(answer) if external else (None, None)
        try:
            patch = ctx.patch()
        except Exception as error:  # noqa: BLE001 - it is undone, only ctx can't be recorded
            failure = failure_of(error)
            return Failed(call.step, call.attempt, failure, self._roll(), returned=True, undo=True)
        return Returned(call.step, call.attempt, None, patch, correlation_id, undo=True)

    async def _verify(self, call: Call, code: StepCode, ctx: Opened, settle: Settle) -> Event:
        if code.verify is None:
            raise ActiveWorkflowError(f"step {call.step!r} has no verify in the code of this worker")
        landed, value = settled(await settle(code.verify(ctx.view)))
        if not landed:
            return Verified(call.step, call.attempt, landed)
        return Verified(call.step, call.attempt, landed, *self._outcome(call, ctx, value))

    async def _decide(self, call: Call, code: StepCode, ctx: Opened, settle: Settle) -> Event:
        if not await _is_wanted(code, ctx, settle):
            return Decided(call.step, go=False)
        if code.until is None:
            return Decided(call.step, go=True)
        until = await settle(code.until(ctx.view))
        if hasattr(until, "tzinfo"):
            return Decided(call.step, go=True, until=parse_instant(until, "sleep(until=…)"))
        return Decided(call.step, go=True, until=self._now() + parse_duration(until, "sleep(until=…)"))

    # --- Awaiting -------------------------------------------------------------------------------

    async def _settle_in_thread(self, value: Any) -> Any:
        return self._wait_for(value) if inspect.isawaitable(value) else value


def _has_transaction(call: Call) -> bool:
    return bool(call.code[1].transactional) and call.kind in (CallKind.RUN, CallKind.UNDO)


def _without_correlation(value: Any) -> tuple[str | None, Any]:
    """Take the correlation id out of what an external step (or undo) returns first, or would have."""
    if not isinstance(value, Mapping) or "correlation_id" not in value:
        return None, value
    rest = dict(value)
    return str(rest.pop("correlation_id")), rest


def _raised(error: BaseException) -> BaseException:
    """Give what the user's code raised: Python lets no ``StopIteration`` out of a coroutine and wraps it."""
    wraps = type(error) is RuntimeError and isinstance(error.__cause__, StopIteration)
    return error.__cause__ if wraps and error.__cause__ is not None else error


async def _settle_on_loop(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def _is_wanted(code: StepCode, ctx: Opened, settle: Settle) -> bool:
    if code.when is not None and not await settle(code.when(ctx.view)):
        return False
    return code.unless is None or not await settle(code.unless(ctx.view))
