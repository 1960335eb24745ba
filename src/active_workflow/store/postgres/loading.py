"""Loading executions with their steps and unread signals, and finding them."""

from collections.abc import Sequence
from typing import Any

from active_workflow.core.states import State
from active_workflow.store.base import Query
from active_workflow.store.fetched import Fetched
from active_workflow.store.jsontext import write_ascii
from active_workflow.store.one_shape import sorted_out
from active_workflow.store.plans import Plans
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.encoding import ids_text
from active_workflow.store.postgres.names import Names


def fetch(link: Link, names: Names, ids: Sequence[str], plans: Plans) -> Fetched:
    """Fetch the rows of executions by one statement, and the plans that haven't been met yet by another."""
    fetched = sorted_out(link.rows(names["load"], [ids_text(ids)]) if ids else ())
    learn(link, names, fetched, plans)
    return fetched


def learn(link: Link, names: Names, fetched: Fetched, plans: Plans) -> None:
    """Fetch the plans of executions that haven't been met yet."""
    plans.learn(
        fetched.plans(),
        lambda hashes: [
            (digest, body) for digest, body in link.rows(names["load_plans"], [ids_text(hashes)])
        ],
    )


def find(link: Link, names: Names, query: Query) -> list[str]:
    """Give the ids of one page, newest first."""
    values: dict[str, Any] = {
        "limit": query.limit,
        "after": query.after,
        "parent_id": query.parent_id,
        "states": write_ascii(list(query.states)) if query.states else None,
        "live": True if query.states and not any(State(s).terminal for s in query.states) else None,
        "workflow": query.workflow,
        "since": query.since,
        "tags": write_ascii(dict(query.tags)) if query.tags else None,
    }
    statement, parameters = names.with_lines("find", values)
    return [id for (id,) in link.rows(statement, parameters)]
