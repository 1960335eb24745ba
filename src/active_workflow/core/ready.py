"""What can be done now, and when to look again: questions only, nothing is changed here."""

from collections.abc import Iterator
from functools import lru_cache

from active_workflow.core.commands import Command, Compensate, Decide, Done, RunStep, Verify, WaitUntil
from active_workflow.core.plan import StepPlan
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Effect, Phase, StepState
from active_workflow.core.timers import timers


def next_commands(x: Execution, now: int) -> list[Command]:
    """Tell what a worker has to do next about an execution.

    Args:
        x: As it was read or as the law left it.
        now: The store's time, microseconds.

    Returns:
        What can be started now (in plan order), else until when to wait, or that it is over.
    """
    if x.phase is Phase.OVER:
        return [Done()]
    if x.paused_at is None and x.blocked is None and x.run_at <= now:
        commands = list(_undoing(x, now) if x.phase is Phase.UNDOING else _forward(x, now))
        if commands:
            return commands
    return [WaitUntil(due_at(x))]


def due_at(x: Execution) -> int | None:
    """Tell when a worker has to look at an execution that nobody runs now; None: not before an event.

    Something that could be started at once makes it due since it was to run. A block holds up what would
    start, not the time: its timers fire (a flow in doubt times out; past a pivot that is only told).
    """
    return min(_instants(x), default=None)


def next_due_after(x: Execution, now: int) -> int | None:
    """Tell when its owner has to look at it next, beyond what can be done now; None: not before an event."""
    return min((at for at in _instants(x) if at > now), default=None)


def _instants(x: Execution) -> Iterator[int]:
    if x.phase is Phase.OVER or x.paused_at is not None:
        return
    yield from (timer.at for timer in timers(x))
    if any(step.run.running or step.undo.running for step in x.steps.values()):
        yield x.run_at  # if nobody holds it, whoever ran that attempt has given it up: it must be seen to
    if x.blocked is None:
        yield from _openings(x)
    elif x.blocked.kind.passes_with_deploy:
        yield x.run_at


def may_run(x: Execution, plan: StepPlan, now: int) -> bool:
    """Tell whether the next attempt of a step may be recorded as started now."""
    if x.paused_at is not None or x.blocked is not None or x.run_at > now:
        return False
    if x.phase is Phase.UNDOING:
        step = x.steps.get(plan.name)
        return step is not None and _settles_by_running(x, step) and step.run.held_until() <= now
    return x.phase is Phase.FORWARD and x.ending is None and _startable(x, plan, now)


def may_undo(x: Execution, name: str, now: int) -> bool:
    """Tell whether the next attempt of a step's undo may be recorded as started now."""
    if x.phase is not Phase.UNDOING or x.paused_at is not None or x.blocked is not None:
        return False
    step = next_undo(x)
    return step is not None and step.name == name and _undo_held_until(x, step) <= now


def _forward(x: Execution, now: int) -> Iterator[Command]:
    if x.ending is not None:  # nothing more starts; what runs is waited for
        return
    plans = x.plan.steps
    if x.plan.in_a_row:  # then the others are over, or their turn has not come
        begun = len(x.steps)
        plans = plans[max(begun - 1, 0) : begun + 1]
    for plan in plans:
        step = x.steps.get(plan.name)
        if step is not None:
            if step.state is StepState.PENDING and _held_until(x, step) <= now:
                yield _between_attempts(x, plan, step)
        elif _preceded(x, plan):
            if plan.kind.calls:
                yield _run_step(plan.name)
            elif plan.decides:
                yield Decide(plan.name)


_run_step = lru_cache(maxsize=4_096)(RunStep)
"""The command to run a step: one value for all executions."""


def _between_attempts(x: Execution, plan: StepPlan, step: Step) -> Command:
    if asks_verify(x, step):
        return Verify(plan.name)
    if plan.kind.calls:
        return RunStep(plan.name)
    return Decide(plan.name)  # a wait whose condition is still to be asked: any other has begun by itself


def _startable(x: Execution, plan: StepPlan, now: int) -> bool:
    if not plan.kind.calls:
        return False
    step = x.steps.get(plan.name)
    if step is None:
        return _preceded(x, plan)
    pending = step.state is StepState.PENDING and not asks_verify(x, step)
    return pending and step.run.held_until() <= now


def _held_until(x: Execution, step: Step) -> int:
    """The instant before which nothing may be done about a step that is between two attempts."""
    run = step.run
    if run.unknown and not run.doubts and x.plan.by_name[step.name].verifies:
        return run.lingers_until  # the retry's delay is no reason to ask later
    return run.held_until()


