"""Starting in a transaction of the caller's: what a store may be able to do besides the contract."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from active_workflow.core.snapshot import Execution
from active_workflow.store.base import Inserted, NewExecution


class Transaction(Protocol):
    """A transaction of the caller's, on a connection of the caller's, which is neither ended nor closed here.

    Its errors are those of the caller's own driver, but for DataRejected and what is said at ``join``. After
    an error the transaction is as it was before the call.
    """

    def ready(self, new: Sequence[NewExecution]) -> None:
        """Do what has to be done beside the transaction before an insert."""
        ...

    def insert(self, new: Sequence[NewExecution], *, skip_conflicts: bool = True) -> Sequence[Inserted]:
        """Insert and answer as ``Store.insert`` does; they exist once the caller commits. Ids must be new.

        Raises:
            ConfigurationError: The connection leads elsewhere than the store does.
            MisuseError: It is in no transaction and begins none by itself, or has to be awaited.
        """
        ...

    async def insert_async(
        self, new: Sequence[NewExecution], *, skip_conflicts: bool = True
    ) -> Sequence[Inserted]:
        """Do the same, awaited, on a connection of either kind."""
        ...

    def load(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Give those of the executions that the transaction sees."""
        ...

    async def load_async(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Do the same, awaited."""
        ...

    def after_commit(self, call: Callable[[], None]) -> bool:
        """Call something soon after the commit; False where the driver doesn't tell of it."""
        ...


@runtime_checkable
class JoinsTransactions(Protocol):
    """A store that can insert in a transaction of the caller's: what ``start(connection=…)`` needs."""

    def join(self, connection: object) -> Transaction:
        """Give the transaction of a caller's connection.

        Raises:
            ConfigurationError: It is no connection of a known kind.
        """
        ...
