"""What callers from outside do: completions, failures, extensions, cancel. They never move a running step."""

from active_workflow.core import undo
from active_workflow.core.attempts import Completion, Failure
from active_workflow.core.events import CancelRequested, Completed, Extended, Rejected
from active_workflow.core.forward import finished
from active_workflow.core.plan import StepKind
from active_workflow.core.recording import pivot_crossed
from active_workflow.core.snapshot import Ending, Execution, Step
from active_workflow.core.states import Phase, State, StepState
from active_workflow.errors import CompletionConflict, CorrelationMismatch, UnknownStep

# --- Completions ------------------------------------------------------------------------------------


def completed(x: Execution, event: Completed, now: int) -> Execution:
    """Somebody says that an external step (or its undo) is done."""
    step = _external(x, event.step)
    completion = Completion(event.payload, event.key, event.correlation_id)
    if undo.takes_completion(x, step):
        return _undo_told(x, step, completion, 0.5, now)
    if not _is_external(x, step):
        return x
    if step.state is StepState.COMPLETED and x.phase is not Phase.UNDOING and x.ending is None:
        return _repeated(x, step, event)
    if not _takes_completion(x, step) or _seen(step, event.key):
        return x
    _check_correlation(step, event.correlation_id)
    if step.state is StepState.RUNNING:
        return _kept_early(x, step, completion)
    return finished(x, step, completion, now)


def _takes_completion(x: Execution, step: Step) -> bool:
    """It counts from the first start until the step is over, as long as the execution goes forward."""
    if x.phase is not Phase.FORWARD or x.ending is not None or step.run.attempts == 0:
        return False
    return step.state in _OPEN


_OPEN = frozenset({StepState.PENDING, StepState.RUNNING, StepState.WAITING, StepState.IN_DOUBT})


def _seen(step: Step, key: str | None) -> bool:
    return key is not None and key in step.keys


def _repeated(x: Execution, step: Step, event: Completed) -> Execution:
    if event.payload == step.payload and (event.key is None or event.key in step.keys):
        return x
    raise _conflict(x, step)


def _conflict(x: Execution, step: Step) -> CompletionConflict:
    return CompletionConflict(
        f"step {step.name!r} of {x.id} was completed before with another key, payload or correlation id; "
        "what was recorded first stays. Send the same ones to repeat a completion safely"
    )


def _kept_early(x: Execution, step: Step, completion: Completion) -> Execution:
    """Keep what came while the call still runs: its report will use it. The first word counts."""
    early = step.early
    if early is None:
        return x.with_step(step.evolve(early=completion))
    if completion.error is not None or early.error is not None:
        return x
    if (early.key, early.payload) != (completion.key, completion.payload):
        raise _conflict(x, step)
    if early.correlation_id in (None, completion.correlation_id):
        return x
    if completion.correlation_id is not None:  # which one the call returns is not known yet
        raise _conflict(x, step)
    return x.with_step(step.evolve(early=completion))  # the same without one fits whatever the call returns


def _check_correlation(step: Step, given: str | None) -> None:
    """Compare with what the newest first call returned; a call that runs or broke told nothing."""
    told = step.correlation_id is not None or step.waiting_since is not None
    if step.state is StepState.RUNNING or not told or given in (None, step.correlation_id):
        return
    raise CorrelationMismatch(
        f"step {step.name!r} waits for correlation id {step.correlation_id!r}, not {given!r}: "
        "pass the one that its call returned"
    )


def rejected(x: Execution, event: Rejected, now: int) -> Execution:
    """Somebody says that an external step failed; counts for a running or waiting attempt only."""
    step = _external(x, event.step)
    if _seen(step, event.key):
        return x
    completion = Completion(None, event.key, event.correlation_id, event.error)
    if undo.takes_completion(x, step):
        at_it = step.undo.running or step.undo_waiting_since is not None
        return _undo_told(x, step, completion, event.roll, now) if at_it else x
    if not _is_external(x, step) or x.phase is not Phase.FORWARD or x.ending is not None:
        return x
    if step.state not in (StepState.RUNNING, StepState.WAITING):
        return x
    _check_correlation(step, event.correlation_id)
    if step.state is StepState.RUNNING:
        return _kept_early(x, step, completion)
    return finished(x, step, completion, now, event.roll)


def _undo_told(x: Execution, step: Step, completion: Completion, roll: float, now: int) -> Execution:
    """The same for an external undo: kept while its first call runs; a completion ends a retry delay."""
    if step.undo.running:
        return _kept_early(x, step, completion)
    _check_correlation(step, completion.correlation_id)
    return undo.completed(x, step, completion, roll, now)


# --- Time and cancel --------------------------------------------------------------------------------


def extended(x: Execution, event: Extended, now: int) -> Execution:  # noqa: ARG001 - one signature for all
    """A wait is to end later (only a waiting step's time can be moved)."""
    step = known_step(x, event.step)
    if step.state is not StepState.WAITING or step.timeout_at is None or x.ending is not None:
        return x
    return x.with_step(step.evolve(timeout_at=step.timeout_at + event.by))


def cancel_requested(x: Execution, event: CancelRequested, now: int) -> Execution:
    """Somebody wants it undone. Refused (unchanged) when it is ending anyway or past its pivot.

    It ends a pause, which would hold up the undo: whoever cancels wants it over.
    """
    if x.phase is not Phase.FORWARD or x.ending is not None or pivot_crossed(x):
        return x
    error = Failure(type="Cancelled", message=event.reason or "cancelled")
    ending = Ending(State.CANCELLED, error, None, now)
    return x.evolve(ending=ending, cancel_requested_at=now, paused_at=None)


# --- Names ------------------------------------------------------------------------------------------


def known_step(x: Execution, name: str) -> Step:
    """Give a step of the plan; raise UnknownStep, listing those it has, for any other name."""
    if name not in x.plan.by_name:
        known = ", ".join(x.plan.by_name)
        raise UnknownStep(f"{x.plan.workflow} (execution {x.id}) has no step {name!r}; it has: {known}")
    return x.step(name)


def _is_external(x: Execution, step: Step) -> bool:
    return x.plan.by_name[step.name].kind is StepKind.EXTERNAL


def _external(x: Execution, name: str) -> Step:
    step = known_step(x, name)
    if _is_external(x, step) or x.plan.by_name[name].undo_external:
        return step
    external = ", ".join(s.name for s in x.plan.steps if s.kind is StepKind.EXTERNAL) or "none"
    raise UnknownStep(
        f"step {name!r} of {x.plan.workflow} is not external: it completes by itself. "
        f"External steps here: {external}"
    )
