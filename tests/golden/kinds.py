"""Each kind of golden file: how it is written from a store, and how a store is made of it again.

A further kind of store joins by a line in ``KINDS``.
"""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from active_workflow.store.statements import numbered, without_comments
from tests.store import mysql_help

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

    parts = [
        POSTGRES_MIGRATIONS,
        *(text.strip() for _, _, text in numbered("active_workflow.store.postgres")),
    ]
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


# --- MariaDB and MySQL ------------------------------------------------------------------------------


MYSQL_MIGRATIONS = """CREATE TABLE aw_migrations (
  version INT NOT NULL PRIMARY KEY,
  name VARCHAR(200) NOT NULL,
  applied_at DATETIME(6) NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""


def dump_mysql(url: str) -> str:
    """Give the statements that make the tables, as the migrations of this version do, and all rows."""
    parts = [MYSQL_MIGRATIONS]
    for _, _, text in numbered("active_workflow.store.mysql"):
        parts += without_comments(text).split(";\n")
    with closing(mysql_help.connect(url)) as connection, connection.cursor() as cursor:
        for table in ("aw_migrations", "aw_kinds", *TABLES):
            cursor.execute(f"SHOW COLUMNS FROM {table}")
            names = ", ".join(
                f"`{name}`" for name, *_, extra in cursor.fetchall() if "GENERATED" not in extra
            )
            cursor.execute(f"SELECT {names} FROM {table} ORDER BY 1, 2")
            for row in cursor.fetchall():
                values = ", ".join(connection.escape(value) for value in row)
                parts.append(f"INSERT INTO {table} ({names}) VALUES ({values})")
    return ";\n".join(parts) + ";\n"


def restore_mysql(url: str, text: str) -> None:
    with closing(mysql_help.connect(url)) as connection, connection.cursor() as cursor:
        for statement in text.removesuffix(";\n").split(";\n"):  # in values the ends of lines are escaped
            cursor.execute(statement)


# --- Redis ------------------------------------------------------------------------------------------


def _redis_client(url: str) -> Any:
    import redis  # noqa: PLC0415 - an extra

    return redis.Redis.from_url(url, decode_responses=True)


def dump_redis(url: str) -> str:
    """Give the commands that make all keys, each a list of words."""
    commands: list[list[str]] = []
    with closing(_redis_client(url)) as client:
        for key in sorted(client.keys("*")):
            kind = client.type(key)
            if kind == "hash":
                pairs = sorted(client.hgetall(key).items())
                commands.append(["HSET", key, *(word for pair in pairs for word in pair)])
            elif kind == "zset":
                pairs = [(f"{score:.17g}", it) for it, score in client.zrange(key, 0, -1, withscores=True)]
                commands.append(["ZADD", key, *(word for pair in pairs for word in pair)])
            else:
                assert kind == "set", kind
                commands.append(["SADD", key, *sorted(client.smembers(key))])
    return json.dumps(commands, ensure_ascii=False, indent=1) + "\n"


def restore_redis(url: str, text: str) -> None:
    with closing(_redis_client(url)) as client:
        for command in json.loads(text):
            client.execute_command(*command)


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
    "mysql": Kind(
        "mysql.sql",
        lambda request: str(request.getfixturevalue("mysql_url")),
        dump_mysql,
        restore_mysql,
    ),
    "redis": Kind(
        "redis.json",
        lambda request: str(request.getfixturevalue("redis_url")),
        dump_redis,
        restore_redis,
    ),
}
SERVERS = {"postgres", "mysql", "redis"}
