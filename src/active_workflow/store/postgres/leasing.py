"""Leases: claiming what is due, renewing, giving up."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from psycopg.types.numeric import Int8

from active_workflow.store.base import ClaimRequest, Lease, Renewed
from active_workflow.store.codec import FORMAT
from active_workflow.store.jsontext import write_ascii
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.encoding import ids_text, leases_text
from active_workflow.store.postgres.names import Names, as_parameter


@dataclass(frozen=True, slots=True)
class Taken:
    """What a claim took: tokens by id, the longest due first; when something comes next; the store's time."""

    tokens: Mapping[str, int]
    next_due: int | None
    now: int


def take(link: Link, names: Names, request: ClaimRequest, now: int | None) -> Taken:
    """Take the leases of what is due."""
    rows = link.rows(
        names["claim"],
        [
            request.owner,
            Int8(max(request.limit, 0)),
            Int8(request.lease),
            Int8(FORMAT),
            _list(request.workflows),
            _list(request.queues),
            _list(request.not_plans or None),
            as_parameter(now),
        ],
    )
    *taken, (_, seen, next_due) = sorted(rows, key=_age)
    return Taken({id: token for id, token, _ in taken}, next_due, seen)


def _age(row: tuple[str | None, int, int]) -> tuple[bool, int, str]:
    """Sort by age; the row that tells the time comes last."""
    id, _, at = row
    return (False, at, id) if id is not None else (True, 0, "")


def _list(values: Collection[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def renew(
    link: Link, names: Names, leases: Sequence[Lease], lease: int, now: int | None
) -> Sequence[Renewed]:
    """Prolong the leases that are still held, and answer in order."""
    rows = link.rows(names["renew"], [leases_text(leases), Int8(lease), as_parameter(now)])
    held = {(id, token): revision for id, token, revision in rows}
    lost = [each.id for each in leases if (each.id, each.token) not in held]
    found = {id: revision for id, revision, _ in link.rows(names["guards"], [ids_text(lost)])} if lost else {}
    return [
        Renewed(each.id, held=True, revision=held[each.id, each.token])
        if (each.id, each.token) in held
        else Renewed(each.id, held=False, revision=found.get(each.id, 0))
        for each in leases
    ]


def release(
    link: Link, names: Names, leases: Sequence[Lease], due_at: Mapping[str, int | None], origin: str
) -> None:
    """Give up the leases that are still held."""
    ordered = sorted(leases, key=lambda lease: lease.id)
    rows = [{"id": each.id, "token": each.token, "due_at": due_at.get(each.id)} for each in ordered]
    link.run(names["release"], [write_ascii(rows), names.channel, origin])
