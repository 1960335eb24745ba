"""Which code an execution may still call: what a worker has to have to serve it."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Effect, Phase, StepState


class Code(StrEnum):
    """One of the callables of a step."""

    RUN = "run"
    """Does it."""
    UNDO = "undo"
    """Undoes it."""
    VERIFY = "verify"
    """Says what an attempt of unknown outcome did."""
    DECIDE = "decide"
    """Says whether a wait is needed, or when a sleep ends."""


Needs = Mapping[str, frozenset[Code]]
"""The code of each step that may still be called; steps of which nothing is needed are left out."""


def needs(x: Execution) -> Needs:
    """Tell which code may still be called for an execution, whatever happens to it from now on.

    A step that is over needs only its undo, and that no longer once the pivot is completed. A wait without
    a condition needs nothing: the law begins and ends it by itself.
    """
    if x.phase is Phase.OVER:
        return {}
    forward = x.phase is Phase.FORWARD and x.ending is None
    codes = _forward if forward else _undoing
    found = {plan.name: frozenset(codes(x, plan)) for plan in x.plan.steps}
    return {name: wanted for name, wanted in found.items() if wanted}


def everything(plan: Plan) -> Needs:
    """Give all code that a plan names: what an execution needs that has not begun."""
    return needs(Execution("", plan, {}, {}, "", 0, 0))


def _forward(x: Execution, plan: StepPlan) -> Iterator[Code]:
    step = x.step(plan.name)
    is_open = not x.is_done(plan.name)
    if is_open and (plan.kind.calls or plan.kind is StepKind.DETACHED):
        yield Code.RUN
    if is_open and plan.verifies:
        yield Code.VERIFY
    if is_open and plan.decides and step.decided is None:
        yield Code.DECIDE
    if _may_be_undone(x, plan) and (is_open or _is_to_be_undone(plan, step)):
        yield Code.UNDO


def _may_be_undone(x: Execution, plan: StepPlan) -> bool:
    """Whether the step has an undo, and the point of no return is not behind (a skipped one is none)."""
    pivot = x.plan.pivot
    return plan.compensates and not (pivot and x.step(pivot.name).state is StepState.COMPLETED)


def _undoing(x: Execution, plan: StepPlan) -> Iterator[Code]:
    step = x.steps.get(plan.name)
    if step is None or not plan.compensates:
        return
    runs = step.state is StepState.RUNNING
    if not (runs or _is_to_be_undone(plan, step)):
        return
    yield Code.UNDO
    if runs or (step.effect is Effect.UNKNOWN and step.state is not StepState.IN_DOUBT):
        if plan.verifies:
            yield Code.VERIFY
        elif not plan.at_most_once:
            yield Code.RUN  # once more, to find out


def _is_to_be_undone(plan: StepPlan, step: Step) -> bool:
    attempted = plan.undone_if_attempted and step.run.attempts > 0 and step.effect is not Effect.UNDONE
    return attempted or step.effect is Effect.LANDED or step.effect is Effect.UNKNOWN