def asks_verify(x: Execution, step: Step) -> bool:
    """Tell whether ``verify`` has to say what a step's newest attempt did."""
    plan = x.plan.by_name.get(step.name)
    if plan is None or not plan.verifies:
        return False
    if x.phase is Phase.UNDOING:
        return is_unsettled(x, step)
    return x.phase is Phase.FORWARD and step.state is StepState.PENDING and step.run.unknown


def wants_decision(x: Execution, name: str) -> bool:
    """Tell whether the condition of a wait has to be asked."""
    plan = x.plan.by_name.get(name)
    if plan is None or plan.kind.calls or not plan.decides:
        return False
    if x.phase is not Phase.FORWARD or x.ending is not None:
        return False
    step = x.steps.get(name)
    if step is None:
        return _preceded(x, plan)
    return step.state is StepState.PENDING and step.decided is None


def _preceded(x: Execution, plan: StepPlan) -> bool:
    for name in plan.after:  # noqa: SIM110 - asked all the time, and twice as fast as all(…)
        if not x.is_done(name):
            return False
    return True


# --- Undoing ----------------------------------------------------------------------------------------


def _undoing(x: Execution, now: int) -> Iterator[Command]:
    """Settle what is unknown first; then undo, one at a time, what was recorded last."""
    unsettled = False
    for step in x.steps.values():
        if step.state is StepState.RUNNING:
            unsettled = True
        elif is_unsettled(x, step):
            unsettled = True
            if _held_until(x, step) <= now:
                verifies = x.plan.by_name[step.name].verifies
                yield Verify(step.name) if verifies else RunStep(step.name)
    step_to_undo = None if unsettled else next_undo(x)
    if step_to_undo is not None and _undo_held_until(x, step_to_undo) <= now:
        yield Compensate(step_to_undo.name)


def is_unsettled(x: Execution, step: Step) -> bool:
    """Tell whether it has to be found out what a step's last attempt did before it can be undone."""
    return (
        step.effect is Effect.UNKNOWN
        and step.state in _FAILED_STATES
        and x.plan.by_name[step.name].compensates
    )


_FAILED_STATES = frozenset({StepState.FAILED, StepState.TIMED_OUT, StepState.CANCELLED})


def _settles_by_running(x: Execution, step: Step) -> bool:
    return is_unsettled(x, step) and not x.plan.by_name[step.name].verifies


def next_undo(x: Execution) -> Step | None:
    """Give the step whose undo is next; None while one is under way.

    One that has begun is brought to an end first; then comes, of those that landed, the one recorded last.
    """
    left = undo_order(x)
    if not left or any(step.undo.running or step.undo_waiting_since is not None for step in left):
        return None
    return left[0]


def undo_order(x: Execution) -> list[Step]:
    """Give the steps whose undo is still to come (or under way), in the order in which they are undone."""
    left = [step for step in x.steps.values() if _to_undo(x, step)]
    return sorted(left, key=lambda s: (s.state is StepState.COMPENSATING, s.seq or 0), reverse=True)


def _to_undo(x: Execution, step: Step) -> bool:
    return (
        step.effect is Effect.LANDED
        and step.state is not StepState.COMPENSATION_FAILED
        and x.plan.by_name[step.name].compensates
    )


def _undo_held_until(x: Execution, step: Step) -> int:
    """No thread that ran out of time may still be at it: what is to be undone could change under the undo."""
    lingering = (max(other.run.lingers_until, other.undo.lingers_until) for other in x.steps.values())
    return max(step.undo.held_until(), *lingering)


# --- When to look again -----------------------------------------------------------------------------


def _openings(x: Execution) -> Iterator[int]:
    """Give the instants at which something becomes startable; what already is counts since ``run_at``."""
    if x.phase is Phase.UNDOING:
        yield from _openings_undoing(x)
    elif x.ending is None:
        for plan in x.plan.steps:
            step = x.steps.get(plan.name)
            if step is None:
                if _preceded(x, plan):
                    yield x.run_at
            elif step.state is StepState.PENDING:
                yield max(_held_until(x, step), x.run_at)


def _openings_undoing(x: Execution) -> Iterator[int]:
    unsettled = [step for step in x.steps.values() if is_unsettled(x, step)]
    yield from (max(_held_until(x, step), x.run_at) for step in unsettled)
    busy = unsettled or any(step.state is StepState.RUNNING for step in x.steps.values())
    step = None if busy else next_undo(x)
    if step is not None:
        yield max(_undo_held_until(x, step), x.run_at)
