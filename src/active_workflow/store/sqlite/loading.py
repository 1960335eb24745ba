"""Loading executions with their steps and unread signals, and finding them."""

import sqlite3
from collections.abc import Iterable, Sequence

from active_workflow.store.base import Query
from active_workflow.store.codec import tags_text
from active_workflow.store.fetched import Fetched, Groups, Row, no_groups
from active_workflow.store.plans import Plans
from active_workflow.store.sqlite.sql import SQL, as_json


def fetch(connection: sqlite3.Connection, ids: Sequence[str], plans: Plans) -> Fetched:
    """Fetch the rows of executions, and the plans that haven't been met yet."""
    wanted = as_json(ids)
    fetched = Fetched({row[0]: row for row in connection.execute(SQL["load"], [wanted])})
    plans.learn(fetched.plans(), lambda hashes: connection.execute(SQL["load_plans"], [as_json(hashes)]))
    fetched.steps = grouped(connection.execute(SQL["load_steps"], [wanted]))
    fetched.signals = grouped(connection.execute(SQL["load_signals"], [wanted]), first=1)
    return fetched


def grouped(rows: Iterable[Row], *, first: int = 0) -> Groups:
    """Give rows by execution, whose id comes first in each; their columns from ``first`` on."""
    groups = no_groups()
    for row in rows:
        groups[row[0]].append(row[first:])
    return groups


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
