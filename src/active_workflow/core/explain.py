"""An execution in plain words: what it does or waits for, what wakes it, what a cancel would undo."""

from collections.abc import Iterator

from active_workflow.core.attempts import Failure
from active_workflow.core.cancelling import PlannedUndo, UndoHow, plan_cancel
from active_workflow.core.instants import span, utc, when
from active_workflow.core.plan import StepKind, StepPlan
from active_workflow.core.ready import asks_verify, due_at, next_undo
from active_workflow.core.snapshot import Ending, Execution, Step
from active_workflow.core.states import Phase, State, StepState

__all__ = ["PlannedUndo", "UndoHow", "explain", "plan_cancel"]


def explain(execution: Execution, now: int, lease: tuple[str, int] | None) -> str:
    """Say in plain words how an execution stands.

    Args:
        execution: As it was read.
        now: The store's time, microseconds.
        lease: Who holds it and until when, if anybody does.

    Returns:
        A few sentences, one a line; times are UTC.
    """
    x = execution
    lines = [f"{x.plan.workflow} {x.id} is {x.state}."]
    if x.phase is Phase.OVER:
        return "\n".join([*lines, *_over(x)])
    lines += _held_up(x, now)
    for plan in x.plan.steps:
        step = x.steps.get(plan.name)
        lines += _ready(x, plan, now) if step is None else _step(x, plan, step, now)
    lines += _flow(x, now, held=lease is not None)
    lines.append(_lease(lease, now))
    lines.append(_cancel(x))
    return "\n".join(lines)


def _over(x: Execution) -> Iterator[str]:
    yield f"It was over at {utc(x.completed_at or 0)}; nothing will change any more."
    if x.ending is not None:
        yield f"{_because(x.ending)}."


def _held_up(x: Execution, now: int) -> Iterator[str]:
    if x.elsewhere is not None:
        verb = "is being moved here from" if x.elsewhere.arrives else "was moved to"
        yield f"It {verb} {x.elsewhere.place}: nothing happens to it here."
    elif x.paused_at is not None:
        yield f"An operator paused it at {when(x.paused_at, now)}: nothing starts before resume."
    if x.blocked is not None:
        yield f"It is blocked: {x.blocked.reason}."
    if x.ending is not None:
        end = "cancelled" if x.ending.outcome is State.CANCELLED else "failed"
        yield f"It will end {end}. {_because(x.ending)}."
    if x.phase is Phase.FORWARD and x.ending is not None:
        yield "What runs is left to report; then undo begins."


def _because(ending: Ending) -> str:
    if ending.outcome is State.CANCELLED:
        return f"It was cancelled: {ending.error.message}"
    if ending.step is None:
        return f"The cause is {_said(ending.error)}"
    return f"Step {ending.step!r} failed with {_said(ending.error)}"


def _said(error: Failure) -> str:
    return f"{error.type}: {error.message}" if error.message else error.type


# --- Steps ------------------------------------------------------------------------------------------


def _ready(x: Execution, plan: StepPlan, now: int) -> Iterator[str]:
    if x.phase is not Phase.FORWARD or x.ending is not None or not all(x.is_done(n) for n in plan.after):
        return
    if x.run_at > now:
        yield f"Step {plan.name!r} starts at {when(x.run_at, now)}."
    else:
        held = x.paused_at is not None or x.blocked is not None
        yield f"Step {plan.name!r} {'is held up by that' if held else 'is ready to start'}."


def _step(x: Execution, plan: StepPlan, step: Step, now: int) -> Iterator[str]:
    name = f"Step {step.name!r}"
    if step.state is StepState.RUNNING:
        yield f"{name} runs: attempt {step.run.attempts}, started at {when(step.run.attempt_at or now, now)}."
    elif step.state is StepState.WAITING:
        yield f"{name} {_waits_for(plan, step)}{_until(plan, step, now)}."
    elif asks_verify(x, step):
        yield f"Nobody knows what attempt {step.run.attempts} of {step.name!r} did: verify is asked next."
    elif step.state is StepState.PENDING:
        yield f"{name} {_goes_on(step, now)}."
    elif step.state is StepState.IN_DOUBT:
        yield f"Nobody knows what {step.name!r} did: find out, then resolve it with landed=True or False."
    else:
        yield from _undo(x, step, now)


