"""Moving an execution to another store: a mark here, a mark there, and never alive in both.

The order is the copier's: ``announced`` is inserted there, ``departed`` is committed here, ``arrived`` is
committed there. From the first to the last of these a crash leaves it alive here or nowhere, and the marks
tell how to go on.
"""

from active_workflow.core.elsewhere import Elsewhere
from active_workflow.core.events import WorkerLost
from active_workflow.core.machine import apply
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import Phase


def announced(x: Execution, place: str, ticket: str, now: int) -> Execution:
    """Give what holds an execution's place in the store that it moves to: as if new, and inert.

    Args:
        x: The execution as it is where it comes from.
        place: Where that is.
        ticket: Which move this is.
        now: The other store's time, microseconds.
    """
    return Execution(
        id=x.id,
        plan=x.plan,
        input=x.input,
        ctx=x.input,
        input_hash=x.input_hash,
        created_at=x.created_at,
        run_at=x.run_at,
        tags=x.tags,
        key=x.key,
        parent_id=x.parent_id,
        paused_at=now,
        elsewhere=Elsewhere(place, ticket, arrives=True),
        revision=1,
    )


def departed(x: Execution, place: str, ticket: str, now: int) -> Execution:
    """Give an execution that nobody holds as it stays behind when it moves away.

    Attempts that were begun have lost their worker, and that is seen to here: over there nothing of them is
    known to run.

    Args:
        x: The execution as it is.
        place: Where it goes.
        ticket: Which move this is.
        now: This store's time, microseconds.
    """
    if x.elsewhere is not None or x.phase is Phase.OVER:
        return x
    x = apply(x, WorkerLost(), now)
    if x.phase is Phase.OVER:
        return x
    return x.evolve(
        paused_at=now if x.paused_at is None else x.paused_at,
        elsewhere=Elsewhere(place, ticket, paused_at=x.paused_at),
        asked_under=None,  # claims are counted anew over there
    )


def arrived(x: Execution) -> Execution:
    """Give an execution that ``departed`` as it lives on."""
    return x if x.elsewhere is None else x.evolve(paused_at=x.elsewhere.paused_at, elsewhere=None)
