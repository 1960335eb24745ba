"""What observers hear: derived by comparing two snapshots, in the order in which it happened.

The law and the stores know nothing of observers. Whoever has committed a change compares what was before
with what is now, if anybody listens.
"""

from collections.abc import Iterator
from typing import NamedTuple

from active_workflow.core import runs
from active_workflow.core.attempts import Failure, Run
from active_workflow.core.plan import StepKind
from active_workflow.core.snapshot import Execution, Step, untold
from active_workflow.core.states import Effect, Phase, State, StepState

PREFIX = "active_workflow."


class Notice(NamedTuple):
    """Something that happened. A tuple, as many are made and few are kept.

    Attributes:
        name: For instance ``active_workflow.step.completed``.
        execution_id: Of which execution.
        workflow: The name of its workflow.
        step: Its step, if it is about one; of a signal, the step that takes it.
        attempt: Which attempt of the step, or of its undo.
        at: When, microseconds.
        duration: How long what ended had taken (of a scheduled retry: how long until it), microseconds.
        error: What went wrong.
        payload: What came with a signal or a completion, encoded.
    """

    name: str
    execution_id: str
    workflow: str
    step: str | None
    attempt: int | None
    at: int
    duration: int | None = None
    error: Failure | None = None
    payload: str | None = None


def notices(before: Execution | None, after: Execution, now: int) -> tuple[Notice, ...]:
    """Tell what happened between two snapshots.

    Args:
        before: As it was; None: it has just been inserted.
        after: As it is.
        now: When that was recorded, microseconds.

    Returns:
        Notices in the order of happening: what ended comes before what began because of it.
    """
    if before is None:
        created = Notice(PREFIX + "execution.created", after.id, after.plan.workflow, None, None, now)
        before = after.evolve(steps={}, started_at=None, signals=(), signal_count=0)
        return (created, *notices(before, after, now))
    ended: list[tuple[int, Notice]] = []
    begun: list[Notice] = []
    if after.steps is not before.steps:
        olds = before.steps
        for name, step in after.steps.items():
            old = olds.get(name)
            if step is old:
                continue
            if step.state is StepState.RUNNING and old is None:  # the two that nearly always happen
                begun.append(_started(after, step, now))
            elif step.state is StepState.COMPLETED and old is not None and step.run.errors is old.run.errors:
                ended.append((step.seq or _LATE, _completed(after, step, now)))
            else:
                _of_step(_About(after, old or untold(name), step, now), ended, begun)
        if len(ended) > 1:
            ended.sort(key=_by_number)
    told = [notice for _, notice in ended]
    if before.phase is after.phase is Phase.FORWARD and _quiet(before, after):
        return (*told, *begun)
    head, turn, tail = _of_execution(before, after, now)
    return (*head, *told, *turn, *begun, *tail)


def _by_number(item: tuple[int, Notice]) -> int:
    return item[0]


# --- Steps ------------------------------------------------------------------------------------------


class _About(NamedTuple):
    x: Execution
    old: Step
    new: Step
    now: int

    def told(  # noqa: PLR0917 - a notice's own fields
        self,
        name: str,
        attempt: int | None,
        at: int,
        duration: int | None = None,
        error: Failure | None = None,
        payload: str | None = None,
    ) -> Notice:
        x = self.x
        return Notice(name, x.id, x.plan.workflow, self.new.name, attempt, at, duration, error, payload)


Ended = list[tuple[int, Notice]]


def _of_step(about: _About, ended: Ended, begun: list[Notice]) -> None:
    old, new = about.old, about.new
    if new.run is not old.run:
        _attempts(about, ended, begun)
    if new.undo is not old.undo or new.state in _UNDO_STATES:
        _undo(about, ended, begun)
    if new.state is not old.state:
        _state(about, ended)
    elif new.effect is not old.effect and old.effect is Effect.UNKNOWN:
        ended.append((_LATE, about.told(_SETTLED, new.run.attempts, about.now)))


_LATE = 1 << 62
"""Sorts what has no number among the outcomes after those that have one."""
_UNDO_STATES = frozenset({StepState.COMPENSATING, StepState.COMPENSATED, StepState.COMPENSATION_FAILED})


