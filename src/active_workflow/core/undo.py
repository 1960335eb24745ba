"""Undoing: passes no step by that may have had an effect and has a compensation.

What is unknown is settled first (``ready.py`` asks for that); then the steps that landed are undone, one
at a time, the one recorded last first. An undo that fails for good does not stop the others.
"""

from active_workflow.core import runs
from active_workflow.core.attempts import Completion, Failure, Run
from active_workflow.core.events import Failed, NotCalled, RanOut, Returned, Started
from active_workflow.core.moves import Move, moved
from active_workflow.core.plan import StepPlan
from active_workflow.core.ready import may_undo
from active_workflow.core.recording import refolded
from active_workflow.core.snapshot import BlockKind, Execution, Step, with_key
from active_workflow.core.states import UNFINISHED, Effect, Phase, StepState
from active_workflow.errors import IllegalMove

# --- The phase --------------------------------------------------------------------------------------


def begin(x: Execution, now: int) -> Execution:
    """Turn round: what is not over is cancelled, and every effect that is to be undone has a number."""
    steps, seq = {}, x.seq
    for name, begun in x.steps.items():
        step = _turned(begun, x.plan.by_name[name], now)
        if step.effect is Effect.LANDED and step.seq is None:
            seq += 1
            step = step.evolve(seq=seq)
        steps[name] = step
    blocked = x.blocked if x.blocked is not None and x.blocked.kind is BlockKind.CODE else None
    return x.evolve(phase=Phase.UNDOING, steps=steps, seq=seq, blocked=blocked)


def _turned(step: Step, plan: StepPlan, now: int) -> Step:
    attempted = plan.undone_if_attempted and step.run.attempts > 0
    to_undo = plan.compensates and (attempted or step.effect in _MAY_HAVE_HAPPENED)
    doubtful = step.state is StepState.IN_DOUBT
    if step.state in UNFINISHED or doubtful or (step.state is StepState.SKIPPED and to_undo):
        run = step.run if step.run.retry_at is None else step.run.evolve(retry_at=None)
        step = moved(step, Move.CANCEL, StepState.CANCELLED, run=run, timeout_at=None, early=None,
                     finished_at=now)  # fmt: skip
    if not to_undo or step.effect is Effect.LANDED:
        return step
    can_ask = step.effect is Effect.UNKNOWN and plan.verifies and not doubtful
    if attempted and not can_ask:
        return step.evolve(effect=Effect.LANDED)
    if doubtful or (plan.at_most_once and not can_ask):  # once more would be once too often
        return moved(step, Move.SETTLE, StepState.IN_DOUBT)
    return step


_MAY_HAVE_HAPPENED = frozenset({Effect.LANDED, Effect.UNKNOWN})


def is_over(x: Execution) -> bool:
    """Tell whether nothing is left to undo and nothing is stuck."""
    stories = x.steps.values()
    return not x.undo_stuck and not any(x.undo_goes_on(step) for step in stories)


# --- One undo ---------------------------------------------------------------------------------------


def start(x: Execution, event: Started, now: int) -> Execution:
    """Record the next attempt of a step's undo as started."""
    if not may_undo(x, event.step, now):
        raise IllegalMove(f"the undo of step {event.step!r} of {x.id} can't start now")
    step = x.step(event.step)
    run = step.run  # whatever a thread of it still says is too late now
    if run.lingering is not None:
        run = run.evolve(lingering=None, abandon_at=None)
    undo = runs.started(step.undo, now)
    return x.with_step(moved(step, Move.START_UNDO, StepState.COMPENSATING, run=run, undo=undo))


def take_back(x: Execution, event: NotCalled, now: int) -> Execution:  # noqa: ARG001 - one signature for all
    """An undo was recorded as started and never called."""
    step = x.step(event.step)
    if not _runs(step, event.attempt):
        return x
    undo = runs.taken_back(step.undo)
    return x.with_step(moved(step, Move.TAKE_BACK_UNDO, StepState.COMPENSATING, undo=undo))


def returned(x: Execution, event: Returned, now: int) -> Execution:
    """The undo returned: the step is undone, or (external undo) waits for its completion."""
    step = x.step(event.step)
    if not (_runs(step, event.attempt) or _lingers(step, event.attempt)):
        return x
    undo = runs.ended_well(runs.answered(step.undo))
    patch = {**step.undo_patch, **event.patch} if event.patch else step.undo_patch
    if not x.plan.by_name[step.name].undo_external:
        return finished(x, step.evolve(undo=undo, undo_patch=patch), now)
    waiting = moved(
        step, Move.END_UNDO, StepState.COMPENSATING,
        undo=undo, undo_patch=patch, undo_waiting_since=now, early=None,
        correlation_id=event.correlation_id or step.correlation_id,
    )  # fmt: skip
    x = refolded(x.with_step(waiting))
    early = step.early
    return x if early is None else completed(x, waiting, early, 0.5, now)


