"""Leases: claiming what is due, and renewing."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from active_workflow.store.base import ClaimRequest, Lease, Renewed
from active_workflow.store.codec import FORMAT
from active_workflow.store.jsontext import write_ascii
from active_workflow.store.redis.database import Database
from active_workflow.store.redis.reading import Fields

ROWS = 500
"""Executions that one script takes at most: nobody else is served while it runs."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a claim took, the longest due first; when something comes next; the store's time."""

    found: Sequence[tuple[str, Fields]]
    next_due: int | None
    now: int


def take(database: Database, request: ClaimRequest, clock: Callable[[], str]) -> Taken:
    """Take the leases of what is due, by as many scripts as are needed."""
    filters = write_ascii(
        {
            "format": FORMAT,
            "workflows": _list(request.workflows),
            "queues": _list(request.queues),
            "not_plans": _list(request.not_plans or None),
        }
    )
    found: dict[str, Fields] = {}
    left = max(request.limit, 0)
    while True:
        wanted = min(left, ROWS)
        answer = database.run("claim", clock(), request.owner, wanted, request.lease, filters, rows=wanted)
        now, next_due, rows = answer
        taken = {id.decode(): fields for id, fields in rows}
        comes_again = not found.keys().isdisjoint(taken)  # so short a lease was over at once
        found |= taken
        left -= len(taken)
        if not left or len(taken) < wanted or comes_again:
            return Taken(list(found.items()), int(next_due) if next_due else None, int(now))


def _list(values: Collection[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def renew(database: Database, leases: Sequence[Lease], lease: int, now: str) -> list[Renewed]:
    """Prolong the leases that are still held, and answer in order."""
    words = [word for each in leases for word in (each.id, each.token)]
    answers = database.run("renew", now, lease, *words, reserved=True)
    return [
        Renewed(each.id, bool(held), int(revision))
        for each, (held, revision) in zip(leases, answers, strict=True)
    ]
