"""Brings a file's tables up to date: numbered ``.sql`` files, each applied once, in one transaction."""

import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib import resources

from active_workflow.errors import SchemaError
from active_workflow.store.statements import without_comments

_TABLE = """
CREATE TABLE IF NOT EXISTS aw_migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT
"""


@cache
def migrations() -> tuple[tuple[int, str, str], ...]:
    """Give all migrations of this version, in order: number, name, SQL."""
    folder = resources.files("active_workflow.store.sqlite") / "migrations"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return tuple(
        (int(file.name.partition("_")[0]), file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in files
    )


def migrate(connection: sqlite3.Connection, path: str) -> list[str]:
    """Apply what is missing, and give its names. Processes that come at once wait for each other.

    Raises:
        SchemaError: A later version of the library made the tables.
    """
    newest = migrations()[-1][0]
    if _check(connection, path, newest) == newest:
        return []
    applied = []
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_TABLE)
        version = _check(connection, path, newest)
        for number, name, text in migrations():
            if number > version:
                for statement in split(text):
                    connection.execute(statement)
                connection.execute("INSERT INTO aw_migrations (version, name) VALUES (?, ?)", (number, name))
                applied.append(name)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()
    return applied


def _check(connection: sqlite3.Connection, path: str, newest: int) -> int:
    """Give the version of the tables, 0 for none; refuse one that this library doesn't know."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'aw_migrations'").fetchone():
        return 0
    version: int = connection.execute("SELECT coalesce(max(version), 0) FROM aw_migrations").fetchone()[0]
    if version > newest:
        raise SchemaError(
            f"{path} has tables of version {version}, made by a later active-workflow; this one knows "
            f"{newest}: upgrade this process"
        )
    return version


def split(text: str) -> Iterator[str]:
    """Give the single statements of a script: SQLite's own module would commit before running it whole."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(pending):
            yield without_comments(pending)
            pending = ""
