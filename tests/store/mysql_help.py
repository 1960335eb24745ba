"""What the tests of the MariaDB and MySQL store share."""

from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pymysql

from tests.servers.proxy import FaultProxy


def connect(url: str, *, autocommit: bool = True) -> Any:
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        password=parts.password,
        database=parts.path[1:],
        autocommit=autocommit,
    )


def sql(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return list(cursor.fetchall())


def kill_all(url: str) -> int:
    """End every other connection to a database, as an operator or a failover does."""
    others = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    ended = 0
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(others)
        for (number,) in cursor.fetchall():
            try:
                cursor.execute("KILL %s", [number])
                ended += 1
            except pymysql.OperationalError:
                continue  # it has just ended by itself
    return ended


def through(proxy: FaultProxy, url: str, options: str = "") -> str:
    """The same database by way of a proxy."""
    parts = urlsplit(url)
    return f"mysql://{parts.username}:{parts.password}@127.0.0.1:{proxy.port}{parts.path}{options}"
