"""Committing a batch of changes: one script for as many as may hold the server up."""

from collections.abc import Iterator, Sequence

from active_workflow.core.change import Change
from active_workflow.store.base import Applied, Verdict
from active_workflow.store.listening import Origin
from active_workflow.store.plans import Plans
from active_workflow.store.redis.database import Database
from active_workflow.store.redis.inserting import Inserter
from active_workflow.store.redis.packing import bodies, change

ROWS = 500
"""Changes of one script at most: nobody else is served while it runs, some ten milliseconds."""
LARGE = 8_000_000
"""Bytes of one script's changes at most, unless a single one has more."""


class Committer:
    """Commits for one store."""

    def __init__(self, database: Database, plans: Plans, inserter: Inserter, origin: Origin) -> None:
        self._database = database
        self._plans = plans
        self._inserter = inserter
        self._origin = origin

    def commit(self, changes: Sequence[Change], now: str) -> list[Applied]:
        """Apply changes, each whole or not at all, and answer in order."""
        good: list[tuple[Change, bytes]] = []
        rejected: dict[int, str] = {}
        for place, each in enumerate(changes):
            try:
                good.append((each, change(each)))
            except UnicodeEncodeError as error:
                rejected[place] = f"half of a surrogate pair is no text: {error}"
        answers = [answer for batch in _batches(good) for answer in self._apply(batch, now)]
        for place, reason in rejected.items():
            answers.insert(place, self._reject(changes[place].id, reason))
        return answers

    def _apply(self, batch: Sequence[tuple[Change, bytes]], now: str) -> Iterator[Applied]:
        plans = self._inserter.missing(child.plan for item, _ in batch for child in item.children)
        found = self._database.run(
            "commit",
            now,
            str(self._origin),
            bodies(plans, self._plans),
            *(data for _, data in batch),
            rows=len(batch),
            once=True,
        )
        for (item, _), (applied, revision, token) in zip(batch, found, strict=True):
            verdict = Verdict.APPLIED if applied else Verdict.REFUSED
            yield Applied(item.id, verdict, int(revision), int(token))

    def _reject(self, id: str, reason: str) -> Applied:
        [(revision, token)] = self._database.run("guards", id)
        return Applied(id, Verdict.REJECTED, int(revision), int(token), reason)


def _batches(items: Sequence[tuple[Change, bytes]]) -> Iterator[list[tuple[Change, bytes]]]:
    batch: list[tuple[Change, bytes]] = []
    size = 0
    for item in items:
        length = len(item[1])
        if batch and (len(batch) == ROWS or size + length > LARGE):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch
