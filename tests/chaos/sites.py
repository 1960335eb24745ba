"""Where the chaos happens: each store with what can be done to it. A further store is one more class here.

A site says by its methods which faults it can have: ``stop``/``start`` (a server), ``terminate``, ``proxy``,
``fill``/``free`` (a disk of its own), ``set_clock``, ``hold`` (a foreign lock). What it lacks shows as "—".
"""

import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from tests.chaos.clocks import set_clock
from tests.chaos.means import Disk, faketime, faketime_library, foreign
from tests.servers import mariadb, postgres, redis
from tests.servers.proxy import FaultProxy

Fault = str


class Site:
    """A store in a folder of its own.

    Attributes:
        name: As it is called in the table.
        faults: The faults that this store can have, beside those of its workers, which every store has.
        url: How workers and partner reach it: by way of the proxy, where there is one.
        direct: How the one who judges reaches it.
        clocks: The files that the wall clocks of the workers obey.
    """

    name: ClassVar[str]
    faults: ClassVar[frozenset[Fault]]
    url: str
    direct: str

    def __init__(self, folder: Path, clocks: list[Path]) -> None:
        self.folder = folder
        self.clocks = clocks
        self.disk: Disk | None = None

    @classmethod
    def missing(cls, faults: Iterable[Fault]) -> str | None:
        """Say what this machine lacks for faults; None: nothing."""
        return Disk.missing() if "disk" in faults else None

    def set_clock(self, seconds: int) -> None:
        """Set by how much the clock that this store goes by is off: here it is the workers' own."""
        for file in self.clocks:
            set_clock(file, seconds)

    @abstractmethod
    def holder(self) -> list[str]:
        """What another process holds: its code, which does so until its input ends, and its arguments."""

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Have another process hold it."""
        with foreign([sys.executable, "-c", *self.holder()]) as held:
            yield held

    def recover(self) -> None:
        """After a disk was full: start what ended of it."""

    def close(self) -> None:
        """End it and leave nothing behind."""
        if self.disk is not None:
            self.disk.remove()


class SqliteSite(Site):
    name = "sqlite"
    faults = frozenset({"disk", "clock", "lock"})

    def __init__(self, folder: Path, clocks: list[Path], faults: Iterable[Fault]) -> None:
        super().__init__(folder, clocks)
        home = folder
        if "disk" in faults:
            self.disk = Disk(16)
            home = self.disk.folder
        self.url = self.direct = f"sqlite:///{home}/chaos.db"
        self._path = f"{home}/chaos.db"

    def holder(self) -> list[str]:
        """The file's write lock."""
        code = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None);"
            "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
        )
        return [code, self._path]


class ServerSite(Site):
    """A store on a server of its own, which loses nothing that it has confirmed.

    Attributes:
        driver: The module that the store needs.
        room: Megabytes of the disk that is to be filled.
        impatience: What the URL has behind the proxy, so that calls don't wait longer than it is silent.
    """

    faults = frozenset({"restart", "terminate", "cut", "silence", "disk", "clock", "lock"})
    driver: ClassVar[str]
    room: ClassVar[int]
    impatience: ClassVar[str]

    def __init__(self, folder: Path, clocks: list[Path], faults: Iterable[Fault]) -> None:
        super().__init__(folder, clocks)
        self.proxy: FaultProxy | None = None
        if "disk" in faults:
            self.disk = Disk(self.room)
        self.server = self.make_server(self.disk.folder if self.disk else None)
        if "clock" in faults:
            self._clock = self.server.folder / "clock"
            self.set_clock(0)
            self.server.run_under(faketime(self._clock))
        self.server.start()
        self.direct = self.url = self.make_database()
        if {"cut", "silence"} & set(faults):
            self.proxy = FaultProxy(self.server.port)
            here, there = f":{self.server.port}/", f":{self.proxy.port}/"
            self.url = f"{self.direct.replace(here, there)}?{self.impatience}"

    @classmethod
    def missing(cls, faults: Iterable[Fault]) -> str | None:
        if find_spec(cls.driver) is None:
            return f"{cls.driver} isn't installed: run `make .venv/dev`"
        try:
            cls.find_binaries()
        except (postgres.MissingPostgresError, mariadb.MissingMariaDBError, redis.MissingRedisError) as error:
            return str(error)
        if "clock" in faults and not faketime_library():
            return "libfaketime isn't installed (on Debian: faketime)"
        return super().missing(faults)

    @staticmethod
    @abstractmethod
    def find_binaries() -> object:
        """Look for the server's binaries; raises one of the errors above."""

    @abstractmethod
    def make_server(self, within: Path | None) -> Any:
        """Make a server that has its data in a folder."""

    def make_database(self) -> str:
        """Make an empty database and give its URL."""
        return str(self.server.new_database())

    def stop(self) -> None:
        """End the server as if the power failed."""
        self.server.stop()

    def start(self) -> None:
        """Start it again."""
        self.server.start()

    def recover(self) -> None:
        if not self.server.runs:
            self.server.start()

    def set_clock(self, seconds: int) -> None:
        """The server's own clock, faked under it: those of the workers don't matter."""
        beside = self._clock.with_suffix(".new")
        beside.write_text(f"{seconds:+d}")
        beside.chmod(0o644)
        beside.replace(self._clock)

    def close(self) -> None:
        if self.proxy is not None:
            self.proxy.close()
        self.server.remove()
        super().close()


