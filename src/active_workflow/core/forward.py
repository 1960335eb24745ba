"""Doing a step: what the runner's reports about it mean."""

from collections.abc import Mapping
from functools import lru_cache

from active_workflow.core import runs
from active_workflow.core.attempts import Completion, Failure, Run
from active_workflow.core.events import Failed, NotCalled, RanOut, Returned, Skipped, Started
from active_workflow.core.failing import (
    after_error,
    attempt_failed,
    ended_unknown,
    fails,
    in_doubt,
    kept,
    opened,
)
from active_workflow.core.moves import Move, moved
from active_workflow.core.plan import StepKind
from active_workflow.core.ready import may_run
from active_workflow.core.recording import conflict_of, merged, numbered, recorded, refolded
from active_workflow.core.snapshot import Execution, Step, untold, with_key
from active_workflow.core.states import Effect, Phase, StepState
from active_workflow.errors import IllegalMove

Patch = Mapping[str, str | None]

# --- Starting ---------------------------------------------------------------------------------------


def start(x: Execution, event: Started, now: int) -> Execution:
    """Record the next attempt of a step as started."""
    plan = x.plan.by_name.get(event.step)
    if plan is None or not may_run(x, plan, now):
        raise IllegalMove(f"step {event.step!r} of {x.id} is {x.step(event.step).state} and can't start now")
    step = x.steps.get(event.step)
    running = first_attempt(event.step, now) if step is None else _next_attempt(step, now)
    if x.started_at is None:
        return x.with_step(running, started_at=now)
    return x.with_step(running)


@lru_cache(maxsize=256)
def first_attempt(name: str, now: int) -> Step:
    """Give a step whose first attempt starts: one value for all executions in which it starts just now."""
    return _next_attempt(untold(name), now)


def _next_attempt(step: Step, now: int) -> Step:
    return moved(step, Move.START, StepState.RUNNING, run=runs.started(step.run, now))


def take_back(x: Execution, event: NotCalled, now: int) -> Execution:  # noqa: ARG001 - one signature for all
    """An attempt was recorded as started and never called: as if it had not been."""
    step = x.step(event.step)
    if not _runs(step, event.attempt):
        return x
    run = runs.taken_back(step.run)
    if x.phase is Phase.UNDOING:  # it was started to settle an unknown attempt, which it still is
        return x.with_step(moved(step, Move.TAKE_BACK, _over_as(x, step), run=run.evolve(unknown=True)))
    return x.with_step(moved(step, Move.TAKE_BACK, StepState.PENDING, run=run))


def _over_as(x: Execution, step: Step) -> StepState:
    """Give the state of a step before it was started once more to settle its unknown attempt."""
    if x.ending is None or x.ending.step != step.name:
        return StepState.CANCELLED
    return StepState.FAILED if step.run.interruptions else StepState.TIMED_OUT


def skipped(x: Execution, event: Skipped, now: int) -> Execution:
    """The condition of a called step said no: the attempt that asked it does not count."""
    step = x.step(event.step)
    if not _runs(step, event.attempt):
        return x
    run = runs.taken_back(step.run)
    if x.phase is Phase.UNDOING:  # it was to be called once more to settle an unknown attempt, and was not
        return in_doubt(x, step, Move.SKIP, run)
    return recorded(x, step, Move.SKIP, StepState.SKIPPED, run=run, decided=False, finished_at=now)


# --- Returning --------------------------------------------------------------------------------------


def returned(x: Execution, event: Returned, now: int) -> Execution:
    """The call returned, perhaps after its time had run out."""
    step = x.step(event.step)
    if not (_runs(step, event.attempt) or _lingers(step, event.attempt)):
        return x
    if _was_failed_by_partner(x, step):  # only its thread was still to end
        return x.with_step(step.evolve(run=step.run.evolve(lingering=None, abandon_at=None)))
    return landed(x, step, event, now)


def _was_failed_by_partner(x: Execution, step: Step) -> bool:
    """Tell whether a call that ran out of time had been answered by its partner's failure before that."""
    run, external = step.run, x.plan.by_name[step.name].kind is StepKind.EXTERNAL
    known = run.lingering is not None and not run.unknown and step.effect is Effect.NONE
    return external and known and step.state in _PENDING_OR_OVER


