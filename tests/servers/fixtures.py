"""Fixtures for tests that need a server; `tests/conftest.py` makes them known to all."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.servers.mariadb import MariaDBServer, MissingMariaDBError
from tests.servers.postgres import MissingPostgresError, PostgresServer
from tests.servers.proxy import FaultProxy
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
