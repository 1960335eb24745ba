"""Steps that call nothing themselves: waits for signals, sleeps, detached steps; and what timers do."""

from active_workflow.core import runs, undo
from active_workflow.core.events import Signalled
from active_workflow.core.failing import after_error, fails
from active_workflow.core.moves import Move, moved
from active_workflow.core.plan import StepKind, StepPlan
from active_workflow.core.recording import conflict_of, fail_execution, pivot_crossed, recorded
from active_workflow.core.snapshot import Execution, Signal, Step
from active_workflow.core.states import Effect, Phase, StepState
from active_workflow.core.timers import Timer, TimerKind
from active_workflow.errors import UnknownSignal

# --- Beginning --------------------------------------------------------------------------------------


def begin_ready(x: Execution, now: int) -> Execution:
    """Begin every wait, sleep and detached step whose turn has come; some are over at once."""
    while x.ending is None and (plan := _next_to_begin(x)) is not None:
        x = _begin(x if x.started_at is not None else x.evolve(started_at=now), plan, now)
    return x


def _next_to_begin(x: Execution) -> StepPlan | None:
    for plan in x.plan.begun_by_law:
        step = x.steps.get(plan.name)
        if step is None:
            if not plan.decides and all(x.is_done(name) for name in plan.after):
                return plan
        elif step.state is StepState.PENDING and (step.decided or not plan.decides):
            return plan
    return None


def _begin(x: Execution, plan: StepPlan, now: int) -> Execution:
    step = x.step(plan.name)
    if plan.kind is StepKind.DETACHED:
        return recorded(x, step, Move.BEGIN, StepState.COMPLETED, finished_at=now)
    end = _wait_end(step, plan, now)
    if plan.kind is StepKind.SLEEP and end is not None and end <= now:
        return recorded(x, step, Move.BEGIN, StepState.COMPLETED, finished_at=now, timeout_at=None)
    waiting = moved(step, Move.BEGIN, StepState.WAITING, waiting_since=now, timeout_at=end)
    x = x.with_step(waiting)
    return _take_signal(x, waiting, now) if plan.kind is StepKind.SIGNAL else x


def _wait_end(step: Step, plan: StepPlan, now: int) -> int | None:
    if step.timeout_at is not None:  # until when it sleeps was decided by its code
        return step.timeout_at
    if plan.kind is StepKind.SLEEP:  # one that nobody gave an end is over at once, not never
        return now + (plan.duration or 0)
    return None if plan.timeout is None else now + plan.timeout


# --- Signals ----------------------------------------------------------------------------------------


def signalled(x: Execution, event: Signalled, now: int) -> Execution:
    """A signal came: it is kept until a wait takes it; a repeat, or one nobody will wait for, is not."""
    if event.name not in x.plan.signals:
        known = ", ".join(sorted(x.plan.signals)) or "none"
        raise UnknownSignal(f"{x.plan.workflow} waits for no signal {event.name!r}; it waits for: {known}")
    if x.phase is not Phase.FORWARD or x.ending is not None or _all_taken(x, event.name):
        return x
    seen = event.key is not None and (
        event.key in x.signal_keys or any(signal.key == event.key for signal in x.signals)
    )
    if seen:
        return x
    signal = Signal(x.signal_count + 1, event.name, event.payload, event.key, now)
    x = x.evolve(signals=(*x.signals, signal), signal_count=signal.number)
    for plan in x.plan.steps:
        step = x.steps.get(plan.name)
        if step is not None and step.state is StepState.WAITING and event.name in plan.signals:
            return _take_signal(x, step, now)
    return x


def _all_taken(x: Execution, name: str) -> bool:
    """Tell whether every step that waits for this signal is over, so that nobody will ever take it.

    One that failed past the pivot is not: an operator may have it wait again.
    """
    return all(x.is_done(plan.name) for plan in x.plan.steps if name in plan.signals)


def _take_signal(x: Execution, step: Step, now: int) -> Execution:
    """Let a wait take the oldest signal that it waits for, if there is one."""
    plan = x.plan.by_name[step.name]
    signal = next((signal for signal in x.signals if signal.name in plan.signals), None)
    if signal is None:
        return x
    left = tuple(other for other in x.signals if other is not signal)
    keys = x.signal_keys if signal.key is None else (*x.signal_keys, signal.key)
    x = x.evolve(signals=left, signal_keys=keys)
    patch = {plan.payload_key: signal.payload}
    conflict = conflict_of(x, step.name, patch)
    if conflict is not None:
        run = runs.ended_badly(step.run, conflict, now)
        return fails(x, step, Move.FINISH, conflict, now, run=run, payload=signal.payload)
    return recorded(
        x, step, Move.FINISH, StepState.COMPLETED, merge=patch,
        payload=signal.payload, result=signal.payload, patch=patch, finished_at=now, timeout_at=None,
    )  # fmt: skip


# --- Timers -----------------------------------------------------------------------------------------


def fire(x: Execution, timer: Timer, roll: float, now: int) -> Execution:
    """One timer is due."""
    if timer.kind is TimerKind.FLOW or timer.step is None:
        return _flow_timed_out(x, now)
    step = x.steps[timer.step]
    if timer.kind is TimerKind.ABANDON:  # its thread may still end, but is waited for no longer
        return x.with_step(step.evolve(run=step.run.evolve(abandon_at=None)))
    if timer.kind is TimerKind.UNDO_WAIT:
        error = runs.timed_out(f"the undo of {step.name!r} was not completed in time")
        return undo.attempt_failed(x, step, error, roll, now)
    plan = x.plan.by_name[step.name]
    if plan.kind is StepKind.SLEEP:
        return recorded(x, step, Move.FINISH, StepState.COMPLETED, finished_at=now, timeout_at=None)
    if plan.kind is StepKind.SIGNAL:
        return _signal_timed_out(x, step, plan, now)
    return _external_timed_out(x, step, timer, roll, now)


def _external_timed_out(x: Execution, step: Step, timer: Timer, roll: float, now: int) -> Execution:
    """Nobody completed it: it is initiated again by its policy, else it has failed. It did land."""
    plan = x.plan.by_name[step.name]
    what = "gave no sign of life" if timer.kind is TimerKind.HEARTBEAT else "was not completed"
    error = runs.timed_out(f"step {step.name!r} {what} in time")
    run = runs.ended_badly(step.run, error, now)
    again = not plan.at_most_once and runs.next_attempt_at(run, plan.retry, error, roll, now) is not None
    if again:
        return after_error(x, step, run, roll, now, effect=Effect.LANDED)
    return fails(
        x, step, Move.RUN_OUT, error, now, run=run, effect=Effect.LANDED, to=StepState.TIMED_OUT
    )  # fmt: skip


def _signal_timed_out(x: Execution, step: Step, plan: StepPlan, now: int) -> Execution:
    if plan.on_timeout == "continue":
        return recorded(x, step, Move.RUN_OUT, StepState.TIMED_OUT, finished_at=now, timeout_at=None)
    error = runs.timed_out(f"no signal {' or '.join(plan.signals)} came in time")
    run = runs.ended_badly(step.run, error, now)
    return fails(x, step, Move.RUN_OUT, error, now, run=run, to=StepState.TIMED_OUT)


def _flow_timed_out(x: Execution, now: int) -> Execution:
    x = x.evolve(overdue=True)
    return x if pivot_crossed(x) else fail_flow(x, now)


def fail_flow(x: Execution, now: int) -> Execution:
    """The flow's own time ran out, and its pivot is not crossed: it fails."""
    return fail_execution(x, None, runs.timed_out(f"{x.plan.workflow} was not done in time"), now)
