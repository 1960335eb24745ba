"""Inserting executions: one statement where no key is held, else a transaction that settles who gets what."""

from collections.abc import Iterator, Sequence

from psycopg.errors import UniqueViolation
from psycopg.types.numeric import Int8

from active_workflow.core.plan import Plan
from active_workflow.store.base import Inserted, NewExecution
from active_workflow.store.jsontext import write_ascii
from active_workflow.store.keys import held_by, settle_keys
from active_workflow.store.listening import Origin
from active_workflow.store.plans import Plans
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.encoding import ids_text, new_text, plans_text
from active_workflow.store.postgres.names import Names

LARGE = 16_000_000
"""Letters of one statement's batch; jsonb takes 256 MB at most."""
_TRIES = 20


class Inserter:
    """Inserts for one store.

    Args:
        names: The statements.
        plans: What is known of plans.
        origin: Who tells others of what came due.
    """

    def __init__(self, names: Names, plans: Plans, origin: Origin) -> None:
        self._names = names
        self._plans = plans
        self._origin = origin
        self._known: set[str] = set()

    def forget(self) -> None:
        """Take nothing for granted: a new connection may lead to another server."""
        self._known.clear()

    def insert(
        self, link: Link, new: Sequence[NewExecution], now: int | None, *, skip_conflicts: bool
    ) -> Sequence[Inserted]:
        """Insert what is new and holds its key, and answer in order."""
        self.put_plans(link, [item.execution.plan for item in new])
        ids = {item.execution.id for item in new}
        keys = [item.execution.key for item in new if item.execution.key is not None]
        if len(ids) == len(new) and len(set(keys)) == len(keys):
            texts = [*batches([new_text(item, takes_key=True) for item in new])]
            if len(texts) == 1 and self._try(link, texts[0], now):
                return [Inserted(item.execution.id) for item in new]
        for _ in range(_TRIES):
            answers = self._settle(link, new, keys, now, skip_conflicts=skip_conflicts)
            if answers is not None:
                return answers
        raise AssertionError("a key is held by an execution that isn't there: was a row deleted by hand?")

    def _try(self, link: Link, batch: str, now: int | None) -> bool:
        """Insert a batch, or nothing of it if a key is held or an id exists."""
        try:
            ((held, _),) = link.rows(
                self._names["insert"],
                [batch, None if now is None else Int8(now), self._names.channel, str(self._origin)],
            )
        except UniqueViolation:
            return False
        return not held

    def _settle(
        self,
        link: Link,
        new: Sequence[NewExecution],
        keys: Sequence[str],
        now: int | None,
        *,
        skip_conflicts: bool,
    ) -> Sequence[Inserted] | None:
        """Find out who holds what, decide and insert; None if somebody came in between."""
        with link.transaction() as transaction:
            held = held_by(link.rows(self._names["holders"], [write_ascii(sorted(set(keys)))]))
            rows = link.rows(self._names["existing_ids"], [ids_text(item.execution.id for item in new)])
            existing = {id for (id,) in rows}
            answers, accepted = settle_keys(new, held, existing, skip_conflicts=skip_conflicts)
            taken_over = [item.execution for item in accepted if item.execution.key in held]
            link.run(
                self._names["take_over"], [write_ascii([{"key": e.key, "id": e.id} for e in taken_over])]
            )
            texts = [new_text(item, takes_key=item.execution.key not in held) for item in accepted]
            if all(self._try(link, batch, now) for batch in batches(texts)):
                return answers
            transaction.force_rollback = True
        return None

    def put_plans(self, link: Link, plans: Sequence[Plan]) -> None:
        """See to it that the table of plans has these."""
        missing = {plan.hash: plan for plan in plans if plan.hash not in self._known}
        if missing:
            link.run(self._names["insert_plans"], [plans_text(missing.values(), self._plans)])
            self._known.update(missing)


def batches(texts: Sequence[str]) -> Iterator[str]:
    """Give the rows' texts as JSON arrays of bearable length."""
    batch: list[str] = []
    length = 0
    for text in texts:
        batch.append(text)
        length += len(text)
        if length > LARGE:
            yield "[" + ",".join(batch) + "]"
            batch, length = [], 0
    if batch:
        yield "[" + ",".join(batch) + "]"