def _waits_for(plan: StepPlan, step: Step) -> str:
    if plan.kind is StepKind.SLEEP:
        return "sleeps"
    if plan.kind is StepKind.SIGNAL:
        return "waits for the signal " + " or ".join(map(repr, plan.signals))
    known = f" (correlation id {step.correlation_id})" if step.correlation_id else ""
    return f"waits for complete_step{known}"


def _until(plan: StepPlan, step: Step, now: int) -> str:
    words = ""
    if step.timeout_at is not None:
        verb = "until" if plan.kind is StepKind.SLEEP else "; its time is over at"
        words = f"{'' if verb.startswith(';') else ' '}{verb} {when(step.timeout_at, now)}"
    if plan.heartbeat_timeout is not None and step.waiting_since is not None:
        sign = max(step.heartbeat_at or 0, step.waiting_since)
        words += f"; it needs a heartbeat before {when(sign + plan.heartbeat_timeout, now)}"
    return words


def _goes_on(step: Step, now: int) -> str:
    last = f" after {_said(step.run.error)}" if step.run.error else ""
    if step.run.interruptions:
        last = f" after it lost its worker {step.run.interruptions} times"
    held = step.run.held_until()
    ready = f"at {when(held, now)}" if held > now else "as soon as a worker has room"
    return f"goes on with attempt {step.run.attempts + 1} {ready}{last}"


def _undo(x: Execution, step: Step, now: int) -> Iterator[str]:
    run = step.undo
    if step.state is StepState.COMPENSATION_FAILED:
        why = f" with {_said(run.error)}" if run.error else ""
        yield (
            f"The undo of {step.name!r} failed for good{why}: retry, or undo it by hand and resolve it with "
            "undone=True."
        )
    elif run.running:
        yield f"The undo of {step.name!r} runs: attempt {run.attempts}."
    elif step.undo_waiting_since is not None:
        limit = x.plan.by_name[step.name].undo_limit
        until = "" if limit is None else f"; its time is over at {when(step.undo_waiting_since + limit, now)}"
        yield f"The undo of {step.name!r} waits for complete_step{until}."
    elif x.phase is Phase.UNDOING and next_undo(x) is step:
        held = run.held_until()
        at = f" at {when(held, now)}" if held > now else ""
        yield f"The undo of {step.name!r} comes next{at}."


# --- The execution ----------------------------------------------------------------------------------


def _flow(x: Execution, now: int, *, held: bool) -> Iterator[str]:
    deadline = x.deadline
    if x.overdue:
        yield f"The flow's own time was over at {when(deadline or now, now)}."
    elif deadline is not None and x.phase is Phase.FORWARD:
        yield f"The flow's own time is over at {when(deadline, now)}."
    due = due_at(x)
    if held and (due is None or due <= now):
        return  # whoever holds it sees to it
    if due is None:
        yield "No timer is set: it goes on when something comes from outside."
    elif due > now:
        yield f"A worker looks at it again at {when(due, now)}."
    elif x.blocked is not None:
        yield "It goes on when a worker has the code for it."
    else:
        yield f"It has been due for {span(now - due)}: a worker takes it as soon as it has room."


def _lease(lease: tuple[str, int] | None, now: int) -> str:
    if lease is None:
        return "No worker holds it."
    owner, until = lease
    return f"Worker {owner} holds it, its lease is good until {when(until, now)}."


def _cancel(x: Execution) -> str:
    planned = plan_cancel(x)
    if not planned:
        return "A cancel now would have nothing to undo."
    if planned[0].how is UndoHow.REFUSED:
        return f"A cancel now would be refused: {planned[0].reason}."
    steps = "; ".join(f"{item.step} ({item.how}: {item.reason})" for item in planned)
    intro = "Still to undo" if x.phase is Phase.UNDOING else "A cancel now would undo, in this order"
    return f"{intro}: {steps}."
