"""Transactions that others write in: what a store may be able to do besides the contract.

``start(connection=…)`` writes in a transaction of the caller's. A transactional step writes in one of the
store's, which also records what became of the step.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from active_workflow.core.change import Change
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


Decide = Callable[[Execution], Change | None]
"""Gives what is to be written of a step in its own transaction, seen from a snapshot; None: nothing."""


class StepTransaction(Protocol):
    """The transaction of one attempt of a transactional step. Left without ``complete``, it is rolled back.

    Attributes:
        connection: What the step is handed: a connection of the database's own driver.
        late: Whether its time was over and it was rolled back while the step still ran.
    """

    connection: Any
    late: bool

    @property
    def transient(self) -> bool:
        """After an error: whether the database was at fault, by a broken connection or a deadlock."""
        ...

    def session(self) -> "StepSession":
        """Give a session of SQLAlchemy's in the transaction; ConfigurationError where it isn't installed."""
        ...

    def take_back(self) -> None:
        """Take back what the step has written.

        Raises:
            StepTransactionError: The step has ended the transaction: what it wrote before may stay.
        """
        ...

    def complete(self, known: Execution, decide: Decide) -> bool:
        """Write what became of the step as the last statement, guarded as always, and commit.

        Args:
            known: The execution as the worker knows it. What is decided on that is tried first; if it was
                overtaken, the execution is locked and read again.
            decide: Gives what to write.

        Returns:
            Whether it was committed. If not, nothing of the transaction was.

        Raises:
            StepTransactionError: The step has ended the transaction itself.
            DataRejected: The database refuses what became of the step; nothing was committed.
            UnknownCommit: The connection broke during the commit: it may have landed or not.
            StoreUnavailable: Others were in the way, or the connection broke before; nothing was committed.
            Exception: The driver's own error: the database refuses to commit what the step wrote.
        """
        ...


class StepSession(Protocol):
    """A session in a step's transaction.

    Attributes:
        handed: What the step is handed.
    """

    handed: Any

    def flush(self) -> None:
        """Write what the step has left to be written."""
        ...

    def close(self) -> None:
        """Let go of the connection, which stays in its transaction."""
        ...


@runtime_checkable
class RunsTransactions(Protocol):
    """A store in whose transactions steps can run: what ``transactional=True`` needs.

    Attributes:
        one_at_a_time: Whether such a transaction keeps all others from writing. Then a worker runs one such
            step at a time, and none for longer than a third of the lease.
    """

    one_at_a_time: bool

    def step_transaction(self, limit: float | None) -> AbstractContextManager[StepTransaction]:
        """Begin a transaction for a step.

        Args:
            limit: Seconds after which it is no more needed; None is without end.

        Raises:
            StoreUnavailable: None can be begun now.
        """
        ...
