"""Committing a batch of changes: one statement."""

from collections.abc import Mapping, Sequence

from active_workflow.core.change import Change
from active_workflow.store.batches import BatchCommitter
from active_workflow.store.listening import Origin
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.database import Database
from active_workflow.store.postgres.encoding import changes_text, ids_text
from active_workflow.store.postgres.inserting import Inserter
from active_workflow.store.postgres.names import Names


class Committer(BatchCommitter):
    """Commits for one store."""

    def __init__(self, database: Database, names: Names, inserter: Inserter, origin: Origin) -> None:
        self._database = database
        self._names = names
        self._inserter = inserter
        self._origin = origin

    def apply(self, batch: Sequence[Change]) -> dict[str, int]:
        """Apply what the guards let pass, and give its tokens by id."""
        text = changes_text(batch)
        plans = [child.plan for change in batch for child in change.children]

        def act(link: Link) -> dict[str, int]:
            if plans:
                self._inserter.put_plans(link, plans)
            parameters = [text, self._names.channel, str(self._origin)]
            tokens: dict[str | None, int] = dict(link.rows(self._names["commit"], parameters))
            return {id: token for id, token in tokens.items() if id is not None}

        return self._database.call(act, rows=len(batch), once=True)

    def guards(self, ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Give the revision and token that rows have now."""
        rows = self._database.call(lambda link: link.rows(self._names["guards"], [ids_text(ids)]))
        return {id: (revision, token) for id, revision, token in rows}
