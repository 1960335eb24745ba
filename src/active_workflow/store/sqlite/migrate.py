"""Brings a file's tables up to date: numbered ``.sql`` files, each applied once, in one transaction."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from active_workflow.errors import StoreError
from active_workflow.store.generations import refuse_earlier, refuse_later
from active_workflow.store.sqlite.connection import translated
from active_workflow.store.statements import numbered, without_comments

_TABLE = """
CREATE TABLE IF NOT EXISTS aw_migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT
"""


def migrations() -> tuple[tuple[int, str, str], ...]:
    """Give all migrations of this version, in order: number, name, SQL."""
    return numbered("active_workflow.store.sqlite")


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Apply what is missing. Processes that come at once wait for each other; a newer file is refused.

    Raises:
        SchemaError: A later version of the library made the tables.
    """
    newest = migrations()[-1][0]
    if _check(connection, path, newest) == newest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_TABLE)
        version = _check(connection, path, newest)
        for number, name, text in migrations():
            if number > version:
                for statement in split(text):
                    connection.execute(statement)
                connection.execute("INSERT INTO aw_migrations (version, name) VALUES (?, ?)", (number, name))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()


def check_file(path: str) -> None:
    """Raise StoreError unless there is such a file, with this version's tables; nothing is changed."""
    if not Path(path).exists():
        raise StoreError(f"no such store: {path} (`active-workflow migrate` makes one)")
    newest = migrations()[-1][0]
    with translated(path), closing(sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True)) as connection:
        version = _check(connection, path, newest)
    refuse_earlier(path, version, newest)


def _check(connection: sqlite3.Connection, path: str, newest: int) -> int:
    """Give the version of the tables, 0 for none; refuse one that this library doesn't know."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'aw_migrations'").fetchone():
        return 0
    version: int = connection.execute("SELECT coalesce(max(version), 0) FROM aw_migrations").fetchone()[0]
    refuse_later(path, version, newest)
    return version


def split(text: str) -> Iterator[str]:
    """Give the single statements of a script: SQLite's own module would commit before running it whole."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(pending):
            yield without_comments(pending)
            pending = ""
