"""An execution in both stores: what is still to be done about it, and whether it is the same."""

from active_workflow.core.snapshot import Execution
from active_workflow.core.states import Phase, StepState


def has_left(here: Execution) -> bool:
    """Tell whether it was here and has left for another store."""
    return here.elsewhere is not None and not here.elsewhere.arrives


def is_announced(there: Execution | None) -> bool:
    """Tell whether its place in the target is taken, and nothing else is there yet."""
    return there is not None and there.elsewhere is not None and there.elsewhere.arrives


def can_be_announced(here: Execution, there: Execution | None) -> bool:
    """Tell whether it is to be announced: it lives here, and is not there (or has left there for here)."""
    return here.elsewhere is None and (there is None or has_left(there))


def can_depart(here: Execution, there: Execution | None) -> bool:
    """Tell whether it is to leave: it lives here, and its place there is taken."""
    return here.elsewhere is None and here.phase is not Phase.OVER and is_announced(there)


def can_arrive(here: Execution, there: Execution | None) -> bool:
    """Tell whether it is to live there: by this very move it has left here, or it is over."""
    if there is None or there.elsewhere is None or not there.elsewhere.arrives:
        return False
    if here.elsewhere is None:
        return here.phase is Phase.OVER
    return not here.elsewhere.arrives and here.elsewhere.ticket == there.elsewhere.ticket


def needs_work(here: Execution, there: Execution | None) -> bool:
    """Tell whether a copy has something to do about it."""
    return can_be_announced(here, there) or can_depart(here, there) or can_arrive(here, there)


def same(here: Execution, there: Execution) -> bool:
    """Tell whether both are the same in every field but the guards, which each store counts for itself.

    A sign of life raises no revision; one that came to the target since is no difference.
    """
    for step in here.steps.values():
        other = there.step(step.name)
        if step.state is StepState.WAITING and (other.heartbeat_at or 0) > (step.heartbeat_at or 0):
            here = here.with_step(step.evolve(heartbeat_at=other.heartbeat_at, heartbeat=other.heartbeat))
    return here.evolve(revision=there.revision, token=there.token) == there
