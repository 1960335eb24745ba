"""The connection that is lent to a step, and that another thread may roll back under it.

One thread at a time is inside SQLite with it, and waits for its turn without the interpreter's lock. SQLite
has a lock of its own for this, but Python's driver waits for that one with the interpreter's lock in hand,
while whoever has SQLite's may be waiting for the interpreter's, to ask the authorizer: the whole process
would stand still.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self
from weakref import WeakSet

from active_workflow.store.joining.lent import Hands, Lent

_INTERRUPT_AGAIN = 0.02
"""Seconds until a statement is interrupted, and interrupted again: it may only have been about to begin."""

_LATE = "the time of this step is over and its transaction was rolled back: nothing that it writes counts"


class StepConnection(Lent, sqlite3.Connection):
    """A connection that is lent to a step.

    Attributes:
        late: Whether the time of the step is over.
        turn: Held by the thread that uses it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.late = False
        self.turn = threading.RLock()
        self._cursors: WeakSet[StepCursor] = WeakSet()
        super().__init__(*args, **kwargs)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Use it alone.

        Raises:
            sqlite3.OperationalError: The time of the step that uses it is over.
        """
        with self.turn:
            self._refuse_late()
            yield

    def in_time(self, parameters: Iterable[Any]) -> Iterator[Any]:
        """Give parameters one by one: whoever makes them may take long, and no statement runs meanwhile."""
        for each in parameters:
            self._refuse_late()
            yield each

    def _refuse_late(self) -> None:
        if self.late and self.hands is Hands.STEP:
            raise sqlite3.OperationalError(_LATE)

    @contextmanager
    def taken_away(self) -> Iterator[None]:
        """Use it alone, from another thread than the step's, and interrupt what that one does."""
        self.late = True
        while not self.turn.acquire(timeout=_INTERRUPT_AGAIN):
            self.interrupt()
        try:
            for cursor in tuple(self._cursors):
                cursor.close()  # as long as one has rows to come, whatever is done next is interrupted, too
            yield
        finally:
            self.turn.release()

    def cursor(self, factory: None = None) -> "StepCursor":  # type: ignore[override]  # not the step's choice
        """Open a cursor.

        Raises:
            TypeError: It was to be of another class.
        """
        if factory is not None:
            raise TypeError("in a transactional step, connection.cursor() takes no factory")
        with self.used():
            cursor = super().cursor(lambda _: StepCursor(self))
            self._cursors.add(cursor)
            return cursor

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run a statement."""
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Run a statement with each of many parameters."""
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """Refuse it to a step: Python commits before it runs one."""
        self.refuse_end("connection.executescript() (which commits first)")
        return super().executescript(sql_script)


class StepCursor(sqlite3.Cursor):
    """A cursor of a connection that is lent to a step: each call of it uses the connection alone."""

    def __init__(self, connection: StepConnection) -> None:
        super().__init__(connection)
        self._lent = connection

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        """Run a statement."""
        with self._lent.used():
            return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        """Run a statement with each of many parameters."""
        with self._lent.used():
            return super().executemany(sql, self._lent.in_time(parameters))

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """Refuse it to a step, as its connection does."""
        return self._lent.executescript(sql_script)

    def fetchone(self) -> Any:
        """Read the next row; None after the last."""
        with self._lent.used():
            return super().fetchone()

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Read the next rows."""
        with self._lent.used():
            return super().fetchmany(self.arraysize if size is None else size)

    def fetchall(self) -> list[Any]:
        """Read the rest of the rows."""
        with self._lent.used():
            return super().fetchall()

    def __next__(self) -> Any:
        with self._lent.used():
            return super().__next__()

    def close(self) -> None:
        """Close it, which is never too late."""
        with self._lent.turn:
            super().close()
