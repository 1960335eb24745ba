"""Loading executions with their steps and unread signals, and finding them."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from active_workflow.core.snapshot import Execution
from active_workflow.errors import CorruptRow
from active_workflow.store.base import Query
from active_workflow.store.codec import corrupt, read_execution, tags_text
from active_workflow.store.plans import Plans
from active_workflow.store.sqlite.sql import SQL, as_json

Rows = list[tuple[Any, ...]]


@dataclass(slots=True)
class Fetched:
    """The rows of some executions, still to be read: that needs no connection."""

    executions: dict[str, tuple[Any, ...]]
    steps: dict[str, Rows]
    signals: dict[str, Rows]


def fetch(connection: sqlite3.Connection, ids: Sequence[str], plans: Plans) -> Fetched:
    """Fetch the rows of executions, and the plans that haven't been met yet."""
    wanted = as_json(ids)
    executions = {row[0]: row for row in connection.execute(SQL["load"], [wanted])}
    plans.learn(
        (row[1] for row in executions.values()),
        lambda hashes: connection.execute(SQL["load_plans"], [as_json(hashes)]),
    )
    return Fetched(
        executions,
        grouped(connection.execute(SQL["load_steps"], [wanted])),
        grouped(connection.execute(SQL["load_signals"], [wanted])),
    )


def grouped(rows: Iterable[tuple[Any, ...]]) -> dict[str, Rows]:
    """Give rows by execution."""
    groups: dict[str, Rows] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    return groups


def read(fetched: Fetched, id: str, plans: Plans) -> Execution:
    """Give one execution from fetched rows; CorruptRow where they can't be read."""
    row = fetched.executions[id]
    plan = plans.get(row[1])
    if plan is None:
        raise corrupt(id, f"its plan {row[1]} is missing in aw_plans, or can't be read")
    signals = (signal[1:] for signal in fetched.signals.get(id, ()))
    return read_execution(row, fetched.steps.get(id, ()), signals, plan)


def read_all(
    fetched: Fetched, ids: Iterable[str], plans: Plans
) -> tuple[list[Execution], dict[str, CorruptRow]]:
    """Give those of the executions that exist, in order; beside them those that can't be read."""
    executions: list[Execution] = []
    broken: dict[str, CorruptRow] = {}
    for id in ids:
        if id in fetched.executions:
            try:
                executions.append(read(fetched, id, plans))
            except CorruptRow as error:
                broken[id] = error
    return executions, broken


def find(connection: sqlite3.Connection, query: Query) -> list[str]:
    """Give the ids of one page, newest first."""
    parameters = {
        "states": as_json(query.states) if query.states else None,
        "workflow": query.workflow,
        "since": query.since,
        "after": query.after,
        "parent_id": query.parent_id,
        "tags": tags_text(query.tags) if query.tags else None,
        "limit": query.limit,
    }
    statement = SQL["find"] if query.parent_id is None else SQL["find_children"]
    return [id for (id,) in connection.execute(statement, parameters)]