def landed(x: Execution, step: Step, event: Returned, now: int) -> Execution:
    """A step's newest attempt is known to have had its effect: it returned, or somebody found out."""
    if step.state in _OVER:  # that the step failed stays; what it did is settled
        return settled_late(x, step, event.result, event.patch)
    if step.run.unknown:
        step = step.evolve(run=runs.answered(step.run))
    conflict = conflict_of(x, step.name, event.patch)
    if conflict is not None:
        run = _contradicted(step, conflict, now)
        return fails(
            x, step, Move.RETURN, conflict, now,
            run=run, effect=Effect.LANDED, result=event.result, early=None,
        )  # fmt: skip
    if x.plan.by_name[step.name].kind is StepKind.EXTERNAL:
        return _initiated(x, step, event, now)
    return completed(x, step, event.result, event.patch, now)


def completed(x: Execution, step: Step, result: str | None, patch: Patch, now: int) -> Execution:
    """A step is done."""
    return recorded(
        x, step, Move.RETURN, StepState.COMPLETED, merge=patch,
        run=runs.ended_well(step.run), effect=Effect.LANDED, result=result,
        patch={**step.patch, **patch} if step.patch else patch, finished_at=now, timeout_at=None, early=None,
    )  # fmt: skip


def settled_late(
    x: Execution, step: Step, result: str | None, patch: Patch, move: Move = Move.RETURN
) -> Execution:
    """A step that is over, or in doubt while undoing, turns out to have landed."""
    to = StepState.CANCELLED if step.state is StepState.IN_DOUBT else step.state
    late = moved(
        step, move, to,
        run=runs.ended_well(step.run), effect=Effect.LANDED, result=result, patch={**step.patch, **patch},
    )  # fmt: skip
    return refolded(numbered(x, late)) if patch else numbered(x, late)


def _initiated(x: Execution, step: Step, event: Returned, now: int) -> Execution:
    """An external step's first call has returned: it waits, or what it waits for has come already."""
    plan, early = x.plan.by_name[step.name], step.early
    undoing = x.phase is Phase.UNDOING  # then it was called once more only to learn what there is to undo
    waiting = moved(
        step, Move.RETURN, StepState.CANCELLED if undoing else StepState.WAITING,
        run=runs.ended_well(step.run), effect=Effect.LANDED, result=event.result,
        patch={**step.patch, **event.patch}, correlation_id=event.correlation_id, early=None,
        decided=plan.decides or None,
        waiting_since=None if undoing else now, finished_at=now if undoing else None,
        timeout_at=None if undoing or plan.timeout is None else now + plan.timeout,
    )  # fmt: skip
    if undoing:
        return refolded(numbered(x, waiting))
    x = x.with_step(waiting, ctx=merged(x.ctx, event.patch))
    known_ids = (None, event.correlation_id, step.correlation_id)
    if early is None or early.correlation_id not in known_ids:
        return x
    return finished(x, waiting, early, now)


def finished(x: Execution, step: Step, completion: Completion, now: int, roll: float = 0.5) -> Execution:
    """An external step's completion (or failure) has come."""
    keys = with_key(step.keys, completion.key)
    if completion.error is not None:
        step = step.evolve(early=None, keys=keys)
        return attempt_failed(x, step, completion.error, roll, now, effect=Effect.NONE)
    payload = completion.payload
    patch = {x.plan.by_name[step.name].payload_key: payload}
    conflict = conflict_of(x, step.name, patch)
    if conflict is not None:
        run = _contradicted(step.evolve(run=runs.answered(step.run)), conflict, now)
        return fails(
            x, step, Move.FINISH, conflict, now,
            run=run, effect=Effect.LANDED, payload=payload, early=None, keys=keys,
        )  # fmt: skip
    return recorded(
        x, step, Move.FINISH, StepState.COMPLETED, merge=patch,
        run=runs.ended_well(step.run), effect=Effect.LANDED, payload=payload, early=None, keys=keys,
        patch={**step.patch, **patch}, finished_at=now, timeout_at=None,
    )  # fmt: skip


def _contradicted(step: Step, conflict: Failure, now: int) -> Run:
    """What an attempt gave can't be recorded: it has failed, once, even if it was counted before."""
    counted = step.state in _BETWEEN and not step.run.unknown
    return (runs.ended_late if counted else runs.ended_badly)(step.run, conflict, now)


