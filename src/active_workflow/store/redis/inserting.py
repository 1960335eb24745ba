"""Inserting executions: one script, and again if somebody holds a key or has an id."""

import json
from collections.abc import Container, Iterable, Mapping, Sequence

from active_workflow.core.plan import Plan
from active_workflow.errors import DataRejected
from active_workflow.store.base import Holder, Inserted, NewExecution
from active_workflow.store.keys import Held, settle_keys
from active_workflow.store.listening import Origin
from active_workflow.store.plans import Plans
from active_workflow.store.redis.database import Database
from active_workflow.store.redis.packing import bodies, new_item, packed

LARGE = 256_000_000
"""Bytes of one call at most: a server takes 1 GB and closes the connection over more."""
_TRIES = 100


class Inserter:
    """Inserts for one store.

    Args:
        database: Where.
        plans: What is known of plans.
        origin: Who tells others of what came due.
    """

    def __init__(self, database: Database, plans: Plans, origin: Origin) -> None:
        self._database = database
        self._plans = plans
        self._origin = origin
        self._known: set[str] = set()

    def forget(self) -> None:
        """Take nothing for granted: a new connection may lead to another server."""
        self._known.clear()

    def insert(self, new: Sequence[NewExecution], now: str, *, skip_conflicts: bool) -> Sequence[Inserted]:
        """Insert what is new and holds its key, and answer in order."""
        held: dict[str, Held] = {}
        existing: set[str] = set()
        for _ in range(_TRIES):
            answers, accepted = settle_keys(new, held, existing, skip_conflicts=skip_conflicts)
            found = self._try(accepted, _ids(new, existing), _keys(new, held), now)
            if found is None:
                return answers
            existing, held = found
        raise AssertionError("keys go from hand to hand all the time")

    def _try(
        self, accepted: Sequence[NewExecution], ids: bytes, keys: bytes, now: str
    ) -> tuple[set[str], dict[str, Held]] | None:
        """Insert if ids and keys are as expected; else give the ids that exist, and who holds the keys."""
        plans = self.missing(item.execution.plan for item in accepted)
        try:
            items = [new_item(item) for item in accepted]
        except UnicodeEncodeError as error:
            raise DataRejected(f"half of a surrogate pair is no text: {error}") from error
        if sum(map(len, items)) > LARGE:
            raise DataRejected(f"one insert takes {LARGE} bytes at most: start them by several calls")
        done, *found = self._database.run(
            "insert",
            now,
            str(self._origin),
            bodies(plans, self._plans),
            ids,
            keys,
            *items,
            rows=len(items),
            adds=True,
        )
        if done:
            self.learned(plans)
            return None
        existing, holders = found
        return {id.decode() for id in existing}, dict(map(_held, holders))

    def missing(self, plans: Iterable[Plan]) -> list[Plan]:
        """Give those of the plans, each once, that the server may not have yet."""
        return list({plan.hash: plan for plan in plans if plan.hash not in self._known}.values())

    def learned(self, plans: Sequence[Plan]) -> None:
        """Remember that the server has these plans."""
        self._known.update(plan.hash for plan in plans)


def _ids(new: Sequence[NewExecution], existing: Container[str]) -> bytes:
    """Give the ids of a batch, each with whether it is known to exist."""
    ids = [item.execution.id for item in new]
    return packed([word for id in ids for word in (id, "1" if id in existing else "")])


def _keys(new: Sequence[NewExecution], held: Mapping[str, Held]) -> bytes:
    """Give the keys of a batch, each with its holder and the state of that, as far as is known."""
    words: list[str] = []
    for key in dict.fromkeys(item.execution.key for item in new):
        if key is not None:
            holder = held.get(key)
            words += (key, holder.holder.id, holder.state) if holder else (key, "", "")
    return packed(words)


def _held(row: Sequence[bytes]) -> tuple[str, Held]:
    key, id, workflow, fixed, state = (field.decode() for field in row)
    return key, Held(Holder(id, workflow, json.loads(fixed)[2]), state)
