"""Fixtures for tests that need a server; `tests/conftest.py` makes them known to all."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.servers.postgres import MissingPostgresError, PostgresServer
from tests.servers.proxy import FaultProxy
from tests.servers.redis import MissingRedisError, RedisServer
from tests.services import missing


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A private PostgreSQL for the whole run; a test that stops it has to start it again."""
    if find_spec("psycopg") is None:
        missing("PostgreSQL", "psycopg isn't installed: pip install 'active-workflow[postgres]'")
    try:
        server = PostgresServer()
    except MissingPostgresError as error:
        missing("PostgreSQL", str(error))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of an empty database: one for all tests, emptied before each, for making one costs 8 MB."""
    return postgres_server.empty_database()


@pytest.fixture
def prepared_postgres_url(postgres_url: str) -> str:
    """The URL of a database with the library's tables, all of them empty."""
    from active_workflow.store import open_store  # noqa: PLC0415 - others need the server alone

    store = open_store(postgres_url)
    store.prepare()
    store.close()
    return postgres_url


@pytest.fixture
def postgres_proxy(postgres_server: PostgresServer) -> Iterator[FaultProxy]:
    """A proxy before the server, which breaks connections."""
    proxy = FaultProxy(postgres_server.port)
    yield proxy
    proxy.close()


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
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty database."""
    return redis_server.empty_database()


@pytest.fixture
def redis_proxy(redis_server: RedisServer) -> Iterator[FaultProxy]:
    """A proxy before the server, which breaks connections."""
    proxy = FaultProxy(redis_server.port)
    yield proxy
    proxy.close()
