"""The law: what an event makes of an execution. Pure; time and chance come in with the call.

``apply`` finds the handler of the event in one table. A repeat or a latecomer gives the same object back,
so that nothing is written; an impossible event raises ``IllegalMove`` (or one of the errors for callers)
and nothing has changed. After each event ``_settled`` makes the moves that need nobody: waits begin, an
execution that goes no further turns round and undoes, and one with nothing left is over.
"""

from collections.abc import Callable, Mapping
from typing import Any

from active_workflow.core import blocks, events, forward, operator, outside, settling, undo, waits
from active_workflow.core.plan import StepKind
from active_workflow.core.ready import next_commands
from active_workflow.core.recording import pivot_crossed
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Phase, StepState
from active_workflow.core.timers import fire_due
from active_workflow.errors import ExecutionMoved, IllegalMove

Handler = Callable[[Execution, Any, int], Execution]


def begun(x: Execution, now: int) -> Execution:
    """Give a new execution after the moves that need nobody: its first steps may be waits.

    Where a detached step is among those, nothing begins yet: the execution that it becomes is inserted by
    a commit, and there is none here. A worker finds the new execution due and begins.
    """
    after = _settled(x, now) if x.run_at <= now else x
    detached = any(x.plan.by_name[name].kind is StepKind.DETACHED for name in after.steps)
    return x if detached else after


def apply(x: Execution, event: events.Event, now: int) -> Execution:
    """Give the execution after an event.

    Args:
        x: The execution as it was read.
        event: What happened.
        now: The store's time, microseconds.

    Returns:
        The new snapshot (its revision is not raised: a commit does that), or the same object where the
        event changes nothing.

    Raises:
        IllegalMove: The event is impossible now.
        UnknownStep, UnknownSignal, CompletionConflict, CorrelationMismatch, ExecutionMoved: For callers from
            outside.
    """
    if x.elsewhere is not None:
        return _left_alone_here(x, event)
    kind = type(event)
    after = HANDLERS[kind](x, event, now)
    if kind is events.Started or (after is x and kind is not events.Wake):
        return after  # a start settles nothing: whatever could be settled was, by the event that allowed it
    return _settled(after, now)


def _left_alone_here(x: Execution, event: events.Event) -> Execution:
    """Refuse what comes from outside; what a worker says comes too late, for its lease was over."""
    if isinstance(event, _FROM_OUTSIDE) and x.elsewhere is not None:
        verb = "is still being moved here from" if x.elsewhere.arrives else "was moved to"
        raise ExecutionMoved(f"execution {x.id} {verb} {x.elsewhere.place}: nothing was recorded here")
    return x


_FROM_OUTSIDE = (
    *(events.Completed, events.Rejected, events.Extended, events.Signalled, events.CancelRequested),
    *(events.Paused, events.Resumed, events.RetryRequested, events.Resolved),
)


# --- Events that go one way or the other ------------------------------------------------------------


def _start(x: Execution, event: events.Started, now: int) -> Execution:
    if event.attempt is not None:
        step = x.step(event.step)
        begun = step.undo.attempts if event.undo else step.run.attempts
        if event.attempt <= begun:
            return x
        if event.attempt > begun + 1:
            raise IllegalMove(f"attempt {event.attempt} of {event.step!r} of {x.id} can't follow {begun}")
    return undo.start(x, event, now) if event.undo else forward.start(x, event, now)


def _take_back(x: Execution, event: events.NotCalled, now: int) -> Execution:
    return undo.take_back(x, event, now) if event.undo else forward.take_back(x, event, now)


def _returned(x: Execution, event: events.Returned, now: int) -> Execution:
    return undo.returned(x, event, now) if event.undo else forward.returned(x, event, now)


def _failed(x: Execution, event: events.Failed, now: int) -> Execution:
    return undo.failed(x, event, now) if event.undo else forward.failed(x, event, now)


