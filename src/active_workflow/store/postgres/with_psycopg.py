"""Connections of psycopg that are the caller's."""

from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from active_workflow.errors import ConfigurationError
from active_workflow.store.joining.caller import Act, AwaitedCaller, Caller, SyncCaller, no_transaction
from active_workflow.store.joining.script import Rows, Statement, follow_async
from active_workflow.store.joining.with_sqlite3 import plain

T = TypeVar("T")

_DATA_ERRORS = (psycopg.DataError, psycopg.IntegrityError, UnicodeEncodeError)


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


def _begin(connection: "psycopg.Connection[Any] | psycopg.AsyncConnection[Any]") -> None:
    """See that a transaction is open, or will be: psycopg begins one by itself unless told otherwise."""
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise no_transaction("write `with connection.transaction():` around it")


class PsycopgCaller(SyncCaller):
    """A synchronous connection."""

    data_errors = _DATA_ERRORS

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    @property
    def vendor(self) -> str:
        """What its database is called."""
        return "postgresql"

    def begin(self) -> None:
        """See that a transaction is open, or will be."""
        _begin(self._connection)

    def run(self, statement: Statement) -> Rows:
        """Run a statement and give its rows."""
        with psycopg.RawCursor(self._connection, row_factory=tuple_row) as cursor:
            cursor.execute(statement.text.encode(), statement.parameters)
            return plain(cursor.fetchall()) if cursor.description else ()


class AsyncPsycopgCaller(AwaitedCaller):
    """An asynchronous connection."""

    data_errors = _DATA_ERRORS

    def __init__(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        self._connection = connection

    @property
    def vendor(self) -> str:
        """What its database is called."""
        return "postgresql"

    def begin(self) -> None:
        """See that a transaction is open, or will be."""
        _begin(self._connection)

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
