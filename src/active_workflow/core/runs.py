"""What becomes of a ``Run``: the attempts of doing a step, or of undoing it. Both go by the same rules."""

from typing import Final

from active_workflow.core.attempts import KEPT_ERRORS, NOT_RUN, Attempt, Failure, Run
from active_workflow.core.plan import StepPlan
from active_workflow.core.retry import RetryPolicy, policy_for

TIMEOUT_NAMES = ("builtins.TimeoutError", "builtins.OSError", "builtins.Exception")
INTERRUPTED_NAMES = ("active_workflow.errors.Interrupted", "active_workflow.errors.ActiveWorkflowError")


def timed_out(message: str) -> Failure:
    """Give the error of an attempt, a wait or a flow whose time ran out."""
    return Failure(type="TimeoutError", message=message, names=TIMEOUT_NAMES)


def interrupted(run: Run) -> Failure:
    """Give the error of a step that lost its worker too often."""
    return Failure(
        type="Interrupted",
        message=f"lost its worker {run.interruptions} times in a row; what it did is unknown",
        names=INTERRUPTED_NAMES,
        retryable=False,
    )


def no_answer(lost: int) -> Failure:
    """Give the error of a question that lost its worker too often."""
    return Failure(
        type="Interrupted",
        message=f"asking lost its worker {lost} times in a row",
        names=INTERRUPTED_NAMES,
        retryable=False,
    )


# --- What befalls an attempt ------------------------------------------------------------------------


def started(run: Run, now: int) -> Run:
    """An attempt begins."""
    if run is NOT_RUN:  # the usual case, and the values below are those it has
        return run.evolve(attempts=1, running=True, started_at=now, attempt_at=now)
    return run.evolve(
        attempts=run.attempts + 1,
        running=True,
        suspect=run.is_suspect,
        started_at=now if run.started_at is None else run.started_at,
        attempt_at=now,
        retry_at=None,
        unknown=False,
        doubts=0,
        lingering=None,
        abandon_at=None,
    )


def taken_back(run: Run) -> Run:
    """The running attempt was never called: it does not count."""
    attempts = run.attempts - 1
    return run.evolve(
        attempts=attempts,
        running=False,
        suspect=False,
        started_at=run.started_at if attempts else None,
    )


def ended_well(run: Run) -> Run:
    """The attempt returned."""
    return run.evolve(_ENDED_WELL)


_ENDED_WELL: Final = {
    "running": False, "suspect": False, "unknown": False, "interruptions": 0, "strikes": 0,
    "lingering": None, "abandon_at": None, "retry_at": None, "doubts": 0,
}  # fmt: skip


def ended_badly(run: Run, error: Failure, now: int) -> Run:
    """The attempt ended with an error: known not to have landed."""
    return run.evolve(
        running=False, suspect=False, unknown=False, failures=run.failures + 1, interruptions=0, strikes=0,
        lingering=None, abandon_at=None, retry_at=None, doubts=0, errors=_errors(run, error, now),
    )  # fmt: skip


def ended_late(run: Run, error: Failure, now: int) -> Run:
    """A timed-out attempt, counted as a failure when its time was over, ended with an error after all."""
    return ended_badly(run, error, now).evolve(failures=run.failures)


def answered(run: Run) -> Run:
    """What an attempt did that had run out of time is known after all: it did not fail."""
    if run.unknown and not run.interruptions:
        return run.evolve(failures=run.failures - 1)
    return run


def noted(run: Run, error: Failure, now: int) -> Run:
    """Keep an error that counts for nothing."""
    return run.evolve(errors=_errors(run, error, now))


def ran_out(run: Run, plan: StepPlan, timeout: int | None, now: int, *, stopped: bool) -> Run:
    """The running attempt's time is over: nobody knows what it did, and its thread may still run."""
    patience = plan.abandon_after if plan.abandon_after is not None else timeout
    error = timed_out(f"attempt {run.attempts} of {plan.name!r} ran longer than its timeout")
    return run.evolve(
        running=False, suspect=False, unknown=True, failures=run.failures + 1, interruptions=0, strikes=0,
        lingering=None if stopped else run.attempts, retry_at=None, doubts=0,
        abandon_at=None if stopped else now + (patience or 0), errors=_errors(run, error, now),
    )  # fmt: skip


def lost(run: Run) -> Run:
    """The attempt's worker is gone: nobody knows what it did. Uses up none of ``Retry.max``."""
    return run.evolve(
        running=False, suspect=False, unknown=True, interruptions=run.interruptions + 1,
        strikes=run.strikes + 1 if run.suspect else run.strikes, lost=run.lost + 1,
        lingering=None, abandon_at=None, retry_at=None, doubts=0,
    )  # fmt: skip


def renewed(run: Run) -> Run:
    """An operator has it tried again: the count of failures begins anew, its story stays.

    So does a thread of it that may still run: the next attempt waits for that as ever.
    """
    return run.evolve(
        running=False, suspect=False, failures=0, interruptions=0, strikes=0, unknown=False, doubts=0,
        started_at=None, retry_at=None,
    )  # fmt: skip


def _errors(run: Run, error: Failure, now: int) -> tuple[Attempt, ...]:
    return (*run.errors, Attempt(number=run.attempts, ended_at=now, error=error))[-KEPT_ERRORS:]


# --- Whether another one follows --------------------------------------------------------------------


def next_attempt_at(
    run: Run, policies: tuple[RetryPolicy, ...], error: Failure, roll: float, now: int
) -> int | None:
    """Tell when the next attempt may start after an error that the run's failures already count.

    Returns:
        An instant, or None when the policy allows no further attempt.
    """
    if not error.retryable:
        return None
    policy = policy_for(policies, error.names)
    if policy.max is not None and run.failures >= policy.max:
        return None
    delay = error.retry_after if error.retry_after is not None else policy.delay_after(run.failures, roll)
    at = now + delay
    if policy.max_elapsed is not None and run.started_at is not None:
        return at if at <= run.started_at + policy.max_elapsed else None
    return at


def last_unknown(run: Run, plan: StepPlan, now: int) -> Failure | None:
    """Give the error of an attempt of unknown outcome if no other may follow it, else None."""
    if run.interruptions:
        return interrupted(run) if run.strikes >= plan.max_interruptions else None
    error = timed_out(f"attempt {run.attempts} of {plan.name!r} ran longer than its timeout")
    retry_at = run.retry_at  # decided when its time was over, unless ``verify`` failed since then
    if run.doubts:
        retry_at = next_attempt_at(run, plan.retry, error, 0.5, now)
    return error if retry_at is None else None