class PostgresSite(ServerSite):
    name = "postgres"
    driver = "psycopg"
    room = 160
    impatience = "sslmode=disable&timeout=1.5"
    find_binaries = staticmethod(postgres.find_binaries)

    def make_server(self, within: Path | None) -> postgres.PostgresServer:
        return postgres.PostgresServer(durable=True, within=within)

    def terminate(self) -> int:
        """End every backend but our own."""
        import psycopg  # noqa: PLC0415 - the driver is an extra

        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        with psycopg.connect(self.direct, autocommit=True) as connection:
            return len(connection.execute(f"{ended} AND pid <> pg_backend_pid()".encode()).fetchall())

    def holder(self) -> list[str]:
        """Every row."""
        code = (
            "import psycopg, sys; c = psycopg.connect(sys.argv[1]);"
            "c.execute('SELECT 1 FROM aw_executions ORDER BY id FOR UPDATE');"
            "print('held', flush=True); sys.stdin.read()"
        )
        return [code, self.direct]


class MariaDBSite(ServerSite):
    name = "mariadb"
    driver = "pymysql"
    room = 320
    impatience = "timeout=2"
    find_binaries = staticmethod(mariadb.find_binaries)

    def make_server(self, within: Path | None) -> mariadb.MariaDBServer:
        return mariadb.MariaDBServer(durable=True, within=within)

    def terminate(self) -> int:
        """Kill every connection but our own."""
        with closing(self.server.connect()) as connection, connection.cursor() as cursor:
            return self.server.end_others(cursor)

    def holder(self) -> list[str]:
        """Every row, and the gaps between them."""
        code = (
            "import pymysql, sys; _, port, password, name = sys.argv;"
            "c = pymysql.connect(host='127.0.0.1', port=int(port), user='workflows', password=password,"
            " database=name).cursor();"
            "c.execute('SELECT 1 FROM aw_executions ORDER BY id FOR UPDATE');"
            "print('held', flush=True); sys.stdin.read()"
        )
        return [code, str(self.server.port), self.server.password, self.direct.rpartition("/")[2]]


class RedisSite(ServerSite):
    name = "redis"
    driver = "redis"
    room = 96
    impatience = "timeout=1.5"
    find_binaries = staticmethod(redis.find_binaries)

    def make_server(self, within: Path | None) -> redis.RedisServer:
        return redis.RedisServer(within=within, appendfsync="always")

    def make_database(self) -> str:
        return self.server.url()

    def stop(self) -> None:
        self.server.kill()

    def terminate(self) -> int:
        """Kill every connection but our own."""
        with self.server.client() as client:
            kinds = (client.execute_command("CLIENT", "KILL", "TYPE", kind) for kind in ("normal", "pubsub"))
            return sum(kinds)

    def holder(self) -> list[str]:
        """Every write is held up: there are no locks to be had."""
        code = (
            "import redis, sys; c = redis.Redis(port=int(sys.argv[1]), protocol=2);"
            "c.client_pause(60_000, all=False);"
            "print('held', flush=True); sys.stdin.read(); c.client_unpause()"
        )
        return [code, str(self.server.port)]


SITES: dict[str, Callable[..., Any]] = {
    site.name: site for site in (SqliteSite, PostgresSite, MariaDBSite, RedisSite)
}
"""Every store that is put through this."""
