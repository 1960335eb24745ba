"""What one commit has to write: the difference of two snapshots."""

from collections.abc import Sequence
from typing import NamedTuple

from active_workflow.core.plan import StepKind
from active_workflow.core.plan_data import detached
from active_workflow.core.snapshot import Execution, Signal, Step
from active_workflow.core.states import StepState


class Change(NamedTuple):
    """One decided change of one execution, guarded by what it was decided on.

    Attributes:
        after: The execution as it is to be; ``after.revision`` is the guarded revision plus one.
        steps: The steps whose rows are to be written: those that ended or began to wait, and the rare
            active one (``Step.active``) whose patch or result moved: they are kept in a step's row alone,
            all else about an active step is in the execution's row.
        received: Signals to be inserted.
        taken: Numbers of the signals that were consumed.
        children: Executions to be inserted with it.
        owned: Whether the owner of the lease makes it: then ``after.token`` is guarded too.
        release: Whether the owner gives up the lease with it. The due time is written only to a row
            that nobody holds: while a lease is held its owner keeps the timers.
        due_at: When a worker has to look at it next; None when only something from outside can move it.
    """

    after: Execution
    steps: tuple[Step, ...] = ()
    received: tuple[Signal, ...] = ()
    taken: tuple[int, ...] = ()
    children: tuple[Execution, ...] = ()
    owned: bool = False
    release: bool = False
    due_at: int | None = None

    @property
    def id(self) -> str:
        """The execution's id."""
        return self.after.id

    @property
    def guarded_revision(self) -> int:
        """The revision that the row must still have."""
        return self.after.revision - 1


def change_between(
    before: Execution,
    after: Execution,
    *,
    owned: bool = False,
    release: bool = False,
    due_at: int | None = None,
) -> Change:
    """Give the change that leads from one snapshot to the next; ``after.revision`` is raised by one."""
    if release and after.asked_under is not None:  # handed back in order: nobody was lost over a question
        after = after.evolve(asked_under=None)
    olds, moved = before.steps, []
    for name, step in after.steps.items():
        old = olds.get(name)
        if step is not old and (not step.active or _told_more(old, step)):
            moved.append(step)
    return Change(
        after.evolve(revision=before.revision + 1),
        tuple(moved),
        _received(before, after),
        _taken(before, after),
        _children(before, after, moved) if after.plan.detaches else (),
        owned,
        release,
        due_at,
    )


def _told_more(before: Step | None, after: Step) -> bool:
    if before is None:
        return bool(after.patch) or after.result is not None
    return after.patch is not before.patch or after.result != before.result


def _received(before: Execution, after: Execution) -> tuple[Signal, ...]:
    if after.signal_count == before.signal_count:
        return ()
    return tuple(signal for signal in after.signals if signal.number > before.signal_count)


def _taken(before: Execution, after: Execution) -> tuple[int, ...]:
    if after.signals is before.signals:
        return ()
    left = {signal.number for signal in after.signals}
    return tuple(signal.number for signal in before.signals if signal.number not in left)


def _children(before: Execution, after: Execution, moved: Sequence[Step]) -> tuple[Execution, ...]:
    return tuple(
        _child(after, step)
        for step in moved
        if step.state is StepState.COMPLETED
        and after.plan.by_name[step.name].kind is StepKind.DETACHED
        and before.step(step.name).state is not StepState.COMPLETED
    )


def _child(parent: Execution, step: Step) -> Execution:
    """Give the execution that a fire-and-forget step becomes; its id follows from its parent's."""
    now = step.finished_at or parent.created_at
    return Execution(
        id=f"{parent.id}.{step.name}",
        plan=detached(parent.plan, step.name),
        input=parent.ctx,
        ctx=parent.ctx,
        input_hash="",
        created_at=now,
        run_at=now,
        tags=parent.tags,
        parent_id=parent.id,
    )
