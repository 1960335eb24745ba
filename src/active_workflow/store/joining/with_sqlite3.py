"""A ``sqlite3.Connection`` of the caller's."""

import sqlite3
from typing import Any

from active_workflow.store.joining.caller import SyncCaller, no_transaction
from active_workflow.store.joining.script import Rows, Statement

BEGIN = "BEGIN IMMEDIATE"
"""A write follows at once: a transaction that begins by reading may find that it can't write any more."""
DATA_ERRORS = (sqlite3.IntegrityError, sqlite3.DataError, UnicodeEncodeError, OverflowError)


def begin_sqlite(connection: Any) -> str | None:
    """Give the statement that has to begin a transaction on the driver's own connection, if any has to.

    The driver begins one by itself, but before the first write only: it would miss what is read before.
    """
    if connection.in_transaction:
        return None
    if getattr(connection, "autocommit", None) is True or connection.isolation_level is None:
        raise no_transaction('say connection.execute("BEGIN") before it, and COMMIT after it')
    return BEGIN


class SqliteCaller(SyncCaller):
    """A connection of Python's own module; its row and text factories are left alone and have no effect."""

    data_errors = DATA_ERRORS

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def vendor(self) -> str:
        """What its database is called."""
        return "sqlite"

    def begin(self) -> str | None:
        """Give the statement that has to begin a transaction, if any has to."""
        return begin_sqlite(self._connection)

    def run(self, statement: Statement) -> Rows:
        """Run a statement and give its rows."""
        cursor = sqlite3.Cursor(self._connection)
        cursor.row_factory = None
        try:
            if statement.repeats is not None:
                cursor.executemany(statement.text, statement.repeats)
                return ()
            return plain(cursor.execute(statement.text, statement.parameters).fetchall())
        finally:
            cursor.close()


def plain(rows: Any) -> Rows:
    """Give rows as tuples, with text as text even where the connection gives bytes."""
    return [tuple(v.decode() if isinstance(v, bytes) else v for v in row) for row in rows]
