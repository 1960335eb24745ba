"""The servers that the systems need: private ones, on free loopback ports, in temporary folders."""

import importlib.util
import shutil
import signal
import socket
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from bench.environments import MissingError, node_package, python_of
from tests.servers.mariadb import MariaDBServer, MissingMariaDBError
from tests.servers.postgres import MissingPostgresError, PostgresServer
from tests.servers.processes import Server, free_port, make_folder
from tests.servers.redis import MissingRedisError, RedisServer

POSTGRES = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
"""Settings of the server, the same for all systems that use it; commits wait for the disk."""
MARIADB = {"innodb-buffer-pool-size": "1G", "innodb-log-file-size": "1G"}
"""The same for MariaDB."""


class OwnServer(Server):
    """One that runs as whoever measures."""

    def __init__(
        self, name: str, command: list[str], port: int, variables: dict[str, str] | None = None
    ) -> None:
        folder = make_folder(name, {})
        environment = [f"{key}={value}" for key, value in (variables or {}).items()]
        super().__init__(name, folder, ["env", *environment, *command], lambda: listens(port))
        self._owner = {}

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        super().end(how)


def listens(port: int) -> bool:
    """Tell whether somebody listens on a port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Have a server meanwhile."""
    try:
        server.start()
        yield server
    finally:
        server.remove()


def needs(driver: str, extra: str) -> None:
    """Say what is missing where our own driver is."""
    if importlib.util.find_spec(driver) is None:
        raise MissingError(f"needs {driver}: pip install 'active-workflow[{extra}]'")


@contextmanager
def postgres(workload: str) -> Iterator[str]:
    """Give the URL of an empty database; its server counts statements only where they are asked for."""
    settings = {
        **POSTGRES,
        **({"shared_preload_libraries": "pg_stat_statements"} if workload == "idle" else {}),
    }
    needs("psycopg", "postgres")
    try:
        server = PostgresServer(durable=True, settings=settings)
    except MissingPostgresError as error:
        raise MissingError(str(error)) from None
    with running(server):
        url = server.new_database()
        if workload == "idle":
            import psycopg  # noqa: PLC0415 - an extra

            with psycopg.connect(url) as connection:
                connection.execute("CREATE EXTENSION pg_stat_statements")
        yield url


@contextmanager
def sqlite(_workload: str) -> Iterator[str]:
    """Give the URL of a file that isn't there yet."""
    with tempfile.TemporaryDirectory(prefix="active-workflow-bench-") as folder:
        yield f"sqlite:///{folder}/bench.db"


@contextmanager
def mariadb(_workload: str) -> Iterator[str]:
    """Give the URL of an empty database; commits wait for the disk."""
    needs("pymysql", "mysql")
    try:
        server = MariaDBServer(durable=True, settings=MARIADB)
    except MissingMariaDBError as error:
        raise MissingError(str(error)) from None
    with running(server):
        yield server.new_database()


def redis(**settings: str) -> Callable[[str], AbstractContextManager[str]]:
    """Give a Redis with these settings."""

    @contextmanager
    def server(_workload: str) -> Iterator[str]:
        try:
            made = RedisServer(**settings)
        except MissingRedisError as error:
            raise MissingError(str(error)) from None
        with running(made):
            yield made.url()

    return server


@contextmanager
def restate(_workload: str) -> Iterator[str]:
    """Give the URL of a Restate server, with the ports of its other door and of the workers to come."""
    binary = node_package("@restatedev/restate-server@1.7.12", "restate-server")
    ingress, admin, node, *workers = [free_port() for _ in range(5)]
    folder = tempfile.mkdtemp(prefix="active-workflow-restate-")
    variables = {
        "RESTATE_BASE_DIR": folder,
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_IP": "127.0.0.1",
        "RESTATE_BIND_PORT": str(node),
        "RESTATE_INGRESS__BIND_PORT": str(ingress),
        "RESTATE_ADMIN__BIND_PORT": str(admin),
        "RESTATE_DEFAULT_NUM_PARTITIONS": "4",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "error",
        "RESTATE_SHUTDOWN_TIMEOUT": "5s",
    }
    try:
        with running(OwnServer("restate", [str(binary)], admin, variables)):
            _healthy(f"http://127.0.0.1:{admin}/health")
            yield f"http://127.0.0.1:{ingress}?admin={admin}&workers={','.join(map(str, workers))}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _healthy(url: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise MissingError("the server doesn't become healthy")


@contextmanager
def temporal(_workload: str) -> Iterator[str]:
    """Give the address of Temporal's test server."""
    binary = python_of("temporal").with_name("temporal-test-server")
    port = free_port()
    with running(OwnServer("temporal", [str(binary), str(port)], port)):
        yield f"temporal://127.0.0.1:{port}"


@contextmanager
def there(url: str) -> Iterator[str]:
    """Give the URL of a store that is there already."""
    yield url
