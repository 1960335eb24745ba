"""What a cancel would undo now: asked before the button is pressed, and changing nothing."""

from dataclasses import dataclass
from enum import StrEnum

from active_workflow.core import undo
from active_workflow.core.ready import is_unsettled, undo_order
from active_workflow.core.recording import pivot_crossed
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Effect, Phase, StepState


class UndoHow(StrEnum):
    """What a cancel would do about a step."""

    UNDO = "undo"
    """Its compensation runs."""
    SETTLE_FIRST = "settle first"
    """It has to be found out what it did; if it landed, its compensation runs."""
    IN_DOUBT = "in doubt"
    """Only a person can find out what it did: ``resolve`` it."""
    STUCK = "stuck"
    """Its compensation has failed for good: ``retry``, or ``resolve`` it."""
    NOTHING = "nothing to undo"
    """It may have had an effect, and has no compensation."""
    REFUSED = "refused"
    """It is past the point of no return: a cancel is refused."""


@dataclass(frozen=True, slots=True)
class PlannedUndo:
    """What a cancel would do about one step.

    Attributes:
        step: Its name.
        how: What would be done.
        reason: Why, in words.
    """

    step: str
    how: UndoHow
    reason: str


def plan_cancel(execution: Execution) -> tuple[PlannedUndo, ...]:
    """Tell what a cancel now would undo, in order; of one that is undoing already, what is still to come.

    Args:
        execution: As it was read.

    Returns:
        One entry for each step that may have had an effect; a single one, ``REFUSED``, past the pivot;
        nothing for an execution that is over or has done nothing yet.
    """
    x = execution
    if x.phase is Phase.OVER:
        return ()
    if x.phase is Phase.FORWARD:
        pivot = x.plan.pivot
        if x.ending is None and pivot is not None and pivot_crossed(x):
            reason = f"{pivot.name!r} is the point of no return and may have happened"
            return (PlannedUndo(pivot.name, UndoHow.REFUSED, reason),)
        running = [step for step in x.steps.values() if step.state is StepState.RUNNING]
        still = {name: step for name, step in x.steps.items() if step.state is not StepState.RUNNING}
        turned = undo.begin(x.evolve(steps=still), 0)
    else:
        running = [step for step in x.steps.values() if step.state is StepState.RUNNING]
        turned = x
    return (*_running(x, running), *_settled_first(turned), *_undone(turned), *_left(turned))


def _running(x: Execution, running: list[Step]) -> list[PlannedUndo]:
    planned = []
    for step in running:
        how, reason = UndoHow.SETTLE_FIRST, "it runs: nothing is undone before it has reported"
        if not x.plan.by_name[step.name].compensates:
            how, reason = UndoHow.NOTHING, f"it runs, and {_no_undo(x, step)}"
        planned.append(PlannedUndo(step.name, how, reason))
    return planned


def _settled_first(x: Execution) -> list[PlannedUndo]:
    planned = []
    for step in x.steps.values():
        if is_unsettled(x, step):
            verifies = x.plan.by_name[step.name].verifies
            way = "its verify is asked" if verifies else "it runs once more with the same step_key"
            reason = f"nobody knows what attempt {step.run.attempts} did: {way}"
            planned.append(PlannedUndo(step.name, UndoHow.SETTLE_FIRST, reason))
    return planned


def _undone(x: Execution) -> list[PlannedUndo]:
    return [PlannedUndo(step.name, UndoHow.UNDO, _why_undone(step)) for step in undo_order(x)]


def _why_undone(step: Step) -> str:
    if step.state is StepState.COMPENSATING:
        return "its compensation is under way"
    if step.state is StepState.COMPLETED:
        return "it is completed"
    if step.result is not None or step.waiting_since is not None:
        return "it was begun elsewhere and is not over"
    return "it was attempted"


def _left(x: Execution) -> list[PlannedUndo]:
    planned = []
    for step in x.steps.values():
        if step.state is StepState.IN_DOUBT:
            reason = "nobody knows what it did, and it never runs again by itself"
            planned.append(PlannedUndo(step.name, UndoHow.IN_DOUBT, reason))
        elif step.state is StepState.COMPENSATION_FAILED:
            reason = "its compensation failed for good"
            planned.append(PlannedUndo(step.name, UndoHow.STUCK, reason))
        elif _may_have_happened(step) and not x.plan.by_name[step.name].compensates:
            planned.append(PlannedUndo(step.name, UndoHow.NOTHING, _no_undo(x, step)))
    return planned


def _may_have_happened(step: Step) -> bool:
    return step.run.attempts > 0 and step.effect in (Effect.LANDED, Effect.UNKNOWN)


def _no_undo(x: Execution, step: Step) -> str:
    why = x.plan.by_name[step.name].no_undo
    return f"needs no compensation: {why}" if why else "it has no compensation"
