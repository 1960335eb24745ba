"""What the tests of the PostgreSQL store share."""

from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.servers.proxy import FaultProxy


def sql(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []


def terminate_all(url: str) -> int:
    """End every other backend of a database, as an operator or a failover does."""
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    return len(sql(url, f"{ended} AND pid <> pg_backend_pid()"))


def through(proxy: FaultProxy, url: str) -> str:
    """The same database by way of a proxy, in plain text."""
    return f"postgresql://postgres@127.0.0.1:{proxy.port}{urlsplit(url).path}?sslmode=disable"
