"""An attempt that did not end well: another follows, the step fails for good, or a person is asked."""

from active_workflow.core import runs
from active_workflow.core.attempts import Failure, Run
from active_workflow.core.moves import Move, moved
from active_workflow.core.recording import fail_execution, numbered
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Effect, Phase, StepState

# --- After an error ---------------------------------------------------------------------------------


def attempt_failed(
    x: Execution, step: Step, error: Failure, roll: float, now: int, *, effect: Effect
) -> Execution:
    """An attempt ended with an error: another one follows, or the step has failed."""
    return after_error(x, step, runs.ended_badly(step.run, error, now), roll, now, effect=effect)


def after_error(x: Execution, step: Step, run: Run, roll: float, now: int, *, effect: Effect) -> Execution:
    """The same, of an attempt whose error is the newest of ``run`` and has been counted."""
    if x.phase is Phase.UNDOING:
        over = moved(step, Move.FAIL, StepState.FAILED, run=run, effect=effect, finished_at=now)
        return numbered(x, over) if effect is Effect.LANDED else x.with_step(over)
    if x.ending is not None:
        to = StepState.CANCELLED if step.state is StepState.RUNNING else StepState.FAILED
        return x.with_step(moved(step, Move.FAIL, to, run=run, effect=effect, finished_at=now))
    error = run.errors[-1].error
    retry_at = runs.next_attempt_at(run, x.plan.by_name[step.name].retry, error, roll, now)
    if retry_at is None:
        return fails(x, step, Move.FAIL, error, now, run=run, effect=effect)
    again = moved(
        step, Move.FAIL, StepState.PENDING,
        run=run.evolve(retry_at=retry_at), effect=effect, waiting_since=None, timeout_at=None,
    )  # fmt: skip
    return x.with_step(again)


# --- After an attempt of unknown outcome ------------------------------------------------------------


def ended_unknown(x: Execution, step: Step, move: Move, run: Run, now: int) -> Execution:
    """Going forward, an attempt ended without an answer: ask ``verify``, else go by what the plan says."""
    plan = x.plan.by_name[step.name]
    if plan.transactional:  # its completion was to be written with its effect: neither was
        return not_landed(x, step, move, run, now)
    if plan.verifies:
        return x.with_step(moved(step, move, StepState.PENDING, run=run, effect=opened(x, step)))
    return unverified(x, step, move, run, now)


def unverified(x: Execution, step: Step, move: Move, run: Run, now: int) -> Execution:
    """Nobody can tell what the newest attempt did: run it again, fail, or leave it to a person."""
    plan = x.plan.by_name[step.name]
    last = runs.last_unknown(run, plan, now)
    if plan.at_most_once or (plan.pivot and last is not None):
        return in_doubt(x, step, move, run)
    if last is not None:
        return _fails_unsettled(x, step, move, run, now, error=last, effect=opened(x, step))
    return x.with_step(moved(step, move, StepState.PENDING, run=run, effect=opened(x, step)))


def not_landed(x: Execution, step: Step, move: Move, run: Run, now: int) -> Execution:
    """The newest attempt is known to have done nothing: run it again, or fail."""
    last = runs.last_unknown(run, x.plan.by_name[step.name], now)
    run = run.evolve(unknown=False, doubts=0)
    if last is not None:
        return _fails_unsettled(x, step, move, run, now, error=last, effect=kept(x, step))
    return x.with_step(moved(step, move, StepState.PENDING, run=run, effect=kept(x, step)))


def _fails_unsettled(
    x: Execution, step: Step, move: Move, run: Run, now: int, *, error: Failure, effect: Effect
) -> Execution:
    """The last attempt that was allowed ended without an answer."""
    if run.interruptions:  # a timeout's error is kept already
        return fails(x, step, move, error, now, run=runs.noted(run, error, now), effect=effect)
    return fails(x, step, move, error, now, run=run, effect=effect, to=StepState.TIMED_OUT)


def in_doubt(x: Execution, step: Step, move: Move, run: Run) -> Execution:
    """Nobody can find out what a step's last attempt did, but a person."""
    return x.with_step(moved(step, move, StepState.IN_DOUBT, run=run, effect=opened(x, step)))


# --- For good ---------------------------------------------------------------------------------------


def fails(
    x: Execution,
    step: Step,
    move: Move,
    error: Failure,
    now: int,
    *,
    run: Run,
    effect: Effect = Effect.NONE,
    to: StepState = StepState.FAILED,
    **changes: object,
) -> Execution:
    """A step has failed for good, and with it the execution (or, past the pivot, it is blocked)."""
    over = moved(step, move, to, run=run, effect=effect, finished_at=now, timeout_at=None, **changes)
    x = numbered(x, over) if effect is Effect.LANDED else x.with_step(over)
    return fail_execution(x, step.name, error, now)


# --- What is known of the effect --------------------------------------------------------------------


def kept(x: Execution, step: Step) -> Effect:
    """What is known after an error: nothing landed, unless an earlier initiation did.

    While undoing, a step that is undone whenever it was attempted is taken as landed.
    """
    plan = x.plan.by_name[step.name]
    landed = step.effect is Effect.LANDED or (x.phase is Phase.UNDOING and plan.undone_if_attempted)
    return Effect.LANDED if landed else Effect.NONE


def opened(x: Execution, step: Step) -> Effect:
    """What is known after an attempt without an answer: nothing, unless an earlier initiation landed."""
    if step.effect is Effect.LANDED:
        return Effect.LANDED
    transactional = x.plan.by_name[step.name].transactional  # written with its effect, or neither was
    return Effect.NONE if transactional else Effect.UNKNOWN
