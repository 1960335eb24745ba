"""What an operator does: pause, resume, retry, resolve; and what a worker says of missing code."""

from active_workflow.core import runs, undo
from active_workflow.core.blocks import blocking_steps
from active_workflow.core.events import CodeFound, CodeMissing, Paused, Resolved, Resumed, RetryRequested
from active_workflow.core.forward import completed, settled_late
from active_workflow.core.moves import Move, moved
from active_workflow.core.outside import known_step
from active_workflow.core.recording import recorded
from active_workflow.core.snapshot import Block, BlockKind, Execution, Step
from active_workflow.core.states import Effect, Phase, StepState
from active_workflow.errors import IllegalMove

# --- Pause, resume, retry ---------------------------------------------------------------------------


def paused(x: Execution, event: Paused, now: int) -> Execution:  # noqa: ARG001 - one signature for all
    """Hold it."""
    if x.phase is Phase.OVER or x.paused_at is not None:
        return x
    return x.evolve(paused_at=now)


def resumed(x: Execution, event: Resumed, now: int) -> Execution:  # noqa: ARG001
    """Let it go on."""
    return x if x.paused_at is None else x.evolve(paused_at=None)


def retry_requested(x: Execution, event: RetryRequested, now: int) -> Execution:  # noqa: ARG001
    """Try again what blocks it, or every undo that failed. A step in doubt is not tried: ``resolve`` it."""
    if x.undo_stuck:
        return _undos_again(x)
    if x.blocked is None or x.blocked.kind is BlockKind.DOUBT:
        return x
    if x.blocked.kind is BlockKind.CODE:
        return x.evolve(blocked=None)
    for name in blocking_steps(x):
        step = x.steps[name]
        run = runs.renewed(step.run)
        again = moved(step, Move.RETRY, StepState.PENDING, run=run, finished_at=None, payload=None)
        x = x.with_step(again)
    return x


def _undos_again(x: Execution) -> Execution:
    for step in tuple(x.steps.values()):
        if step.state is StepState.COMPENSATION_FAILED:
            again = moved(step, Move.RETRY, StepState.COMPENSATING, undo=runs.renewed(step.undo))
            x = x.with_step(again)
    return x


# --- Resolve ----------------------------------------------------------------------------------------


def resolved(x: Execution, event: Resolved, now: int) -> Execution:
    """Take an operator's word for what became of a step."""
    step = known_step(x, event.step)
    if _said_before(step, event):
        return x
    if event.undone:
        return _undone_by_hand(x, step, now)
    if x.phase is Phase.UNDOING:
        return _resolved_undoing(x, step, event)
    return _resolved_forward(x, step, event, now)


def _said_before(step: Step, event: Resolved) -> bool:
    if event.undone:
        return step.state is StepState.COMPENSATED
    if event.skip:
        return step.state is StepState.SKIPPED
    over = step.state is StepState.COMPLETED or (
        step.state is not StepState.IN_DOUBT and step.seq is not None
    )
    landed = step.effect in (Effect.LANDED, Effect.UNDONE)
    return bool(event.landed) and over and landed and step.result == event.result


def _resolved_forward(x: Execution, step: Step, event: Resolved, now: int) -> Execution:
    blocks = step.name in blocking_steps(x) and x.ending is None and x.phase is Phase.FORWARD
    if step.state is not StepState.IN_DOUBT and not blocks:
        raise IllegalMove(
            f"step {step.name!r} of {x.id} is {step.state}: only a step in doubt, one that blocks past the "
            "pivot, or an undo that failed can be resolved"
        )
    if event.skip:
        run = step.run.evolve(lingering=None, abandon_at=None)
        patch = {**step.patch, **event.patch}
        return recorded(
            x, step, Move.SKIP, StepState.SKIPPED, merge=event.patch, run=run, finished_at=now, patch=patch
        )
    move = Move.SETTLE if step.state is StepState.IN_DOUBT else Move.RETRY
    again = moved(
        step, move, StepState.PENDING,
        run=runs.renewed(step.run), effect=Effect.NONE, finished_at=None, payload=None,
    )  # fmt: skip
    return completed(x, again, event.result, event.patch, now) if event.landed else x.with_step(again)


def _resolved_undoing(x: Execution, step: Step, event: Resolved) -> Execution:
    if step.state is not StepState.IN_DOUBT or event.skip:
        raise IllegalMove(
            f"step {step.name!r} of {x.id} is {step.state} while undoing: say landed=True or False of a step "
            "in doubt, or undone=True of an undo that failed"
        )
    if event.landed:
        return settled_late(x, step, event.result, event.patch, Move.PASS_BY)
    run = step.run.evolve(unknown=False, lingering=None, abandon_at=None)
    return x.with_step(moved(step, Move.PASS_BY, StepState.CANCELLED, run=run, effect=Effect.NONE))


def _undone_by_hand(x: Execution, step: Step, now: int) -> Execution:
    if step.state is not StepState.COMPENSATION_FAILED:
        raise IllegalMove(f"the undo of step {step.name!r} of {x.id} has not failed: it is {step.state}")
    return undo.finished(x, step.evolve(undo=runs.ended_well(step.undo)), now)


# --- Code -------------------------------------------------------------------------------------------


def code_missing(x: Execution, event: CodeMissing, now: int) -> Execution:  # noqa: ARG001
    """The worker that has it can't serve its plan."""
    if x.phase is Phase.OVER or x.blocked is not None:
        return x
    return x.evolve(blocked=Block(event.kind, event.reason))


def code_found(x: Execution, event: CodeFound, now: int) -> Execution:  # noqa: ARG001
    """The worker that has it now can serve its plan."""
    if x.blocked is None or x.blocked.kind is not BlockKind.CODE:
        return x
    return x.evolve(blocked=None)
