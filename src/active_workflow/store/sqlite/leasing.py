"""Leases: claiming what is due, renewing, giving up."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from active_workflow.store.base import ClaimRequest, Lease, Renewed
from active_workflow.store.codec import FORMAT
from active_workflow.store.sqlite.sql import SQL, as_json


def filters(request: ClaimRequest) -> dict[str, Any]:
    """Give a request's filters as parameters."""
    return {
        "format": FORMAT,
        "workflows": _list(request.workflows),
        "queues": _list(request.queues),
        "not_plans": _list(request.not_plans or None),
    }


def _list(values: Collection[str] | None) -> str | None:
    return None if values is None else as_json(values)


def due(connection: sqlite3.Connection, request: ClaimRequest, now: int) -> list[str]:
    """Give the ids of what may be claimed, the longest due first."""
    rows = connection.execute(SQL["due"], {**filters(request), "now": now, "limit": request.limit})
    return [id for (id,) in rows]


def next_due(connection: sqlite3.Connection, request: ClaimRequest) -> int | None:
    """Tell when such a request may claim something next."""
    found: int | None = connection.execute(SQL["next_due"], filters(request)).fetchone()[0]
    return found


def take(connection: sqlite3.Connection, request: ClaimRequest, now: int) -> list[str]:
    """Take the leases and give the ids, the longest due first."""
    ids = due(connection, request, now)
    connection.execute(SQL["claim"], (request.owner, now + request.lease, as_json(ids)))
    return ids


def renew(connection: sqlite3.Connection, leases: Sequence[Lease], until: int) -> list[Renewed]:
    """Prolong the leases that are still held, and answer in order."""
    answers = []
    for lease in leases:
        held = connection.execute(SQL["renew"], (until, lease.id, lease.token)).fetchone()
        found = held or connection.execute(SQL["revision_of"], (lease.id,)).fetchone()
        answers.append(Renewed(lease.id, held is not None, found[0] if found else 0))
    return answers


def release(
    connection: sqlite3.Connection, leases: Sequence[Lease], due_at: Mapping[str, int | None]
) -> None:
    """Give up the leases that are still held."""
    connection.executemany(
        SQL["release"], [(due_at.get(lease.id), lease.id, lease.token) for lease in leases]
    )


def postpone(connection: sqlite3.Connection, ids: Collection[str], until: int) -> None:
    """Leave rows alone until an instant."""
    connection.executemany(SQL["postpone"], [(until, id) for id in ids])
