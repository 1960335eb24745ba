"""Inserting executions: who gets which idempotency key, then all rows of a batch in a few statements."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from active_workflow.core.snapshot import Execution, Signal
from active_workflow.store.base import Inserted, NewExecution
from active_workflow.store.codec import fixed_columns, moved_columns
from active_workflow.store.keys import held_by, settle_keys
from active_workflow.store.plans import Plans
from active_workflow.store.sqlite.sql import SQL, as_json
from active_workflow.store.step_rows import step_row

Values = tuple[Any, ...]


def insert(
    connection: sqlite3.Connection,
    new: Sequence[NewExecution],
    plans: Plans,
    now: int,
    *,
    skip_conflicts: bool,
) -> Sequence[Inserted]:
    """Insert what is new and holds its key, inside the caller's transaction, and answer in order."""
    keys = {item.execution.key for item in new if item.execution.key is not None}
    held = held_by(connection.execute(SQL["holders"], [as_json(keys)])) if keys else {}
    existing = {
        id for (id,) in connection.execute(SQL["existing_ids"], [as_json([n.execution.id for n in new])])
    }
    answers, accepted = settle_keys(new, held, existing, skip_conflicts=skip_conflicts)
    put_executions(connection, accepted, plans, now)
    return answers


def put_executions(
    connection: sqlite3.Connection, new: Sequence[NewExecution], plans: Plans, now: int
) -> None:
    """Write the rows of executions that are known to be new."""
    for statement, rows in writes(new, plans, now):
        if rows:
            connection.executemany(statement, rows)


def writes(new: Sequence[NewExecution], plans: Plans, now: int) -> Iterator[tuple[str, list[Values]]]:
    """Give the statements that write the rows of executions that are known to be new, each with its rows."""
    executions = [item.execution for item in new]
    plan_of = {execution.plan.hash: execution.plan for execution in executions}
    yield SQL["insert_plan"], [(plan.hash, plan.workflow, plans.body(plan)) for plan in plan_of.values()]
    yield SQL["insert_execution"], [_row(item, now) for item in new]
    yield SQL["hold_key"], [(e.key, e.id) for e in executions if e.key is not None]
    yield SQL["put_step"], _steps_of(executions)
    yield SQL["put_signal"], [_signal_row(e.id, signal) for e in executions for signal in e.signals]


def _row(item: NewExecution, now: int) -> Values:
    execution = item.execution
    held = item.lease_owner is not None
    return (
        *fixed_columns(execution),
        *moved_columns(execution),
        execution.revision,
        execution.token,
        item.due_at,
        item.lease_owner,
        now + item.lease if held else None,
    )


def _steps_of(executions: Iterable[Execution]) -> list[Values]:
    return [step_row(e, step) for e in executions for step in e.steps.values() if not step.active]


def put_steps(connection: sqlite3.Connection, rows: list[Values]) -> None:
    """Write rows of steps that are over or wait."""
    if rows:
        connection.executemany(SQL["put_step"], rows)


def put_signals(connection: sqlite3.Connection, signals: Sequence[tuple[str, Signal]]) -> None:
    """Write signals that no step has taken."""
    if signals:
        connection.executemany(SQL["put_signal"], [_signal_row(id, signal) for id, signal in signals])


def _signal_row(id: str, signal: Signal) -> Values:
    return (id, signal.number, signal.name, signal.payload, signal.key, signal.received_at)
