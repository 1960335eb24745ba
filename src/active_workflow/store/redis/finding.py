"""Finding executions: piece by piece, so that a long search holds nobody else up."""

from active_workflow.core.states import State
from active_workflow.store.base import Query
from active_workflow.store.faults import is_text
from active_workflow.store.jsontext import write_ascii
from active_workflow.store.redis.database import Database
from active_workflow.store.redis.packing import LIVE, list_of, sortable
from active_workflow.store.redis.reading import Fields

LOOKS = 1_000
"""Entries that one script looks at, at most."""
ROWS = 200
"""Executions that one script gives, at most."""


def find(database: Database, query: Query) -> list[tuple[str, Fields]]:
    """Give the fields of one page, newest first."""
    lists, states = _lists(query)
    asked = {
        "lists": lists,
        "states": states,
        "workflow": query.workflow,
        "tags": list(query.tags.items()),
        "since": None if query.since is None else sortable(query.since),
        "after": query.after,
        "looks": LOOKS,
    }
    texts = [
        query.parent_id or "",
        query.workflow or "",
        query.after or "",
        *query.tags,
        *query.tags.values(),
    ]
    found: list[tuple[str, Fields]] = []
    below: str | None = None
    while len(found) < query.limit and all(map(is_text, texts)):
        limit = min(query.limit - len(found), ROWS)
        answer, rows = database.run("find", write_ascii({**asked, "below": below, "limit": limit}))
        found += ((id.decode(), fields) for id, fields in rows)
        below = answer.decode()
        if not below:
            break
    return found


def _lists(query: Query) -> tuple[list[str], list[str] | None]:
    """Give the lists to look through, and the states to choose by where a list holds others as well."""
    states = [State(state) for state in query.states]
    values = [state.value for state in states] or None
    if query.parent_id is not None:
        return [f"children:{query.parent_id}"], values
    lists = sorted({list_of(state) for state in (states or State)})
    return [f"in:{name}" for name in lists], values if LIVE in lists else None
