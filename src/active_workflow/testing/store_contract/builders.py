"""Snapshots made by hand: the moves that the law would make, as far as a store can tell them apart."""

from collections.abc import Mapping
from typing import Any

from active_workflow.core.attempts import Attempt, Failure, Run
from active_workflow.core.change import Change, change_between
from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.plan_data import sealed
from active_workflow.core.snapshot import Ending, Execution, Signal
from active_workflow.core.states import Effect, Phase, State, StepState

T0 = 1_700_000_000_000_000


def make_plan(workflow: str = "Checkout", queue: str = "default", version: int = 1) -> Plan:
    """Give a plan with a step of every kind that stores treat differently."""
    return sealed(
        Plan(
            workflow,
            (
                StepPlan("reserve", queue=queue, compensates=True),
                StepPlan("charge", after=("reserve",), queue=queue, compensates=True),
                StepPlan("fulfil", StepKind.EXTERNAL, after=("charge",), queue=queue, timeout=1000),
                StepPlan("receipt", StepKind.DETACHED, after=("fulfil",), queue=queue),
                StepPlan("approval", StepKind.SIGNAL, after=("receipt",), signals=("approval",), queue=queue),
            ),
            version=version,
        )
    )


PLAN = make_plan()
FAILURE = Failure(
    "Declined",
    "no \0 funds \ud800 ✓",
    ("shop.Declined", "builtins.Exception"),
    '{"code":1}',
    "Traceback …",
    False,
    5,
)
"""An error with everything in it, text that is none included: errors are stored whatever they say."""


def execution(id: str, **changes: Any) -> Execution:
    """Give a new execution, as it is inserted."""
    begun = changes.pop("input", {"order_id": "42", "name": '"Ada"'})
    values = {"plan": PLAN, "input_hash": "h1", "created_at": T0, "run_at": T0, "revision": 1, **changes}
    return Execution(id=id, input=begun, ctx=begun, **values)


def started(before: Execution, name: str, now: int = T0) -> Execution:
    """Start a step's first attempt."""
    run = Run(attempts=1, running=True, started_at=now, attempt_at=now)
    running = before.step(name).evolve(state=StepState.RUNNING, run=run)  # what it told before stays told
    return before.with_step(running, started_at=before.started_at or now)


def completed(
    before: Execution, name: str, patch: Mapping[str, str | None] | None = None, **more: Any
) -> Execution:
    """Complete a running step, with what it changed in ctx."""
    step = before.step(name)
    patch = {**step.patch, **(patch or {})}
    done = step.evolve(
        state=StepState.COMPLETED,
        effect=Effect.LANDED,
        run=step.run.evolve(running=False),
        seq=before.seq + 1,
        patch=patch,
        finished_at=T0 + 1,
        **{"result": '{"ok":true}', **more},
    )
    return before.with_step(done, seq=before.seq + 1, ctx=patched(before.ctx, patch))


def waiting(before: Execution, name: str, patch: Mapping[str, str | None] | None = None) -> Execution:
    """Let an external step wait for its completion."""
    step = before.step(name)
    patch = {**step.patch, **(patch or {})}
    now = T0 + 5
    waits = step.evolve(
        state=StepState.WAITING,
        effect=Effect.LANDED,
        run=step.run.evolve(running=False),
        patch=patch,
        waiting_since=now,
        timeout_at=now + 1000,
        correlation_id="job-1",
    )
    return before.with_step(waits, ctx=patched(before.ctx, patch))


def retried(before: Execution, name: str, errors: int = 2) -> Execution:
    """Put a step between two attempts, with errors behind it."""
    attempts = tuple(Attempt(n + 1, T0 + n, FAILURE) for n in range(errors))
    run = Run(
        attempts=errors, failures=errors, started_at=T0, attempt_at=T0 + 9, retry_at=T0 + 99, errors=attempts
    )
    return before.with_step(before.step(name).evolve(state=StepState.PENDING, run=run))


def undone(before: Execution, name: str, patch: Mapping[str, str | None] | None = None) -> Execution:
    """Take a completed step as undone."""
    seq = before.seq + 1
    done = before.step(name).evolve(
        state=StepState.COMPENSATED,
        effect=Effect.UNDONE,
        undo=Run(attempts=1, started_at=T0 + 20, attempt_at=T0 + 20),
        undo_seq=seq,
        undo_patch=patch or {},
    )
    return before.with_step(done, seq=seq, ctx=patched(before.ctx, patch or {}))


def undoing(before: Execution) -> Execution:
    """Let it go backwards."""
    ending = Ending(State.FAILED, FAILURE, "charge", T0 + 10)
    return before.evolve(phase=Phase.UNDOING, ending=ending, cancel_requested_at=T0 + 9)


def ended(before: Execution, at: int = T0 + 100, outcome: State = State.COMPLETED) -> Execution:
    """End it."""
    ending = None if outcome is State.COMPLETED else Ending(outcome, FAILURE, None, at)
    return before.evolve(phase=Phase.OVER, ending=ending, completed_at=at)


def signalled(before: Execution, payload: str = "1", key: str | None = None) -> Execution:
    """Keep a signal that no step has taken yet."""
    number = before.signal_count + 1
    signal = Signal(number, "approval", payload, key, T0 + number)
    return before.evolve(signal_count=number, signals=(*before.signals, signal))


def taken(before: Execution) -> Execution:
    """Let a step take the oldest signal."""
    first, *rest = before.signals
    keys = before.signal_keys if first.key is None else (*before.signal_keys, first.key)
    return before.evolve(signals=tuple(rest), signal_keys=keys)


def patched(ctx: Mapping[str, str], patch: Mapping[str, str | None]) -> Mapping[str, str]:
    """Lay a patch over ctx."""
    merged = {**ctx, **patch}
    return {key: text for key, text in merged.items() if text is not None}


def owned(before: Execution, after: Execution, **options: Any) -> Change:
    """Give an owner's change."""
    return change_between(before, after, owned=True, **options)


def outside(before: Execution, after: Execution, **options: Any) -> Change:
    """Give a change of somebody who holds no lease."""
    return change_between(before, after, **options)
