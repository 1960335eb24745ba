"""Which executions were started in transactions of callers: why one of them may not be there is known."""

from collections.abc import Iterable

from active_workflow.errors import ExecutionNotFound, NotCommitted

MOST_REMEMBERED = 10_000


class Uncommitted:
    """Remembers the latest of them, until they are found. Safe for many threads."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def remember(self, ids: Iterable[str]) -> None:
        """Note that these will exist once a caller commits."""
        for id in ids:
            self._ids[id] = None
        if len(self._ids) > MOST_REMEMBERED:
            for id in list(self._ids)[:-MOST_REMEMBERED]:
                self._ids.pop(id, None)

    def found(self, id: str) -> None:
        """Note that one exists."""
        self._ids.pop(id, None)

    def not_found(self, id: str) -> ExecutionNotFound:
        """Give the error for an execution that the store doesn't have."""
        if id in self._ids:
            return NotCommitted(
                f"execution {id} was started in a transaction (connection=) that isn't committed yet, or was "
                "rolled back: commit it first"
            )
        return ExecutionNotFound(
            f"there is no execution {id!r} in this store: check the id and which store it is"
        )
