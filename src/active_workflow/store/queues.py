"""Which queue an execution is on: that of the call that comes next."""

from active_workflow.core.plan import Plan, StepPlan
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import Effect, Phase


def queue_of(execution: Execution) -> str:
    """Give the queue of the next call: of a step that runs or is ready to, or of the undo that comes next."""
    plan = execution.plan
    queues = queues_of(plan)
    if len(queues) == 1:
        return queues[0]
    step = _undone_next(execution) if execution.phase is Phase.UNDOING else _called_next(execution)
    return step.queue if step else queues[0]


def queues_of(plan: Plan) -> tuple[str, ...]:
    """Give the queues of all steps that call something, in plan order; kept with the plan."""
    known: tuple[str, ...] | None = plan.__dict__.get("_queues")
    if known is None:
        called = [step.queue for step in plan.steps if _calls(step) or step.compensates]
        known = tuple(dict.fromkeys(called)) or ("default",)
        plan.__dict__["_queues"] = known
    return known


def _calls(step: StepPlan) -> bool:
    return step.kind.calls or step.decides


def _called_next(execution: Execution) -> StepPlan | None:
    """Give the step that runs or is ready to; else the first that isn't done, for its turn comes next."""
    left = [step for step in execution.plan.steps if _calls(step) and not execution.is_done(step.name)]
    return next((step for step in left if _is_at_hand(execution, step)), left[0] if left else None)


def _is_at_hand(execution: Execution, step: StepPlan) -> bool:
    story = execution.steps.get(step.name)
    if story is not None:
        return story.active
    return all(execution.is_done(name) for name in step.after)


def _undone_next(execution: Execution) -> StepPlan | None:
    """Give the step whose undo runs or comes next: undo goes down the numbers of outcomes."""
    by_name = execution.plan.by_name
    stories = sorted(execution.steps.values(), key=lambda step: step.seq or 0, reverse=True)
    open_steps = [step for step in stories if execution.undo_goes_on(step)]
    open_steps.sort(key=lambda step: not step.active)
    effects = (Effect.LANDED, Effect.UNKNOWN)
    return next((by_name[step.name] for step in open_steps if step.active or step.effect in effects), None)
