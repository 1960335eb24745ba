"""Connections and sessions of SQLAlchemy. Imported only once somebody has given one of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from active_workflow.errors import ConfigurationError, MisuseError
from active_workflow.store.joining.caller import Act, AwaitedCaller, Caller, SyncCaller, no_transaction
from active_workflow.store.joining.lent import Hands, Lent
from active_workflow.store.joining.placeholders import with_percent
from active_workflow.store.joining.script import Rows, Statement
from active_workflow.store.joining.with_sqlite3 import begin_sqlite, plain

T = TypeVar("T")

_INFO = "active_workflow_after_commit"
_LENT = "active_workflow_lent"
_REMEDY = "take a connection whose isolation level is not AUTOCOMMIT"
_DATA_ERRORS = (DataError, IntegrityError, UnicodeEncodeError, OverflowError)
_DATA_STATES = ("22", "23", "54")
"""Classes of PostgreSQL's errors about the data itself: not every driver sorts its errors."""


def open_sqlalchemy(given: object) -> Caller:
    """Give what scripts need of a connection or session of SQLAlchemy.

    Raises:
        ConfigurationError: It is something else of SQLAlchemy's.
    """
    if isinstance(given, scoped_session | async_scoped_session):
        given = given()
    if isinstance(given, Session):
        return SessionCaller(given)
    if isinstance(given, Connection):
        return ConnectionCaller(given)
    if isinstance(given, AsyncSession | AsyncConnection):
        return AsyncCaller(given)
    raise ConfigurationError(
        f"connection= is a {type(given).__name__}: give a Connection or Session, or the async kind of one"
    )


class _AlchemyCaller(Caller):
    """Knows SQLAlchemy's errors."""

    data_errors = _DATA_ERRORS

    def refuses_data(self, error: Exception) -> bool:
        """Tell whether an error is about the data itself."""
        state = str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
        return super().refuses_data(error) or state.startswith(_DATA_STATES)


class ConnectionCaller(_AlchemyCaller, SyncCaller):
    """A connection. Statements go through it, so that it knows of the transaction that they begin."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def vendor(self) -> str:
        """What its database is called."""
        return self._connection.dialect.name

    def begin(self) -> str | None:
        """Give the statement that has to begin a transaction, if any has to."""
        if self.vendor == "sqlite":
            try:
                return begin_sqlite(self._connection.connection.driver_connection)
            except MisuseError:
                raise no_transaction(_REMEDY) from None
        raw: Any = self._connection.connection.dbapi_connection
        begun = getattr(getattr(raw, "info", None), "transaction_status", 0)
        if getattr(raw, "autocommit", False) is True and not begun:
            raise no_transaction(_REMEDY)
        return None

    def run(self, statement: Statement) -> Rows:
        """Run a statement and give its rows."""
        execute = self._connection.exec_driver_sql
        if statement.repeats is not None:
            if statement.repeats:
                execute(statement.text, [tuple(one) for one in statement.repeats])
            return ()
        result = execute(*self._in_style(statement))
        return plain(result.all()) if result.returns_rows else ()

    def _in_style(self, statement: Statement) -> tuple[str, tuple[Any, ...]]:
        if self._connection.dialect.paramstyle in {"format", "pyformat"}:
            return with_percent(statement.text, statement.parameters)
        return statement.text, tuple(statement.parameters)


class SessionCaller(_AlchemyCaller, SyncCaller):
    """A session: its own connection, in the transaction that it has or begins."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def vendor(self) -> str:
        """What its database is called."""
        return self._inner.vendor

    @property
    def _inner(self) -> ConnectionCaller:
        return ConnectionCaller(self._session.connection())

    def begin(self) -> str | None:
        """Give the statement that has to begin a transaction, if any has to."""
        return self._inner.begin()

    def run(self, statement: Statement) -> Rows:
        """Run a statement and give its rows."""
        return self._inner.run(statement)

    def after_commit(self, call: Callable[[], None]) -> bool:
        """Call something soon after the session's transaction has been committed."""
        _pending(self._session).calls.append(call)
        return True


