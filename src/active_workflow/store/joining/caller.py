"""A caller's connection, as the scripts see it: each driver's module has a class of this kind."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeVar

from active_workflow.errors import MisuseError
from active_workflow.store.joining.script import Rows, Script, Statement, follow

T = TypeVar("T")

NO_TRANSACTION = (
    "the connection given as connection= commits each statement by itself and is in no transaction that the "
    "start could join: {remedy}, or leave connection= out"
)


class Joined(Protocol):
    """A connection of the caller's as scripts see it.

    Attributes:
        vendor: ``"sqlite"``, ``"postgresql"``, ``"mysql"``, ``"mariadb"``, or what else the driver calls its
            database.
    """

    @property
    def vendor(self) -> str: ...

    def begin(self) -> str | None:
        """Give the statement that has to begin a transaction; None if one is open, or begins by itself.

        Raises:
            MisuseError: The caller has chosen that each statement commits by itself.
        """
        ...


Act = Callable[[Joined], Script[T]]
"""Gives a script for a connection."""


class Caller(ABC):
    """Does scripts on a connection of the caller's, which is left as it is set, and is never ended or closed.

    Attributes:
        data_errors: What it raises for data that the database will never take.
    """

    data_errors: tuple[type[Exception], ...]

    @abstractmethod
    def follow(self, act: Act[T]) -> T:
        """Do what a script says."""

    @abstractmethod
    async def follow_async(self, act: Act[T]) -> T:
        """Do the same, awaited."""

    def refuses_data(self, error: Exception) -> bool:
        """Tell whether an error of the driver is about the data itself."""
        return isinstance(error, self.data_errors)

    def after_commit(self, call: Callable[[], None]) -> bool:  # noqa: ARG002 - for those that can
        """Call something soon after the transaction has been committed; False where that can't be seen."""
        return False


class SyncCaller(Caller):
    """One that is synchronous. In async code it is used where it is, as its owner uses it."""

    @property
    @abstractmethod
    def vendor(self) -> str:
        """What its database is called."""

    @abstractmethod
    def begin(self) -> str | None:
        """See ``Joined``."""

    @abstractmethod
    def run(self, statement: Statement) -> Rows:
        """Run a statement and give its rows."""

    def follow(self, act: Act[T]) -> T:
        """Do what a script says."""
        return follow(act(self), self.run)

    async def follow_async(self, act: Act[T]) -> T:
        """Do what a script says, in the thread that the connection is used in."""
        return self.follow(act)


class AwaitedCaller(Caller):
    """One that has to be awaited."""

    def follow(self, act: Act[T]) -> T:  # noqa: ARG002 - there is no way
        """Tell what to write in place of that."""
        raise MisuseError(
            f"connection= is an {self.kind}, which has to be awaited: write `await ….start_async(…)`"
        )

    @property
    @abstractmethod
    def kind(self) -> str:
        """What it is, in a message."""


def no_transaction(remedy: str) -> MisuseError:
    """Give the error for a connection in autocommit mode."""
    return MisuseError(NO_TRANSACTION.format(remedy=remedy))