def _attempts(about: _About, ended: Ended, begun: list[Notice]) -> None:
    """The attempts of the step itself: those that ended badly, then one that began."""
    old, new = about.old.run, about.new.run
    if new.interruptions > old.interruptions:
        ended.append((_LATE, about.told(PREFIX + "step.interrupted", old.attempts, about.now)))
    if new.errors is not old.errors and new.failures != old.failures:
        ended.append((about.new.seq or _LATE, _failed(about)))
    if new.running and (new.attempts != old.attempts or not old.running):
        begun.append(_started(about.x, about.new, about.now))
    elif new.attempts < old.attempts and about.new.state is not StepState.SKIPPED:
        ended.append((_LATE, about.told(PREFIX + "step.taken_back", old.attempts, about.now)))
    if new.retry_at is not None and new.retry_at != old.retry_at:
        begun.append(_scheduled(about, new))


def _failed(about: _About) -> Notice:
    run, old = about.new.run, about.old
    error = run.errors[-1].error
    since = old.waiting_since if old.state is StepState.WAITING else run.attempt_at
    by_partner = old.state is StepState.WAITING or (old.early is not None and old.early.error is not None)
    name = "step.failed_async" if by_partner else "step.failed"
    if error.names == runs.TIMEOUT_NAMES:
        name = "step.timeout"
    return about.told(PREFIX + name, run.attempts, about.now, _since(since, about.now), error)


def _scheduled(about: _About, run: Run) -> Notice:
    wait = (run.retry_at or about.now) - about.now
    return about.told(PREFIX + "retry.scheduled", run.attempts + 1, about.now, wait, run.error)


def _since(start: int | None, end: int) -> int | None:
    return None if start is None else end - start


def _state(about: _About, ended: Ended) -> None:
    """The step is over, or waits."""
    new = about.new
    number = new.seq or _LATE
    if new.state is StepState.COMPLETED:
        ended.append((number, _completed(about.x, new, about.now)))
    elif new.state in _ENDS_BADLY:
        if new.run.failures == about.old.run.failures:  # else that attempt's failure has been told
            told = about.told(_ENDS_BADLY[new.state], new.run.attempts or None, about.now, None, new.error)
            ended.append((number, told))
    elif new.state in _NAMES:
        ended.append((number, about.told(_NAMES[new.state], new.run.attempts or None, about.now)))


_NAMES = {
    StepState.WAITING: PREFIX + "step.waiting",
    StepState.SKIPPED: PREFIX + "step.skipped",
    StepState.CANCELLED: PREFIX + "step.cancelled",
    StepState.IN_DOUBT: PREFIX + "step.in_doubt",
}
_ENDS_BADLY = {
    StepState.FAILED: PREFIX + "step.failed",
    StepState.TIMED_OUT: PREFIX + "step.timeout",
}
_SETTLED = PREFIX + "step.settled"
_STARTED = PREFIX + "step.started"
_COMPLETED = PREFIX + "step.completed"


def _started(x: Execution, new: Step, now: int) -> Notice:
    run = new.run
    at = now if run.attempt_at is None else run.attempt_at
    return Notice(_STARTED, x.id, x.plan.workflow, new.name, run.attempts, at)


def _completed(x: Execution, new: Step, now: int) -> Notice:
    at = now if new.finished_at is None else new.finished_at
    run = new.run
    if new.payload is None:
        since = new.waiting_since if run.attempt_at is None else run.attempt_at
        duration = None if since is None else at - since
        return Notice(_COMPLETED, x.id, x.plan.workflow, new.name, run.attempts or None, at, duration)
    name = "step.completed_async" if x.plan.by_name[new.name].kind is StepKind.EXTERNAL else "step.completed"
    since = run.attempt_at if new.waiting_since is None else new.waiting_since
    return Notice(
        PREFIX + name, x.id, x.plan.workflow, new.name, run.attempts or None, at,
        _since(since, at), payload=new.payload,
    )  # fmt: skip