# --- Failing ----------------------------------------------------------------------------------------


def failed(x: Execution, event: Failed, now: int) -> Execution:
    """The call raised, or returned what can't be recorded."""
    step = x.step(event.step)
    runs_now = _runs(step, event.attempt)
    if not (runs_now or _lingers(step, event.attempt)):
        return x
    if event.decided:
        step = step.evolve(decided=True)
    count = runs.ended_badly if runs_now else runs.ended_late
    run = count(step.run, event.error, now)
    if step.state in _OVER:
        late = moved(step, Move.FAIL, step.state, run=run, effect=_after_late_error(x, step, event))
        return numbered(x, late) if late.effect is Effect.LANDED else x.with_step(late)
    if event.returned:
        return fails(x, step, Move.FAIL, event.error, now, run=run, effect=Effect.LANDED, early=None)
    if step.early is not None:
        noted = runs.noted(step.run, event.error, now)
        return _early_used(x, step, noted, event.roll, now, early=step.early)
    return after_error(x, step, run, event.roll, now, effect=kept(x, step))


def _after_late_error(x: Execution, step: Step, event: Failed) -> Effect:
    return Effect.LANDED if event.returned else kept(x, step)


def ran_out(x: Execution, event: RanOut, now: int) -> Execution:
    """A running attempt's time is over: its outcome is unknown."""
    step = x.step(event.step)
    if not _runs(step, event.attempt):
        return x
    plan = x.plan.by_name[step.name]
    if event.decided:
        step = step.evolve(decided=True)
    run = runs.ran_out(step.run, plan, plan.timeout, now, stopped=event.stopped)
    if step.early is not None:
        return _early_used(x, step, run, event.roll, now, early=step.early)
    if x.phase is Phase.UNDOING:
        return in_doubt(x, step, Move.RUN_OUT, run)  # unknown once more: only a person can find out now
    if x.ending is not None:
        return _cut_off(x, step, Move.RUN_OUT, run)
    error = runs.timed_out("")
    retry_at = runs.next_attempt_at(run, plan.retry, error, event.roll, now)
    return ended_unknown(x, step, Move.RUN_OUT, run.evolve(retry_at=retry_at), now)


def lose(x: Execution, step: Step, now: int) -> Execution:
    """The worker that ran a step's attempt is gone."""
    run = runs.lost(step.run)
    if step.early is not None:
        return _early_used(x, step, run, 0.5, now, early=step.early)
    if x.phase is Phase.UNDOING:
        return in_doubt(x, step, Move.LOSE, run)
    if x.ending is not None:
        return _cut_off(x, step, Move.LOSE, run)
    return ended_unknown(x, step, Move.LOSE, run, now)


def _cut_off(x: Execution, step: Step, move: Move, run: Run) -> Execution:
    """The execution is to be undone as soon as nothing runs; what this attempt did is settled then."""
    return x.with_step(moved(step, move, StepState.CANCELLED, run=run, effect=opened(x, step)))


def _early_used(x: Execution, step: Step, run: Run, roll: float, now: int, *, early: Completion) -> Execution:
    """The partner had its say before the call that asked it broke: that counts, not how the call ended."""
    if early.error is None:
        return finished(x, step.evolve(run=run), early, now)
    ended = runs.ended_badly(step.run, early.error, now)
    ended = ended.evolve(lingering=run.lingering, abandon_at=run.abandon_at)  # a thread may still be at it
    step = step.evolve(early=None, keys=with_key(step.keys, early.key))
    return after_error(x, step, ended, roll, now, effect=Effect.NONE)


# --- Shared -----------------------------------------------------------------------------------------

_OVER = frozenset({StepState.FAILED, StepState.TIMED_OUT, StepState.CANCELLED})
_BETWEEN = frozenset({StepState.PENDING, StepState.IN_DOUBT})
_PENDING_OR_OVER = _OVER | {StepState.PENDING}


def _runs(step: Step, attempt: int) -> bool:
    return step.state is StepState.RUNNING and step.run.attempts == attempt


def _lingers(step: Step, attempt: int) -> bool:
    return step.run.lingering == attempt
