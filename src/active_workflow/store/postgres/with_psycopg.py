"""Connections of psycopg that are the caller's."""

from typing import Any, Generic, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from active_workflow.errors import ConfigurationError
from active_workflow.store.joining.caller import Act, AwaitedCaller, Caller, SyncCaller, no_transaction
from active_workflow.store.joining.script import Rows, Statement, follow_async
from active_workflow.store.joining.with_sqlite3 import plain

T = TypeVar("T")

Connection = TypeVar("Connection", bound="psycopg.Connection[Any] | psycopg.AsyncConnection[Any]")


def open_psycopg(given: object) -> Caller:
    """Give what scripts need of a connection of psycopg.

    Raises:
        ConfigurationError: It is something else of psycopg's.
    """
    if isinstance(given, psycopg.Connection):
        return PsycopgCaller(given)
    if isinstance(given, psycopg.AsyncConnection):
        return AsyncPsycopgCaller(given)
    raise ConfigurationError(
        f"connection= is a {type(given).__name__}: give a Connection or AsyncConnection of psycopg"
    )


class _OfPsycopg(Generic[Connection]):
    """What both kinds of connection have."""

    data_errors: tuple[type[Exception], ...] = (psycopg.DataError, psycopg.IntegrityError, UnicodeEncodeError)
    vendor = "postgresql"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self) -> None:
        """See that a transaction is open, or will be: psycopg begins one by itself unless told otherwise."""
        idle = self._connection.info.transaction_status == TransactionStatus.IDLE
        if self._connection.autocommit and idle:
            raise no_transaction("write `with connection.transaction():` around it")


class PsycopgCaller(_OfPsycopg["psycopg.Connection[Any]"], SyncCaller):
    """A synchronous connection."""

    def run(self, statement: Statement) -> Rows:
        """Run a statement and give its rows."""
        with psycopg.RawCursor(self._connection, row_factory=tuple_row) as cursor:
            cursor.execute(statement.text.encode(), statement.parameters)
            return plain(cursor.fetchall()) if cursor.description else ()


class AsyncPsycopgCaller(_OfPsycopg["psycopg.AsyncConnection[Any]"], AwaitedCaller):
    """An asynchronous connection."""

    @property
    def kind(self) -> str:
        """What it is, in a message."""
        return "AsyncConnection"

    async def follow_async(self, act: Act[T]) -> T:
        """Do what a script says."""
        return await follow_async(act(self), self._run)

    async def _run(self, statement: Statement) -> Rows:
        async with psycopg.AsyncRawCursor(self._connection, row_factory=tuple_row) as cursor:
            await cursor.execute(statement.text.encode(), statement.parameters)
            return plain(await cursor.fetchall()) if cursor.description else ()