def completed(x: Execution, step: Step, completion: Completion, roll: float, now: int) -> Execution:
    """An external undo's completion (or failure) has come."""
    step = step.evolve(keys=with_key(step.keys, completion.key))
    if completion.error is not None:
        return attempt_failed(x, step, completion.error, roll, now)
    return finished(x, step.evolve(undo=runs.ended_well(step.undo)), now)


def finished(x: Execution, step: Step, now: int) -> Execution:
    """The step is undone."""
    done = moved(
        step, Move.END_UNDO, StepState.COMPENSATED,
        effect=Effect.UNDONE, undo_seq=x.seq + 1, undo_waiting_since=None, early=None, undone_at=now,
    )  # fmt: skip
    x = x.with_step(done, seq=x.seq + 1)
    return refolded(x) if done.undo_patch else x


# --- An undo that does not end well -----------------------------------------------------------------


def failed(x: Execution, event: Failed, now: int) -> Execution:
    """The undo raised, or (``returned``) only what it did to ctx can't be recorded."""
    step = x.step(event.step)
    late = _lingers(step, event.attempt)
    if not (_runs(step, event.attempt) or late):
        return x
    if event.returned:
        undo = runs.noted(runs.ended_well(step.undo), event.error, now)
        return finished(x, step.evolve(undo=undo), now)
    if late:  # it was counted as failed when its time was over
        undo = step.undo.evolve(lingering=None, abandon_at=None, unknown=False)
        return x.with_step(step.evolve(undo=undo))
    step = _without_early_failure(step)
    if step.early is not None:  # the partner had finished before the call that asked it broke
        return completed(x, step, step.early, event.roll, now)
    return attempt_failed(x, step, event.error, event.roll, now)


def attempt_failed(x: Execution, step: Step, error: Failure, roll: float, now: int) -> Execution:
    """An attempt of an undo ended with an error: another follows, or a person has to see to it."""
    step = step.evolve(undo_waiting_since=None, early=None)
    return _again_or_stuck(x, step, runs.ended_badly(step.undo, error, now), roll, now)


def ran_out(x: Execution, event: RanOut, now: int) -> Execution:
    """A running undo's time is over; like every undo it can be run again."""
    step = x.step(event.step)
    if not _runs(step, event.attempt):
        return x
    step = _without_early_failure(step)
    if step.early is not None:
        return completed(x, step, step.early, event.roll, now)
    plan = x.plan.by_name[step.name]
    undo = runs.ran_out(step.undo, plan, plan.undo_limit, now, stopped=event.stopped)
    return _again_or_stuck(x, step, undo, event.roll, now)


def lose(x: Execution, step: Step, now: int) -> Execution:
    """The worker that ran an undo is gone: it runs again, unless it lost too many."""
    step = _without_early_failure(step)
    if step.early is not None:
        return completed(x, step, step.early, 0.5, now)
    undo = runs.lost(step.undo)
    if undo.strikes < x.plan.by_name[step.name].max_interruptions:
        return x.with_step(moved(step, Move.FAIL_UNDO, StepState.COMPENSATING, undo=undo))
    undo = runs.ended_badly(undo, runs.interrupted(undo), now)
    return x.with_step(moved(step, Move.FAIL_UNDO, StepState.COMPENSATION_FAILED, undo=undo))


def _without_early_failure(step: Step) -> Step:
    """A partner's early failure of an attempt that now has failed by itself says nothing new."""
    if step.early is None or step.early.error is None:
        return step
    return step.evolve(early=None, keys=with_key(step.keys, step.early.key))


def _again_or_stuck(x: Execution, step: Step, undo: Run, roll: float, now: int) -> Execution:
    error = undo.errors[-1].error
    retry_at = runs.next_attempt_at(undo, x.plan.by_name[step.name].undo_policies, error, roll, now)
    to = StepState.COMPENSATION_FAILED if retry_at is None else StepState.COMPENSATING
    return x.with_step(moved(step, Move.FAIL_UNDO, to, undo=undo.evolve(retry_at=retry_at)))


def _runs(step: Step, attempt: int) -> bool:
    return step.state is StepState.COMPENSATING and step.undo.running and step.undo.attempts == attempt


def _lingers(step: Step, attempt: int) -> bool:
    return step.undo.lingering == attempt


def takes_completion(x: Execution, step: Step) -> bool:
    """Tell whether a step's undo takes a completion from outside now."""
    plan = x.plan.by_name[step.name]
    return plan.undo_external and step.state is StepState.COMPENSATING and step.undo.attempts > 0
