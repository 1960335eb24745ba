"""The timers of an execution: waits, sleeps, heartbeats, undo waits, given-up threads, the flow's deadline.

Retry delays need no timer: when their time has come, the step is simply ready.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from active_workflow.core.plan import StepKind
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Phase, StepState


class TimerKind(IntEnum):
    """What fires."""

    WAIT = 0
    HEARTBEAT = 1
    UNDO_WAIT = 2
    ABANDON = 3
    FLOW = 4


@dataclass(frozen=True, slots=True, order=True)
class Timer:
    """Something that happens at an instant if nothing else does before: ordered by time, then plan."""

    at: int
    position: int
    kind: TimerKind
    step: str | None = None


def timers(x: Execution) -> Iterator[Timer]:
    """Give the timers that run now; none while it is paused or over."""
    if x.phase is Phase.OVER or x.paused_at is not None:
        return
    deadline = x.deadline
    if deadline is not None and x.phase is Phase.FORWARD and x.ending is None and not x.overdue:
        yield Timer(deadline, len(x.plan.steps), TimerKind.FLOW)
    for step in x.steps.values():
        if step.state is StepState.WAITING:
            if x.ending is None:
                yield from _wait_timers(x, step)
        elif step.undo_waiting_since is not None:
            limit = x.plan.by_name[step.name].undo_limit
            if limit is not None:
                at = step.undo_waiting_since + limit
                yield Timer(at, x.plan.positions[step.name], TimerKind.UNDO_WAIT, step.name)
        elif step.may_still_answer:
            at = step.run.lingers_until
            yield Timer(at, x.plan.positions[step.name], TimerKind.ABANDON, step.name)


def _wait_timers(x: Execution, step: Step) -> Iterator[Timer]:
    plan, position = x.plan.by_name[step.name], x.plan.positions[step.name]
    if step.timeout_at is not None:
        yield Timer(step.timeout_at, position, TimerKind.WAIT, step.name)
    if plan.kind is StepKind.EXTERNAL and plan.heartbeat_timeout is not None:
        sign = max(step.heartbeat_at or 0, step.waiting_since or 0)
        yield Timer(sign + plan.heartbeat_timeout, position, TimerKind.HEARTBEAT, step.name)


def first_due(x: Execution, now: int) -> Timer | None:
    """Give the timer that fires first of those that are due."""
    return min((timer for timer in timers(x) if timer.at <= now), default=None)


Fire = Callable[[Execution, Timer, float, int], Execution]


def fire_due(x: Execution, now: int, roll: float, fire: Fire) -> Execution:
    """Fire every due timer in order of time, then plan; each sees what the ones before it did."""
    while (timer := first_due(x, now)) is not None:
        x = fire(x, timer, roll, now)
    return x