def _ran_out(x: Execution, event: events.RanOut, now: int) -> Execution:
    return undo.ran_out(x, event, now) if event.undo else forward.ran_out(x, event, now)


def _worker_lost(x: Execution, event: events.WorkerLost, now: int) -> Execution:
    x = settling.unanswered(x, now)
    for step in tuple(x.steps.values()):
        forward_gone = event.concerns(step.name, step.run.attempts)
        undo_gone = event.concerns(step.name, step.undo.attempts, undo=True)
        if step.state is StepState.RUNNING and forward_gone:
            x = forward.lose(x, step, now)
        elif step.undo.running and undo_gone:
            x = undo.lose(x, step, now)
        elif step.run.lingering is not None and forward_gone:
            x = x.with_step(step.evolve(run=step.run.evolve(lingering=None, abandon_at=None)))
        elif step.undo.lingering is not None and undo_gone:
            x = x.with_step(step.evolve(undo=step.undo.evolve(lingering=None, abandon_at=None)))
    return settling.with_questions(x) if x.plan.asks else x


def _wake(x: Execution, event: events.Wake, now: int) -> Execution:
    return fire_due(x, now, event.roll, waits.fire)


HANDLERS: Mapping[type, Handler] = {
    events.Started: _start,
    events.NotCalled: _take_back,
    events.Returned: _returned,
    events.Failed: _failed,
    events.RanOut: _ran_out,
    events.Skipped: forward.skipped,
    events.Verified: settling.verified,
    events.VerifyFailed: settling.verify_failed,
    events.Decided: settling.decided,
    events.DecideFailed: settling.decide_failed,
    events.WorkerLost: _worker_lost,
    events.Wake: _wake,
    events.CodeMissing: operator.code_missing,
    events.CodeFound: operator.code_found,
    events.Completed: outside.completed,
    events.Rejected: outside.rejected,
    events.Extended: outside.extended,
    events.Signalled: waits.signalled,
    events.CancelRequested: outside.cancel_requested,
    events.Paused: operator.paused,
    events.Resumed: operator.resumed,
    events.RetryRequested: operator.retry_requested,
    events.Resolved: operator.resolved,
}
"""Every event the law knows, and who answers it."""


# --- Moves that need nobody -------------------------------------------------------------------------


def _settled(x: Execution, now: int) -> Execution:
    if x.phase is Phase.FORWARD:
        x = _settled_forward(x, now)
    if x.phase is Phase.UNDOING and undo.is_over(x):
        x = _over(x, now)
    return settling.with_questions(x) if x.plan.asks else x


def _settled_forward(x: Execution, now: int) -> Execution:
    if x.overdue and x.ending is None and not pivot_crossed(x):
        x = waits.fail_flow(x, now)
    if x.ending is None:
        x = blocks.marked(x)
        if x.plan.begun_by_law and x.paused_at is None and x.blocked is None and x.run_at <= now:
            x = waits.begin_ready(x, now)
            x = blocks.marked(x)
    if x.ending is not None:
        running = any(step.state is StepState.RUNNING for step in x.steps.values())
        return x if running else undo.begin(x, now)
    if len(x.steps) == len(x.plan.steps) and all(x.is_done(name) for name in x.steps):
        return _over(x, now)
    return x


def _over(x: Execution, now: int) -> Execution:
    """It is over: whatever a thread that ran out of time still says is too late."""
    steps = x.steps
    if any(step.run.lingering is not None or step.undo.lingering is not None for step in steps.values()):
        steps = {name: _left_alone(step) for name, step in steps.items()}
    return x.evolve(phase=Phase.OVER, completed_at=now, steps=steps, paused_at=None, blocked=None)


def _left_alone(step: Step) -> Step:
    for direction in ("run", "undo"):
        run = getattr(step, direction)
        if run.lingering is not None:
            step = step.evolve(**{direction: run.evolve(lingering=None, abandon_at=None)})
    return step


__all__ = ["apply", "begun", "next_commands"]
