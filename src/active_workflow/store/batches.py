"""Committing a batch of changes: at once; where data is refused, halves of it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from active_workflow.core.change import Change
from active_workflow.errors import DataRejected
from active_workflow.store.base import Applied, Verdict


class BatchCommitter(ABC):
    """Commits for one store."""

    @abstractmethod
    def apply(self, batch: Sequence[Change]) -> Mapping[str, int]:
        """Apply what the guards let pass, in one commit, and give its tokens by id."""

    @abstractmethod
    def guards(self, ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Give the revision and token that rows have now."""

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
            tokens = self.apply(batch)
        except DataRejected as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                return self._commit(batch[:middle]) + self._commit(batch[middle:])
            guards = self.guards([batch[0].id])
            return [_answer(batch[0].id, Verdict.REJECTED, guards, str(error))]
        snapshots = [change.after for change in batch]
        refused = [x.id for x in snapshots if x.id not in tokens]
        # Asked after the commit, so after all that it waited for.
        guards = self.guards(refused) if refused else {}
        return [
            Applied(x.id, Verdict.APPLIED, x.revision, tokens[x.id])
            if x.id in tokens
            else _answer(x.id, Verdict.REFUSED, guards)
            for x in snapshots
        ]


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
            id = change.after.id
            if id in seen:
                break
            seen.add(id)
            batch.append(change)
        yield batch
        left = left[len(batch) :]
