"""Connections of callers, of every kind that `start(connection=…)` takes, and what ends its transaction."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pymysql
import sqlalchemy as sa
from psycopg.rows import dict_row
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker


@dataclass
class Caller:
    """A connection that is in a transaction, or begins one by itself."""

    connection: Any
    commit: Callable[[], Any]
    rollback: Callable[[], Any]
    run: Callable[[str], Any]
    """Runs a statement of the caller's own."""


def path_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def alchemy_url(url: str, *, awaited: bool = False) -> str:
    if url.startswith("sqlite"):
        return f"sqlite+aiosqlite:///{path_of(url)}" if awaited else url
    return url.replace("postgresql://", "postgresql+psycopg://", 1).replace("mysql://", "mysql+pymysql://", 1)


def plain(connection: Any) -> Caller:
    return Caller(connection, connection.commit, connection.rollback, connection.execute)


@contextlib.contextmanager
def sqlite3_as_it_is(url: str) -> Iterator[Caller]:
    with contextlib.closing(sqlite3.connect(path_of(url))) as connection:
        yield plain(connection)


@contextlib.contextmanager
def sqlite3_after_begin(url: str) -> Iterator[Caller]:
    with contextlib.closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
        connection.execute("BEGIN")
        yield plain(connection)


@contextlib.contextmanager
def sqlite3_with_factories(url: str) -> Iterator[Caller]:
    with contextlib.closing(sqlite3.connect(path_of(url))) as connection:
        connection.row_factory = lambda cursor, row: {"n": len(row)}
        connection.text_factory = bytes
        yield plain(connection)


@contextlib.contextmanager
def psycopg_as_it_is(url: str) -> Iterator[Caller]:
    with contextlib.closing(psycopg.connect(url)) as connection:
        yield plain(connection)


@contextlib.contextmanager
def psycopg_after_begin(url: str) -> Iterator[Caller]:
    with contextlib.closing(psycopg.connect(url, autocommit=True, row_factory=dict_row)) as connection:
        connection.execute("BEGIN")
        yield plain(connection)


def connect_pymysql(url: str, **options: Any) -> Any:
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        password=parts.password,
        database=parts.path[1:],
        **options,
    )


@contextlib.contextmanager
def pymysql_as_it_is(url: str) -> Iterator[Caller]:
    with contextlib.closing(connect_pymysql(url)) as connection:
        yield Caller(connection, connection.commit, connection.rollback, connection.cursor().execute)


@contextlib.contextmanager
def pymysql_after_begin(url: str) -> Iterator[Caller]:
    """Set as unlike the store's own as it gets."""
    options = {"autocommit": True, "cursorclass": pymysql.cursors.DictCursor, "sql_mode": ""}
    with contextlib.closing(connect_pymysql(url, **options)) as connection:
        connection.begin()
        connection.cursor().execute("SELECT 1 FROM aw_executions")  # from here on it reads an old state

        def run(statement: str) -> None:
            connection.cursor().execute(statement)
            if statement.startswith("CREATE"):  # which has ended the transaction
                connection.begin()

        yield Caller(connection, connection.commit, connection.rollback, run)


@contextlib.contextmanager
def alchemy_connection(url: str) -> Iterator[Caller]:
    engine = sa.create_engine(alchemy_url(url))
    with engine.connect() as connection:
        yield Caller(connection, connection.commit, connection.rollback, connection.exec_driver_sql)
    engine.dispose()


@contextlib.contextmanager
def alchemy_session(url: str) -> Iterator[Caller]:
    engine = sa.create_engine(alchemy_url(url))
    with Session(engine) as session:
        yield Caller(session, session.commit, session.rollback, lambda sql: session.execute(sa.text(sql)))
    engine.dispose()


@contextlib.contextmanager
def alchemy_scoped(url: str) -> Iterator[Caller]:
    engine = sa.create_engine(alchemy_url(url))
    session = scoped_session(sessionmaker(engine))
    yield Caller(session, session.commit, session.rollback, lambda sql: session.execute(sa.text(sql)))
    session.remove()
    engine.dispose()


def use_django(url: str) -> Any:
    """Have Django's alias `shop` be a database; give its connections."""
    import django  # noqa: PLC0415 - only for tests that ask for it
    from django.conf import settings  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    if not settings.configured:
        settings.configure()
        django.setup()
    if "shop" in connections.settings:
        connections["shop"].close()
        with contextlib.suppress(AttributeError):
            del connections["shop"]
    if url.startswith("sqlite"):
        shop: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": path_of(url)}
    elif url.startswith("mysql"):
        pymysql.install_as_MySQLdb()
        parts = urlsplit(url)
        shop = {
            "ENGINE": "django.db.backends.mysql", "NAME": parts.path[1:], "HOST": parts.hostname,
            "PORT": str(parts.port), "USER": parts.username, "PASSWORD": parts.password,
        }  # fmt: skip
    else:
        parts = urlsplit(url)
        shop = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path[1:], "HOST": parts.hostname, "PORT": str(parts.port), "USER": parts.username,
        }  # fmt: skip
    connections.settings = connections.configure_settings({"default": {}, "shop": shop})
    return connections


@contextlib.contextmanager
def django_alias(url: str) -> Iterator[Caller]:
    connections = use_django(url)
    from django.db import transaction  # noqa: PLC0415

    block = contextlib.ExitStack()
    block.enter_context(transaction.atomic(using="shop"))

    def rollback() -> None:
        transaction.set_rollback(True, using="shop")
        block.close()

    yield Caller("shop", block.close, rollback, lambda sql: connections["shop"].cursor().execute(sql))
    block.close()
    connections["shop"].close()


@contextlib.contextmanager
def django_wrapper(url: str) -> Iterator[Caller]:
    with django_alias(url) as caller:
        caller.connection = wrapper(caller.connection)
        yield caller


def wrapper(alias: str) -> Any:
    from django.db import connections  # noqa: PLC0415

    return connections[alias]


KINDS: dict[str, tuple[Any, ...]] = {
    "sqlite": (
        *(sqlite3_as_it_is, sqlite3_after_begin, sqlite3_with_factories),
        *(alchemy_connection, alchemy_session, alchemy_scoped, django_alias, django_wrapper),
    ),
    "postgres": (
        *(psycopg_as_it_is, psycopg_after_begin),
        *(alchemy_connection, alchemy_session, alchemy_scoped, django_alias, django_wrapper),
    ),
    "mysql": (
        *(pymysql_as_it_is, pymysql_after_begin),
        *(alchemy_connection, alchemy_session, alchemy_scoped, django_alias),
    ),
}


# --- To be awaited ----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def awaited_psycopg(url: str) -> AsyncIterator[Caller]:
    connection = await psycopg.AsyncConnection.connect(url)
    yield plain(connection)
    await connection.close()


@contextlib.asynccontextmanager
async def awaited_connection(url: str) -> AsyncIterator[Caller]:
    engine = create_async_engine(alchemy_url(url, awaited=True))
    async with engine.connect() as connection:
        yield Caller(connection, connection.commit, connection.rollback, connection.exec_driver_sql)
    await engine.dispose()


@contextlib.asynccontextmanager
async def awaited_session(url: str) -> AsyncIterator[Caller]:
    engine = create_async_engine(alchemy_url(url, awaited=True))
    async with AsyncSession(engine) as session:
        yield Caller(session, session.commit, session.rollback, lambda sql: session.execute(sa.text(sql)))
    await engine.dispose()


AWAITED: dict[str, tuple[Any, ...]] = {
    "sqlite": (awaited_connection, awaited_session),
    "postgres": (awaited_psycopg, awaited_connection, awaited_session),
}