def _undo(about: _About, ended: Ended, begun: list[Notice]) -> None:
    """The attempts of a step's undo, and what became of it."""
    old, new, state, now = about.old.undo, about.new.undo, about.new.state, about.now
    if new.interruptions > old.interruptions:
        ended.append((_LATE, about.told(PREFIX + "step.interrupted", old.attempts, now)))
    if new.running and new.attempts != old.attempts:
        begun.append(about.told(PREFIX + "step.compensating", new.attempts, now))
    if new.retry_at is not None and new.retry_at != old.retry_at:
        begun.append(_scheduled(about, new))
    if about.new.undo_waiting_since is not None and about.old.undo_waiting_since is None:
        begun.append(about.told(PREFIX + "step.compensation_waiting", new.attempts, now))
    if state is not about.old.state and state is StepState.COMPENSATED:
        duration = _since(new.attempt_at, now)
        told = about.told(PREFIX + "step.compensated", new.attempts, now, duration)
        ended.append((about.new.undo_seq or _LATE, told))
    elif state is not about.old.state and state is StepState.COMPENSATION_FAILED:
        told = about.told(PREFIX + "step.compensation_failed", new.attempts, now, None, new.error)
        ended.append((_LATE, told))


# --- The execution ----------------------------------------------------------------------------------


def _quiet(before: Execution, after: Execution) -> bool:
    """Whether nothing has befallen the execution as a whole."""
    return (
        after.started_at == before.started_at
        and after.signal_count == before.signal_count
        and after.ending is before.ending
        and after.paused_at == before.paused_at
        and after.blocked is before.blocked
        and after.overdue is before.overdue
    )


def _of_execution(
    before: Execution, after: Execution, now: int
) -> tuple[list[Notice], list[Notice], list[Notice]]:
    """What comes before all that happened to steps, between what ended and what began, and after it all."""
    head = [_whole(after, name, now) for name in _heads(before, after)]
    head += _signals(before, after, now)
    turn = []
    turned = after.phase is Phase.UNDOING and (before.phase is Phase.FORWARD or before.undo_stuck)
    if turned and not after.undo_stuck:
        turn.append(_whole(after, "compensating", now))
    tail = [_whole(after, name, now) for name in _tails(before, after)]
    return head, turn, tail


def _whole(x: Execution, name: str, now: int) -> Notice:
    """Give a notice about the execution as a whole; one that ends it says how long it took, and why."""
    over = x.phase is Phase.OVER
    error = x.ending.error if x.ending is not None and name != "started" else None
    duration = _since(x.started_at, now) if over and name == x.state else None
    return Notice(f"{PREFIX}execution.{name}", x.id, x.plan.workflow, None, None, now, duration, error)


def _heads(before: Execution, after: Execution) -> Iterator[str]:
    if after.started_at is not None and before.started_at is None:
        yield "started"
    if before.paused_at is not None and after.paused_at is None:
        yield "resumed"
    if before.blocked is not None and after.blocked is None:
        yield "unblocked"
    if after.cancel_requested_at is not None and before.cancel_requested_at is None:
        yield "cancel_requested"
    if after.overdue and not before.overdue:
        yield "overdue"


def _tails(before: Execution, after: Execution) -> Iterator[str]:
    if after.blocked is not None and after.blocked != before.blocked:
        yield "blocked"
    if after.paused_at is not None and before.paused_at is None:
        yield "paused"
    if after.undo_stuck and not before.undo_stuck:
        yield State.COMPENSATION_FAILED
    if after.phase is Phase.OVER and before.phase is not Phase.OVER:
        yield after.state


def _signals(before: Execution, after: Execution, now: int) -> Iterator[Notice]:
    """Signals that came: those that are kept, and those that a waiting step took at once."""
    count = after.signal_count - before.signal_count
    kept = [signal for signal in after.signals if signal.number > before.signal_count]
    for plan in after.plan.steps:
        step = after.step(plan.name)
        at_once = plan.signals and step.payload is not None and before.step(plan.name).payload is None
        if at_once and count > len(kept):
            count -= 1
            yield _signal(after, plan.name, step.payload, now)
    for signal in kept:
        taker = next(plan.name for plan in after.plan.steps if signal.name in plan.signals)
        yield _signal(after, taker, signal.payload, now)


def _signal(x: Execution, step: str, payload: str | None, now: int) -> Notice:
    return Notice(f"{PREFIX}signal.received", x.id, x.plan.workflow, step, None, now, payload=payload)
