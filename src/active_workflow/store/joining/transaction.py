"""The caller's transaction, as the engine sees it: executions are inserted there, and looked at."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from active_workflow.core.snapshot import Execution
from active_workflow.errors import DataRejected
from active_workflow.store.base import Inserted, NewExecution
from active_workflow.store.joining.caller import Act, Caller, Joined
from active_workflow.store.joining.script import Script
from active_workflow.store.keys import check_keys

T = TypeVar("T")


class Scripts(Protocol):
    """What a store does in a transaction of the caller's."""

    def insert(
        self, caller: Joined, new: Sequence[NewExecution], *, skip_conflicts: bool
    ) -> Script[Sequence[Inserted]]:
        """Check that it is the store's database, then insert what is new and holds its key."""
        ...

    def load(self, ids: Sequence[str]) -> Script[Sequence[Execution]]:
        """Load executions, those of the transaction itself too."""
        ...


class CallersTransaction:
    """A transaction of the caller's. Its errors are the driver's own, but for those about our data.

    Args:
        caller: The connection.
        scripts: The store's.
        ready: Called before an insert, for what has to be stored beside the transaction.
    """

    def __init__(
        self, caller: Caller, scripts: Scripts, ready: Callable[[Sequence[NewExecution]], None]
    ) -> None:
        self._caller = caller
        self._scripts = scripts
        self.ready = ready

    def insert(self, new: Sequence[NewExecution], *, skip_conflicts: bool = True) -> Sequence[Inserted]:
        """Insert and answer, as ``Store.insert`` does."""
        try:
            return self._caller.follow(self._insertion(new, skip_conflicts=skip_conflicts))
        except Exception as error:
            if self._caller.refuses_data(error):
                raise _rejected(error) from error
            raise

    async def insert_async(
        self, new: Sequence[NewExecution], *, skip_conflicts: bool = True
    ) -> Sequence[Inserted]:
        """Do the same, awaited."""
        try:
            return await self._caller.follow_async(self._insertion(new, skip_conflicts=skip_conflicts))
        except Exception as error:
            if self._caller.refuses_data(error):
                raise _rejected(error) from error
            raise

    def _insertion(self, new: Sequence[NewExecution], *, skip_conflicts: bool) -> Act[Sequence[Inserted]]:
        check_keys(new)
        return lambda caller: self._scripts.insert(caller, new, skip_conflicts=skip_conflicts)

    def load(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Load executions, those of the transaction itself too."""
        return self._caller.follow(lambda _: self._scripts.load(ids))

    async def load_async(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Do the same, awaited."""
        return await self._caller.follow_async(lambda _: self._scripts.load(ids))

    def after_commit(self, call: Callable[[], None]) -> bool:
        """Call something soon after the commit; False where that can't be seen."""
        return self._caller.after_commit(call)


def _rejected(error: Exception) -> DataRejected:
    told = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataRejected(f"the database refuses an execution's data: {told}")
