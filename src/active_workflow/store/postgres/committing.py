"""Committing a batch of changes: one statement; where data is refused, halves of it."""

from collections.abc import Iterator, Mapping, Sequence

from active_workflow.core.change import Change
from active_workflow.errors import DataRejected
from active_workflow.store.base import Applied, Verdict
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.database import Database
from active_workflow.store.postgres.encoding import changes_text, ids_text
from active_workflow.store.postgres.inserting import Inserter
from active_workflow.store.postgres.names import Names


class Committer:
    """Commits for one store."""

    def __init__(self, database: Database, names: Names, inserter: Inserter, origin: str) -> None:
        self._database = database
        self._names = names
        self._inserter = inserter
        self._origin = origin

    def commit(self, changes: Sequence[Change]) -> list[Applied]:
        """Apply changes, each whole or not at all, and answer in order."""
        answers: list[Applied] = []
        for batch in _without_twins(changes):
            answers += self._commit(batch)
        return answers

    def _commit(self, batch: Sequence[Change]) -> list[Applied]:
        if not batch:
            return []
        try:
            tokens = self._apply(batch)
        except DataRejected as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                return self._commit(batch[:middle]) + self._commit(batch[middle:])
            guards = self._guards([batch[0].id])
            return [_answer(batch[0].id, Verdict.REJECTED, guards, str(error))]
        refused = [change.id for change in batch if change.id not in tokens]
        guards = self._guards(refused) if refused else {}
        return [
            Applied(change.id, Verdict.APPLIED, change.after.revision, tokens[change.id])
            if change.id in tokens
            else _answer(change.id, Verdict.REFUSED, guards)
            for change in batch
        ]

    def _apply(self, batch: Sequence[Change]) -> dict[str, int]:
        """Apply what the guards let pass, and give its tokens by id."""
        text = changes_text(batch)
        plans = [child.plan for change in batch for child in change.children]

        def act(link: Link) -> dict[str, int]:
            if plans:
                self._inserter.put_plans(link, plans)
            parameters = [text, self._names.channel, self._origin]
            tokens: dict[str | None, int] = dict(link.rows(self._names["commit"], parameters))
            return {id: token for id, token in tokens.items() if id is not None}

        return self._database.call(act, rows=len(batch), once=True)

    def _guards(self, ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Give what these rows have now: asked after the commit, so after all that it waited for."""
        rows = self._database.call(lambda link: link.rows(self._names["guards"], [ids_text(ids)]))
        return {id: (revision, token) for id, revision, token in rows}


def _answer(id: str, verdict: Verdict, guards: Mapping[str, tuple[int, int]], detail: str = "") -> Applied:
    revision, token = guards.get(id, (0, 0))
    return Applied(id, verdict, revision, token, detail)


def _without_twins(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Give the changes in batches in which no execution comes twice: of twins one would be lost unseen."""
    left = list(changes)
    while left:
        seen: set[str] = set()
        batch: list[Change] = []
        for change in left:
            if change.id in seen:
                break
            seen.add(change.id)
            batch.append(change)
        yield batch
        left = left[len(batch) :]
