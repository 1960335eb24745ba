"""Each kind of golden file: how it is written from a store, and how a store is made of it again.

A further kind of store joins by a line in ``KINDS``.
"""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from active_workflow.store.postgres.migrate import migrations as postgres_migrations

TABLES = ("aw_plans", "aw_executions", "aw_keys", "aw_steps", "aw_signals")


@dataclass(frozen=True)
class Kind:
    """A kind of store.

    Attributes:
        file: The golden file's name.
        empty: Gives the URL of a place for a store, in a test.
        dump: Gives the file's text for the store at a URL.
        restore: Makes the store at a URL of a file's text.
    """

    file: str
    empty: Callable[[Any], str]
    dump: Callable[[str], str]
    restore: Callable[[str, str], None]


# --- SQLite -----------------------------------------------------------------------------------------


def dump_sqlite(url: str) -> str:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def restore_sqlite(url: str, text: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.executescript(text)


# --- PostgreSQL -------------------------------------------------------------------------------------


POSTGRES_MIGRATIONS = """CREATE TABLE aw_migrations (
  version integer PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);"""


def dump_postgres(url: str) -> str:
    """Give the statements that make the tables, as the migrations of this version do, and all rows."""
    import psycopg  # noqa: PLC0415 - an extra

    parts = [POSTGRES_MIGRATIONS, *(text.strip() for _, _, text in postgres_migrations())]
    with psycopg.connect(url) as connection:
        for table in ("aw_migrations", *TABLES):
            cursor = connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
            names = ", ".join(column.name for column in cursor.description or ())
            for row in cursor.fetchall():
                values = ", ".join(_literal(connection, value) for value in row)
                parts.append(f"INSERT INTO {table} ({names}) VALUES ({values});")
    return "\n".join(parts) + "\n"


def _literal(connection: Any, value: Any) -> str:
    from psycopg import sql  # noqa: PLC0415

    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    return sql.Literal(value).as_string(connection)


def restore_postgres(url: str, text: str) -> None:
    import psycopg  # noqa: PLC0415

    with psycopg.connect(url) as connection:
        connection.execute(text.encode())


KINDS = {
    "sqlite": Kind(
        "sqlite.sql",
        lambda request: f"sqlite:///{request.getfixturevalue('tmp_path')}/golden.db",
        dump_sqlite,
        restore_sqlite,
    ),
    "postgres": Kind(
        "postgres.sql",
        lambda request: str(request.getfixturevalue("postgres_url")),
        dump_postgres,
        restore_postgres,
    ),
}
SERVERS = {"postgres"}
