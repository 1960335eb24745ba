"""When an execution that goes forward is blocked: only a person (or a deploy) can do anything about it."""

from active_workflow.core.snapshot import Block, BlockKind, Execution
from active_workflow.core.states import StepState

_BEGUN_AND_OPEN = frozenset({StepState.PENDING, StepState.RUNNING, StepState.WAITING})
_FAILED = frozenset({StepState.FAILED, StepState.TIMED_OUT})
_TROUBLE = _FAILED | {StepState.IN_DOUBT}


def marked(x: Execution) -> Execution:
    """Block an execution in which only a person can do anything, and unblock it when that has changed."""
    if x.blocked is None:
        for step in x.steps.values():
            if step.state in _TROUBLE:
                break
        else:
            return x
    elif x.blocked.kind is BlockKind.CODE:
        return x
    block = _failed_past_pivot(x) or _left_in_doubt(x)
    return x if block == x.blocked else x.evolve(blocked=block)


def blocking_steps(x: Execution) -> list[str]:
    """Give the steps that failed for good while undo must not begin."""
    return [name for name, step in x.steps.items() if step.state in _FAILED and not x.is_done(name)]


def _failed_past_pivot(x: Execution) -> Block | None:
    failed = blocking_steps(x)
    if not failed:
        return None
    names = ", ".join(map(repr, failed))
    return Block(BlockKind.PIVOT, f"step {names} failed for good past the pivot: retry, or resolve it")


def _left_in_doubt(x: Execution) -> Block | None:
    doubtful = [step.name for step in x.steps.values() if step.state is StepState.IN_DOUBT]
    if not doubtful or _something_else_to_do(x):
        return None
    reason = f"nobody knows what {', '.join(doubtful)} did: find out, then resolve it (landed=True or False)"
    return Block(BlockKind.DOUBT, reason)


def _something_else_to_do(x: Execution) -> bool:
    return any(step.state in _BEGUN_AND_OPEN or step.may_still_answer for step in x.steps.values()) or any(
        plan.name not in x.steps and all(x.is_done(name) for name in plan.after) for plan in x.plan.steps
    )
