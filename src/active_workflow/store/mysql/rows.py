"""Rows as the statements take them, in batches that fit into a message."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution, Signal
from active_workflow.errors import DataRejected
from active_workflow.store.base import NewExecution, children_of
from active_workflow.store.codec import fixed_columns, moved_columns
from active_workflow.store.faults import is_text
from active_workflow.store.mysql.statement import Expression, Listed, Table
from active_workflow.store.step_rows import step_row

Row = tuple[Any, ...]
R = TypeVar("R", bound=Sequence[Any])

CHANGED = (
    *("id", "queue", "state", "active", "marks", "seq", "started_at", "completed_at"),
    *("revision", "token", "released", "due_at"),
)
_ROWS = 500
_LETTERS = 1_000_000


def pieces(rows: Iterable[R]) -> Iterator[list[R]]:
    """Give rows in pieces of bearable length; a row that is longer is a piece of its own."""
    piece: list[R] = []
    length = 0
    for row in rows:
        letters = sum(len(value) for value in row if isinstance(value, str))
        if piece and (len(piece) == _ROWS or length + letters > _LETTERS):
            yield piece
            piece, length = [], 0
        piece.append(row)
        length += letters
    if piece:
        yield piece


def listed(ids: Iterable[str]) -> Listed:
    """Give ids, each once; what is no text is left out, for nothing can be stored under it."""
    return Listed([id for id in dict.fromkeys(ids) if is_text(id)])


def id_table(ids: Iterable[str]) -> Table:
    """Give ids as a table, in their order."""
    return Table(("id",), [(id,) for id in sorted(ids)])


def changed_row(change: Change) -> Row:
    """Give what a change makes of an execution's row; the columns are ``CHANGED``."""
    after = change.after
    token = after.token if change.owned else None
    released = change.owned and change.release
    return (after.id, *moved_columns(after), after.revision, token, released, change.due_at)


def step_rows(changes: Iterable[Change]) -> list[Row]:
    """Give the rows of steps that changes have moved."""
    return [step_row(change.after, step) for change in changes for step in change.steps]


def first_step_rows(executions: Iterable[Execution]) -> list[Row]:
    """Give the rows of steps that new executions have."""
    return [step_row(e, step) for e in executions for step in e.steps.values() if not step.active]


def signal_row(id: str, signal: Signal) -> Row:
    """Give a signal's row."""
    return (id, signal.number, signal.name, signal.payload, signal.key, signal.received_at)


def child_rows(changes: Iterable[Change], now: Expression) -> list[Row]:
    """Give the rows of executions that changes start."""
    return [new_row(child, now) for change in changes for child in children_of(change)]


def new_row(item: NewExecution, now: Expression) -> Row:
    """Give a new execution's row.

    Raises:
        DataRejected: Something is too long for its column: a session that isn't strict would cut it.
    """
    execution = item.execution
    _check_length("id", execution.id, 512)
    _check_length("parent's id", execution.parent_id, 512)
    if execution.key is not None:
        check_key_length(execution.key)
    _check_length("workflow's name", execution.plan.workflow, 512)
    return (
        *fixed_columns(execution),
        *moved_columns(execution),
        execution.revision,
        execution.token,
        item.due_at,
        item.lease_owner,
        Expression(f"{now.text} + {int(item.lease)}") if item.lease_owner is not None else None,
    )


def check_key_length(key: str) -> None:
    """Raise DataRejected for a key that is too long for its column."""
    _check_length("idempotency key", key, 1024)


def _check_length(what: str, text: str | None, limit: int) -> None:
    if text is not None and len(text) * 4 > limit and len(text.encode()) > limit:
        raise DataRejected(f"the {what} {text[:40]!r}… is too long: at most {limit} bytes")
