"""A whole copy: everything is moved, the oldest first, and then both stores are compared."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from active_workflow.core.relocating import arrived
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import Phase
from active_workflow.engine.copying.mover import End, Mover
from active_workflow.engine.copying.pairs import has_left, is_announced, same
from active_workflow.engine.copying.report import Copied
from active_workflow.errors import ConfigurationError, StoreError
from active_workflow.store.base import Query, Store
from active_workflow.store.readiness import ready

Progress = Callable[[str, int, int], None]
"""Told what is being done ("Copying" or "Comparing"), how many are done with, and of how many."""

BATCH = 100
PASSES = 3
"""So often what came meanwhile is looked for; a source in full use never comes to an end."""
_ANNOUNCED = 2
"""The revision with which an execution arrives: what has a later one has gone on."""


def copy_executions(
    source: Store,
    target: Store,
    *,
    source_name: str = "another store",
    target_name: str = "another store",
    progress: Progress = lambda _stage, _done, _total: None,
) -> Copied:
    """Move all executions of a store to another one: what is over is copied, what is not lives on there.

    It may be ended in any way and called again: it goes on where it was. What a worker of the source holds
    stays there for now, and what lives in the target already is never overwritten.

    Args:
        source: Where they are. What has left it stays there as a mark, paused, and takes nothing more.
        target: Where they are to be.
        source_name: How the marks in the target call the source.
        target_name: How the marks in the source, and ``ExecutionMoved``, call the target.
        progress: Told how far it is.

    Returns:
        What became of it, by a comparison of both stores at the end.

    Raises:
        ConfigurationError: Both are one and the same.
        SchemaError: One is on a server, and its tables are missing or of another generation.
        StoreError: A store failed, or was pruned meanwhile. Call it again.
    """
    for store in (source, target):
        ready(store)
    _refuse_the_same(source, target)
    ends = End(source, source_name), End(target, target_name)
    report = _pass(*ends, progress)
    for _ in range(PASSES - 1):
        if not report.left:
            break
        copied, report = report.copied, _pass(*ends, progress)
        report.copied += copied
    return report


def _pass(source: End, target: End, progress: Progress) -> Copied:
    report = Copied()
    _move_all(source, target, report, progress)
    _compare_all(source, target, report, progress)
    return report


def _refuse_the_same(source: Store, target: Store) -> None:
    """Raise an error if both are one: a copy never has the token of what was claimed, and lives in one."""
    some = source.find(Query(limit=BATCH))
    there = {x.id: x for x in target.load([x.id for x in some])}
    for x in some:
        lives = x.phase is not Phase.OVER and x.elsewhere is None
        if there.get(x.id) == x and (lives or x.token):
            raise ConfigurationError("both are the same store: name the one to move to")


def _pages(store: Store) -> Iterator[Sequence[Execution]]:
    """Give all executions of a store in pages, the newest first."""
    after = None
    while page := store.find(Query(after=after, limit=BATCH)):
        yield page
        after = page[-1].id
    if after is not None and not store.states([after]):
        raise StoreError("executions were pruned while they were read: run the copy again")


def _move_all(source: End, target: End, report: Copied, progress: Progress) -> None:
    """Move everything; the oldest first, so that who took a key over comes after its earlier holder."""
    ids = [x.id for page in _pages(source.store) for x in page]
    mover = Mover(source, target, report)
    left = reversed(ids)
    progress("Copying", 0, len(ids))
    done = 0
    while batch := list(islice(left, BATCH)):
        mover.move(batch)
        done += len(batch)
        progress("Copying", done, len(ids))


def _compare_all(source: End, target: End, report: Copied, progress: Progress) -> None:
    """Compare all of the source with what the target has."""
    for page in _pages(source.store):
        there = {x.id: x for x in target.store.load([x.id for x in page])}
        for x in page:
            _compare(source.store, x, there.get(x.id), report)
        report.executions += len(page)
        progress("Comparing", report.executions, report.executions)


def _compare(source: Store, here: Execution, there: Execution | None, report: Copied) -> None:
    """Find how an execution stands."""
    if here.id in report.conflicts:
        return
    if _lives(here):
        _compare_alive(source, here, there, report)
    elif here.elsewhere is not None and here.elsewhere.arrives:
        report.conflicts[here.id] = f"it is still being moved here from {here.elsewhere.place}"
    elif there is not None and there.elsewhere is None and same(arrived(here), there):
        report.same += 1
    elif there is None and has_left(here):
        report.gone += 1
    elif there is None or is_announced(there):
        report.left += 1
    elif has_left(here) and (there.revision > _ANNOUNCED or there.elsewhere is not None):
        report.went_on += 1
    else:
        report.conflicts[here.id] = "the target has another one of this id"


def _lives(here: Execution) -> bool:
    return here.elsewhere is None and here.phase is not Phase.OVER


def _compare_alive(source: Store, here: Execution, there: Execution | None, report: Copied) -> None:
    lease = source.lease_of(here.id)
    if there is not None and there.elsewhere is None:
        report.conflicts[here.id] = "it lives in both stores: the target has another one of this id"
    elif lease is not None:
        report.held[lease.owner] += 1
    else:
        report.left += 1
