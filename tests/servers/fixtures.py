"""Fixtures for tests that need a server; `tests/conftest.py` makes them known to all."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from tests.servers.mariadb import MariaDBServer, MissingMariaDBError
from tests.servers.postgres import MissingPostgresError, PostgresServer
from tests.servers.proxy import FaultProxy
from tests.servers.redis import MissingRedisError, RedisServer
from tests.services import missing

OLDEST = 15
"""The oldest PostgreSQL that is supported; the other tests run on the newest there is."""


def _server(service: str, **options: Any) -> Iterator[PostgresServer]:
    if find_spec("psycopg") is None:
        missing(service, "psycopg isn't installed: pip install 'active-workflow[postgres]'")
    try:
        server = PostgresServer(**options)
    except MissingPostgresError as error:
        missing(service, str(error))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A private PostgreSQL for the whole run; a test that stops it has to start it again."""
    yield from _server("PostgreSQL")


@pytest.fixture(scope="session")
def oldest_postgres_server() -> Iterator[PostgresServer]:
    """The same of the oldest version that is supported."""
    yield from _server(f"PostgreSQL {OLDEST}", version=OLDEST)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of an empty database: one for all tests, emptied before each, for making one costs 8 MB."""
    return postgres_server.empty_database()


@pytest.fixture
def oldest_postgres_url(oldest_postgres_server: PostgresServer) -> str:
    """The same on the oldest version that is supported."""
    return oldest_postgres_server.empty_database()


@pytest.fixture
def prepared_postgres_url(postgres_url: str) -> str:
    """The URL of a database with the library's tables, all of them empty."""
    return _prepared(postgres_url)


@pytest.fixture
def prepared_oldest_postgres_url(oldest_postgres_url: str) -> str:
    """The same on the oldest version that is supported."""
    return _prepared(oldest_postgres_url)


def _prepared(url: str) -> str:
    from active_workflow.store import open_store  # noqa: PLC0415 - others need the server alone

    store = open_store(url)
    store.prepare()
    store.close()
    return url


@pytest.fixture
def postgres_proxy(postgres_server: PostgresServer) -> Iterator[FaultProxy]:
    """A proxy before the server, which breaks connections."""
    proxy = FaultProxy(postgres_server.port)
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer]:
    """A private MariaDB for the whole run; a test that stops it has to start it again."""
    if find_spec("pymysql") is None:
        missing("MariaDB", "PyMySQL isn't installed: pip install 'active-workflow[mysql]'")
    try:
        server = MariaDBServer()
    except MissingMariaDBError as error:
        missing("MariaDB", str(error))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A private Redis for the whole run; a test that stops it has to start it again."""
    if find_spec("redis") is None:
        missing("Redis", "redis isn't installed: pip install 'active-workflow[redis]'")
    try:
        server = RedisServer()
    except MissingRedisError as error:
        missing("Redis", str(error))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def mysql_url(mariadb_server: MariaDBServer) -> str:
    """The URL of an empty database."""
    return mariadb_server.empty_database()


@pytest.fixture
def prepared_mysql_url(mysql_url: str) -> str:
    """The URL of a database with the library's tables, all of them empty."""
    from active_workflow.store import open_store  # noqa: PLC0415 - others need the server alone

    store = open_store(mysql_url)
    store.prepare()
    store.close()
    return mysql_url


@pytest.fixture
def mariadb_proxy(mariadb_server: MariaDBServer) -> Iterator[FaultProxy]:
    """A proxy before the server, which breaks connections."""
    proxy = FaultProxy(mariadb_server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty database."""
    return redis_server.empty_database()


@pytest.fixture
def redis_proxy(redis_server: RedisServer) -> Iterator[FaultProxy]:
    """A proxy before the server, which breaks connections."""
    proxy = FaultProxy(redis_server.port)
    yield proxy
    proxy.close()
