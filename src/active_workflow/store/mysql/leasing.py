"""Leases: claiming what is due, renewing, giving up."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from active_workflow.store.base import ClaimRequest, Lease, Renewed
from active_workflow.store.codec import FORMAT
from active_workflow.store.fetched import Fetched
from active_workflow.store.mysql.connection import Answer, Link
from active_workflow.store.mysql.rows import id_table, listed, pieces
from active_workflow.store.mysql.statement import (
    COMMIT,
    START,
    Expression,
    Listed,
    Statement,
    Statements,
    Table,
    time_of,
)
from active_workflow.store.one_shape import sorted_out

Kind = tuple[str, str]
"""A workflow and a queue."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a claim took.

    Attributes:
        ids: The executions, the longest due first.
        fetched: Their rows.
        next_due: When something comes next.
        now: The store's time.
    """

    ids: Sequence[str]
    fetched: Fetched
    next_due: int | None
    now: int


class Claimer:
    """Claims for one store.

    Args:
        say: Its statements.
        given_time: Gives the time of a clock that was given, or None.
    """

    def __init__(self, say: Statements, given_time: Callable[[], int | None]) -> None:
        self._say = say
        self._given_time = given_time
        self._kinds: Sequence[Kind] = ()

    def take(self, link: Link, request: ClaimRequest) -> Taken:
        """Take the leases of what is due. Where nothing is, it is one look without a lock."""
        firsts, now = self._look(link, request)
        due = [kind for kind, at in firsts.items() if at <= now]
        if request.limit <= 0 or not due:
            return Taken((), Fetched(), min(firsts.values(), default=None), now)
        lists = link.run(START, *(self._due(kind, request, now) for kind in due))[1:]
        found = sorted(row for answer in lists for row in answer.rows)[: request.limit]
        return self._take(link, request, [id for _, id in found], due_kinds=firsts, now=now)

    def _take(
        self, link: Link, request: ClaimRequest, ids: Sequence[str], *, due_kinds: Iterable[Kind], now: int
    ) -> Taken:
        """Take the leases of rows that are locked, and load them while they are."""
        take = [
            self._say("take", batch=Table(("id",), piece), owner=request.owner, until=now + request.lease)
            for piece in pieces([(id,) for id in sorted(ids)])
        ]
        looks = self._looks(list(due_kinds), request)
        loads = [self._say("load", ids=listed(ids))] if ids else []
        answers = link.run(*take, *loads, *looks, COMMIT)[len(take) : -1]
        fetched = sorted_out(answers.pop(0).rows if loads else ())
        return Taken(ids, fetched, min((at for _, at in _rows(answers)), default=None), now)

    def _look(self, link: Link, request: ClaimRequest) -> tuple[dict[Kind, int], int]:
        """Give when the first of each kind that is served may be claimed, and the time."""
        while True:
            known = self._kinds
            served = [kind for kind in known if _serves(request, kind)]
            looks = self._looks(served, request)
            clock = self._say("clock", now=time_of(self._given_time()))
            kinds, now, *answers = link.run(self._say("kinds"), clock, *looks)
            if len(kinds.rows) == len(known) and set(kinds.rows) == set(known):
                return {served[number]: at for number, at in _rows(answers)}, now.rows[0][0]
            self._kinds = [(workflow, queue) for workflow, queue in kinds.rows]

    def _looks(self, kinds: Sequence[Kind], request: ClaimRequest) -> list[Statement]:
        """Give the statements that look at the first of each kind."""
        return [
            self._say("first_of_kind", number=number, **_filters(kind, request))
            for number, kind in enumerate(kinds)
        ]

    def _due(self, kind: Kind, request: ClaimRequest, now: int) -> Statement:
        return self._say("due_of_kind", now=now, limit=request.limit, **_filters(kind, request))


def _serves(request: ClaimRequest, kind: Kind) -> bool:
    workflow, queue = kind
    return (request.workflows is None or workflow in request.workflows) and (
        request.queues is None or queue in request.queues
    )


def _filters(kind: Kind, request: ClaimRequest) -> dict[str, object]:
    not_plans = Listed(sorted(request.not_plans)) if request.not_plans else None
    return {"workflow": kind[0], "queue": kind[1], "format": FORMAT, "not_plans": not_plans}


def _rows(answers: Iterable[Answer]) -> list[tuple[int, int]]:
    return [(number, at) for answer in answers for number, at in answer.rows]


def renew(
    link: Link, say: Statements, leases: Sequence[Lease], lease: int, now: Expression
) -> Sequence[Renewed]:
    """Prolong the leases that are still held, and answer in order."""
    rows = sorted((each.id, each.token) for each in leases)
    renewals = [
        say("renew", batch=Table(("id", "token"), piece), now=now, lease=lease) for piece in pieces(rows)
    ]
    *_, found = link.run(*renewals, say("held", ids=listed(each.id for each in leases)))
    rows_by_id = {id: (token, revision, held) for id, token, revision, held in found.rows}
    answers = []
    for each in leases:
        token, revision, held = rows_by_id.get(each.id, (0, 0, 0))
        answers.append(Renewed(each.id, held=bool(held) and token == each.token, revision=revision))
    return answers


def release(link: Link, say: Statements, leases: Sequence[Lease], due_at: Mapping[str, int | None]) -> None:
    """Give up the leases that are still held."""
    rows = sorted([(each.id, each.token, due_at.get(each.id)) for each in leases], key=lambda row: row[:2])
    link.run(*(say("release", batch=Table(("id", "token", "due_at"), piece)) for piece in pieces(rows)))


def postpone(link: Link, say: Statements, ids: Iterable[str], until: int) -> None:
    """Leave rows alone until an instant."""
    link.run(say("postpone", batch=id_table(ids), until=until))
