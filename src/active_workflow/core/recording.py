"""What recording an outcome means for the execution as a whole: its ctx, its numbering, its ending."""

from collections.abc import Mapping
from typing import Any, cast

from active_workflow.core.attempts import Failure
from active_workflow.core.moves import Move, moved
from active_workflow.core.snapshot import Ending, Execution, Step
from active_workflow.core.states import Effect, State, StepState

CONFLICT_NAMES = ("active_workflow.errors.ContextConflict", "active_workflow.errors.ActiveWorkflowError")

_NOTHING: Mapping[str, str | None] = {}


def numbered(x: Execution, step: Step) -> Execution:
    """Record a step's outcome under the next number, if it has none: undo goes down these numbers."""
    if step.seq is not None:
        return x.with_step(step)
    return x.with_step(step.evolve(seq=x.seq + 1), seq=x.seq + 1)


def recorded(
    x: Execution,
    step: Step,
    move: Move,
    to: StepState,
    *,
    merge: Mapping[str, str | None] = _NOTHING,
    **changes: Any,
) -> Execution:
    """Make a move, number it and merge its patch, all at once: this is what every good outcome does."""
    seq = number = x.seq + 1
    if step.seq is not None:
        seq, number = x.seq, step.seq
    changes["seq"] = number
    steps = {**x.steps, step.name: moved(step, move, to, changes)}
    if merge:
        return x.evolve(steps=steps, seq=seq, ctx=merged(x.ctx, merge))
    return x.evolve(steps=steps, seq=seq)


def merged(ctx: Mapping[str, str], patch: Mapping[str, str | None]) -> Mapping[str, str]:
    """Give ctx with a patch applied."""
    if not patch:
        return ctx
    both = {**ctx, **patch}
    if None in patch.values():
        return {key: value for key, value in both.items() if value is not None}
    return cast("dict[str, str]", both)


def refolded(x: Execution) -> Execution:
    """Give the execution with the ctx that its records make: what stores compute when they read it.

    That is the input with all patches laid over it: those of the steps in the order of their outcomes, then
    those of the undos. Going forward ``merged`` comes to the same; while undoing, records may come late.
    """
    steps = x.steps.values()
    done = sorted((step for step in steps if step.patch), key=lambda step: step.seq or _LAST)
    undone = sorted((step for step in steps if step.undo_patch), key=lambda step: step.undo_seq or _LAST)
    ctx = x.input
    for patch in [*(step.patch for step in done), *(step.undo_patch for step in undone)]:
        ctx = merged(ctx, patch)
    return x.evolve(ctx=ctx)


_LAST = float("inf")


def conflict_of(x: Execution, name: str, patch: Mapping[str, str | None]) -> Failure | None:
    """Give the error of a patch that contradicts one of a step that runs side by side with this one."""
    if not patch or x.plan.chained:
        return None
    for other in x.plan.unordered[name]:
        theirs = x.steps[other].patch if other in x.steps else {}
        for key in patch.keys() & theirs.keys():
            if patch[key] != theirs[key]:
                return Failure(
                    type="ContextConflict",
                    message=f"steps {other!r} and {name!r} run side by side and wrote different values to "
                    f"ctx.{key}: let each write a key of its own",
                    names=CONFLICT_NAMES,
                    retryable=False,
                )
    return None


def pivot_crossed(x: Execution) -> bool:
    """Tell whether the pivot has started and is not known to have failed: then undo must not begin."""
    pivot = x.plan.pivot
    step = x.steps.get(pivot.name) if pivot else None
    if step is None or step.state is StepState.SKIPPED:
        return False
    if step.state in (StepState.PENDING, StepState.FAILED, StepState.TIMED_OUT, StepState.CANCELLED):
        return step.effect is not Effect.NONE or step.run.unknown
    return True


def fail_execution(x: Execution, step: str | None, error: Failure, now: int) -> Execution:
    """The execution goes no further forward; where undo must not cross its pivot it is blocked instead."""
    if x.ending is not None or (step is not None and pivot_crossed(x)):  # then ``blocks.py`` blocks it
        return x
    return x.evolve(ending=Ending(outcome=State.FAILED, error=error, step=step, at=now))