@dataclass(slots=True)
class _Pending:
    """What is to be called once a session has committed."""

    calls: list[Callable[[], None]] = field(default_factory=list)
    committed: bool = False


def _pending(session: Session) -> _Pending:
    """Give what is to be called; the session is listened to from the first time on."""
    found: _Pending | None = session.info.get(_INFO)
    if found is None:
        found = session.info[_INFO] = _Pending()
        event.listen(session, "after_commit", _committed)
        event.listen(session, "after_transaction_end", _ended)
    return found


def _committed(session: Session) -> None:
    """Note the end of the whole transaction; that of a savepoint is told in the same way."""
    if not session.in_nested_transaction():
        _pending(session).committed = True


def _ended(session: Session, transaction: Any) -> None:
    """Call what is to be called, now that the session can be used again, or forget it."""
    if transaction.parent is None:
        pending = _pending(session)
        calls, committed = pending.calls, pending.committed
        pending.calls, pending.committed = [], False
        for call in calls if committed else ():
            call()


class AsyncCaller(_AlchemyCaller, AwaitedCaller):
    """An asynchronous connection or session: scripts run on what is below it."""

    def __init__(self, given: AsyncConnection | AsyncSession) -> None:
        self._given = given

    @property
    def kind(self) -> str:
        """What it is, in a message."""
        return type(self._given).__name__

    async def follow_async(self, act: Act[T]) -> T:
        """Do what a script says."""
        if isinstance(self._given, AsyncSession):
            return await self._given.run_sync(lambda session: SessionCaller(session).follow(act))
        return await self._given.run_sync(lambda connection: ConnectionCaller(connection).follow(act))

    def after_commit(self, call: Callable[[], None]) -> bool:
        """Call something soon after the session's transaction has been committed."""
        if isinstance(self._given, AsyncSession):
            return SessionCaller(self._given.sync_session).after_commit(call)
        return False


# --- Sessions of steps ------------------------------------------------------------------------------

_URLS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}
_to_hand: ContextVar[Lent] = ContextVar("active_workflow_session_of_step")


@cache
def _engine(vendor: str, where: str) -> Engine:  # noqa: ARG001 - servers differ in what they can
    """Give an engine that has no connections of its own; making one anew for each step would cost more."""
    return create_engine(_URLS[vendor], creator=_to_hand.get, poolclass=NullPool, pool_reset_on_return=None)


class _LentSession(Session):
    """A session that a step may not end."""

    def commit(self) -> None:
        """Refuse it to a step."""
        self._lent.refuse_end("session.commit()")
        super().commit()

    def rollback(self) -> None:
        """Refuse it to a step."""
        self._lent.refuse_end("session.rollback()")
        super().rollback()

    def close(self) -> None:
        """Refuse it to a step."""
        self._lent.refuse_end("session.close()")
        super().close()

    @property
    def _lent(self) -> Lent:
        found: Lent = self.info[_LENT]
        return found


class SessionOfStep:
    """A session on a connection that is lent to a step: what the driver refuses a step, it does as well.

    Args:
        connection: The connection.
        vendor: What its database is called.
        where: Which database it is.
    """

    def __init__(self, connection: Lent, vendor: str, where: str) -> None:
        self._lent = connection
        token = _to_hand.set(connection)
        with self._in_hands_of_library():
            self._connection = _engine(vendor, where).connect()
        _to_hand.reset(token)
        self.handed = _LentSession(
            bind=self._connection, join_transaction_mode="control_fully", info={_LENT: connection}
        )

    @contextmanager
    def _in_hands_of_library(self) -> Iterator[None]:
        """Let SQLAlchemy believe that it begins and ends transactions of its own."""
        before, self._lent.hands = self._lent.hands, Hands.LIBRARY
        try:
            yield
        finally:
            self._lent.hands = before

    def flush(self) -> None:
        """Write what the step has left to be written."""
        self.handed.flush()

    def close(self) -> None:
        """Let go of the connection, which stays in its transaction."""
        with self._in_hands_of_library():
            self.handed.close()
            self._connection.close()
