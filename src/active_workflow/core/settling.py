"""Finding out what an attempt of unknown outcome did, and what the conditions of waits say."""

from active_workflow.core import runs
from active_workflow.core.events import Decided, DecideFailed, Returned, Verified, VerifyFailed
from active_workflow.core.failing import after_error, in_doubt, kept, not_landed, unverified
from active_workflow.core.forward import landed
from active_workflow.core.moves import Move, moved
from active_workflow.core.ready import asks_verify, wants_decision
from active_workflow.core.recording import numbered, recorded
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Effect, Phase, StepState

# --- Settling an unknown outcome --------------------------------------------------------------------


def verified(x: Execution, event: Verified, now: int) -> Execution:
    """``verify`` answered."""
    step = x.step(event.step)
    if not asks_verify(x, step) or event.attempt != step.run.attempts:
        return x
    if event.landed:
        returned = Returned(step.name, event.attempt, event.result, event.patch, event.correlation_id)
        return landed(x, step, returned, now)
    if event.landed is None:
        return _still_unknown(x, step, now)
    if x.phase is Phase.FORWARD and x.ending is None:
        run = step.run.evolve(lingering=None, abandon_at=None)
        return not_landed(x, step, Move.SETTLE, run, now)
    return _settled_as(x, step, kept(x, step))


def verify_failed(x: Execution, event: VerifyFailed, now: int) -> Execution:
    """``verify`` raised: it is asked again by the step's policy; then its answer is "unknown"."""
    step = x.step(event.step)
    if not asks_verify(x, step) or event.attempt != step.run.attempts:
        return x
    if event.doubts not in (None, step.run.doubts):
        return x
    doubts = step.run.doubts + 1
    plan = x.plan.by_name[step.name]
    run = runs.noted(step.run, event.error, now).evolve(doubts=doubts)
    retry_at = runs.next_attempt_at(run.evolve(failures=doubts), plan.retry, event.error, event.roll, now)
    if retry_at is None:
        return _still_unknown(x, step.evolve(run=run), now)
    return x.with_step(step.evolve(run=run.evolve(retry_at=retry_at)), asked_under=x.token)


def _still_unknown(x: Execution, step: Step, now: int) -> Execution:
    run = step.run.evolve(unknown=False)  # it is not asked again about this attempt
    if x.phase is Phase.FORWARD:
        return unverified(x, step, Move.SETTLE, run, now)
    if kept(x, step) is Effect.LANDED:
        return _settled_as(x, step, Effect.LANDED)
    return in_doubt(x, step, Move.SETTLE, run)


def _settled_as(x: Execution, step: Step, effect: Effect) -> Execution:
    run = step.run.evolve(unknown=False, doubts=0, retry_at=None, lingering=None, abandon_at=None)
    settled = moved(step, Move.SETTLE, step.state, run=run, effect=effect)
    return numbered(x, settled) if effect is Effect.LANDED else x.with_step(settled)


# --- Conditions of waits ----------------------------------------------------------------------------


def decided(x: Execution, event: Decided, now: int) -> Execution:
    """The condition of a wait answered; the wait itself begins with the law's next move."""
    if not wants_decision(x, event.step):
        return x
    step = x.step(event.step).evolve(decided=event.go, timeout_at=event.until)
    x = x if x.started_at is not None else x.evolve(started_at=now)
    if event.go:
        return x.with_step(step)
    return recorded(x, step, Move.SKIP, StepState.SKIPPED, finished_at=now, timeout_at=None)


def decide_failed(x: Execution, event: DecideFailed, now: int) -> Execution:
    """The condition of a wait raised: that is the step's error."""
    if not wants_decision(x, event.step):
        return x
    x = x if x.started_at is not None else x.evolve(started_at=now)
    step = x.step(event.step)
    run = runs.ended_badly(step.run, event.error, now)
    return after_error(x.evolve(asked_under=x.token), step, run, event.roll, now, effect=Effect.NONE)


# --- Questions that kill who asks them --------------------------------------------------------------


def with_questions(x: Execution) -> Execution:
    """Give the execution with a note of the claim under which a question is open, or of none.

    Asking is no attempt, and no commit comes before it. But each claim raises the token, and whoever hands
    an execution back in order takes the note out: so claims since the note have lost their workers.
    """
    if any(asks_verify(x, x.step(plan.name)) or wants_decision(x, plan.name) for plan in x.plan.steps):
        return x if x.asked_under is not None else x.evolve(asked_under=x.token)
    return x if x.asked_under is None else x.evolve(asked_under=None)


def unanswered(x: Execution, now: int) -> Execution:
    """Give up questions that have lost too many workers: nobody knows the answer, a condition has failed."""
    if x.asked_under is None:
        return x
    lost = x.token - x.asked_under
    for plan in x.plan.steps:
        if lost < plan.max_interruptions:
            continue
        step, error = x.step(plan.name), runs.no_answer(lost)
        if asks_verify(x, step):
            x = _still_unknown(x, step.evolve(run=runs.noted(step.run, error, now)), now)
        elif wants_decision(x, plan.name):
            x = decide_failed(x, DecideFailed(plan.name, error), now)
    return x
