"""Connections of PyMySQL that are the caller's."""

from typing import Any

import pymysql  # type: ignore[import-untyped]

from active_workflow.errors import ConfigurationError
from active_workflow.store.joining.caller import Caller, SyncCaller
from active_workflow.store.joining.script import Rows, Statement
from active_workflow.store.joining.with_sqlite3 import plain


def open_pymysql(given: object) -> Caller:
    """Give what scripts need of a connection of PyMySQL.

    Raises:
        ConfigurationError: It is something else of PyMySQL's.
    """
    if isinstance(given, pymysql.connections.Connection):
        return PyMySQLCaller(given)
    raise ConfigurationError(f"connection= is a {type(given).__name__}: give a Connection of PyMySQL")


class PyMySQLCaller(SyncCaller):
    """A connection; its cursors' class is left alone and has no effect."""

    data_errors = (pymysql.DataError, pymysql.IntegrityError, UnicodeEncodeError)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def vendor(self) -> str:
        """What its database is called."""
        return "mysql"

    def begin(self) -> None:
        """Nothing is to be said: the server begins a transaction by itself, or is asked if one is open."""

    def run(self, statement: Statement) -> Rows:
        """Run a statement and give its rows."""
        with self._connection.cursor(pymysql.cursors.Cursor) as cursor:
            cursor.execute(statement.text)
            return plain(cursor.fetchall()) if cursor.description else ()
