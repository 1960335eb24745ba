"""Committing changes: many in one transaction, each whole or not at all."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution
from active_workflow.store.base import Applied, Verdict, children_of
from active_workflow.store.codec import moved_columns
from active_workflow.store.plans import Plans
from active_workflow.store.sqlite.connection import DATA_ERRORS
from active_workflow.store.sqlite.inserting import insert, put_signals, put_steps
from active_workflow.store.sqlite.sql import SQL
from active_workflow.store.step_rows import step_row


@dataclass(slots=True)
class Encoded:
    """A change with its rows, made before the write lock is taken."""

    change: Change
    statement: str
    row: tuple[Any, ...]
    steps: list[tuple[Any, ...]]


def encode(change: Change) -> Encoded:
    """Give a change's statement, its parameters and its step rows."""
    after = change.after
    moved = (*moved_columns(after), after.revision)
    guards = (after.id, after.revision - 1)
    steps = [step_row(after, step) for step in change.steps]
    if not change.owned:
        return Encoded(change, SQL["interject"], (*moved, change.due_at, *guards), steps)
    if change.release:
        return Encoded(change, SQL["settle"], (*moved, change.due_at, *guards, after.token), steps)
    return Encoded(change, SQL["advance"], (*moved, *guards, after.token), steps)


def apply_all(
    connection: sqlite3.Connection, batch: Sequence[Encoded], plans: Plans, now: int
) -> list[Applied]:
    """Apply a batch inside the caller's transaction; data that SQLite refuses raises its error."""
    moved = _move_owned(connection, batch)
    answers = [
        _applied(item.change.after) if moved and item.change.owned else _move(connection, item)
        for item in batch
    ]
    applied = [item for item, answer in zip(batch, answers, strict=True) if answer.verdict is Verdict.APPLIED]
    put_steps(connection, [row for item in applied for row in item.steps])
    for change in (item.change for item in applied):
        if change.received:
            put_signals(connection, [(change.id, signal) for signal in change.received])
        if change.taken:
            connection.executemany(SQL["take_signal"], [(change.id, number) for number in change.taken])
        if change.children:
            insert(connection, children_of(change), plans, now, skip_conflicts=True)
    return answers


def apply_one_by_one(
    connection: sqlite3.Connection, batch: Sequence[Encoded], plans: Plans, now: int
) -> list[Applied]:
    """Apply a batch of which something was refused: each change for itself, so that the others stand."""
    answers = []
    for item in batch:
        connection.execute("SAVEPOINT one")
        try:
            answers += apply_all(connection, [item], plans, now)
        except DATA_ERRORS as error:
            connection.execute("ROLLBACK TO one")
            answers.append(Applied(item.change.id, Verdict.REJECTED, *_guards(connection, item), str(error)))
        connection.execute("RELEASE one")
    return answers


def _move_owned(connection: sqlite3.Connection, batch: Sequence[Encoded]) -> bool:
    """Move the rows of their owners' changes by one call for each statement; if one is refused, none."""
    if len(batch) == 1:
        return False  # alone it needs no safeguard
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for item in batch:
        if item.change.owned:
            rows[item.statement].append(item.row)
    connection.execute("SAVEPOINT owned")
    whole = all(
        connection.executemany(statement, group).rowcount == len(group) for statement, group in rows.items()
    )
    if not whole:
        connection.execute("ROLLBACK TO owned")
    connection.execute("RELEASE owned")
    return whole


def _applied(after: Execution) -> Applied:
    return Applied(after.id, Verdict.APPLIED, after.revision, after.token)


def _move(connection: sqlite3.Connection, item: Encoded) -> Applied:
    after = item.change.after
    cursor = connection.execute(item.statement, item.row)
    if item.change.owned:
        if cursor.rowcount == 1:
            return _applied(after)
    elif found := cursor.fetchone():
        return Applied(after.id, Verdict.APPLIED, after.revision, found[0])
    return Applied(after.id, Verdict.REFUSED, *_guards(connection, item))


def _guards(connection: sqlite3.Connection, item: Encoded) -> tuple[int, int]:
    found: tuple[int, int] | None = connection.execute(SQL["guards"], [item.change.id]).fetchone()
    return found or (0, 0)
