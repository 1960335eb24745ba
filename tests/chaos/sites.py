"""Where the chaos happens: each store with what can be done to it. A further store is one more class here.

A site says by its methods which faults it can have: ``stop``/``start`` (a server), ``terminate``, ``proxy``,
``fill``/``free`` (a disk of its own), ``set_clock``, ``hold`` (a foreign lock). What it lacks shows as "—".
"""

import atexit
import glob
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from tests.chaos.clocks import set_clock
from tests.servers.postgres import MissingPostgresError, PostgresServer, find_binaries
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

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Have another process hold the file's write lock."""
        code = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None);"
            "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
        )
        with _foreign([sys.executable, "-c", code, self._path]) as held:
            yield held


class PostgresSite(Site):
    name = "postgres"
    faults = frozenset({"restart", "terminate", "cut", "silence", "disk", "clock", "lock"})

    def __init__(self, folder: Path, clocks: list[Path], faults: Iterable[Fault]) -> None:
        super().__init__(folder, clocks)
        self.proxy: FaultProxy | None = None
        if "disk" in faults:
            self.disk = Disk(160)
        self.server = PostgresServer(durable=True, within=self.disk.folder if self.disk else None)
        if "clock" in faults:
            self._clock = self.server.folder / "clock"
            self.set_clock(0)
            self.server.run_under(_faketime(self._clock))
        self.server.start()
        self.direct = self.url = self.server.new_database()
        if {"cut", "silence"} & set(faults):
            self.proxy = FaultProxy(self.server.port)
            where = f"127.0.0.1:{self.proxy.port}{urlsplit(self.direct).path}"
            self.url = f"postgresql://postgres@{where}?sslmode=disable&timeout=1.5"

    @classmethod
    def missing(cls, faults: Iterable[Fault]) -> str | None:
        if find_spec("psycopg") is None:
            return "psycopg isn't installed: pip install 'active-workflow[postgres]'"
        try:
            find_binaries()
        except MissingPostgresError as error:
            return str(error)
        if "clock" in faults and not _faketime_library():
            return "libfaketime isn't installed (on Debian: faketime)"
        return super().missing(faults)

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
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

    def terminate(self) -> int:
        """End every backend but our own."""
        import psycopg  # noqa: PLC0415 - the driver is an extra

        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        with psycopg.connect(self.direct, autocommit=True) as connection:
            return len(connection.execute(f"{ended} AND pid <> pg_backend_pid()".encode()).fetchall())

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Have another process lock every row."""
        code = (
            "import psycopg, sys; c = psycopg.connect(sys.argv[1]);"
            "c.execute('SELECT 1 FROM aw_executions ORDER BY id FOR UPDATE');"
            "print('held', flush=True); sys.stdin.read()"
        )
        with _foreign([sys.executable, "-c", code, self.direct]) as held:
            yield held

    def close(self) -> None:
        if self.proxy is not None:
            self.proxy.close()
        self.server.remove()
        super().close()


SITES: dict[str, Callable[..., Any]] = {site.name: site for site in (SqliteSite, PostgresSite)}
"""Every store that is put through this."""


# --- Means ----------------------------------------------------------------------------------------------


class Disk:
    """A small file system in memory, mounted for the time of a run; needs root."""

    def __init__(self, megabytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="active-workflow-disk-", dir="/tmp"))
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", self.folder], check=True
        )
        atexit.register(self.remove)

    @staticmethod
    def missing() -> str | None:
        if os.geteuid() != 0 or shutil.which("mount") is None:
            return "a full disk needs a file system of its own, which only root can mount"
        return None

    def fill(self) -> None:
        """Leave no room at all."""
        file = os.open(self.folder / "ballast", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            for size in (1 << 20, 4096, 1):
                with suppress(OSError):
                    while os.write(file, b"\0" * size):
                        pass
        finally:
            os.close(file)

    def free(self) -> None:
        """Make room."""
        (self.folder / "ballast").unlink(missing_ok=True)

    def remove(self) -> None:
        atexit.unregister(self.remove)
        if self.folder.exists():
            subprocess.run(["umount", "--lazy", self.folder], check=False, capture_output=True)
            shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def _foreign(command: list[str]) -> Iterator[bool]:
    """Have a process that holds a lock, from its first line until its standard input is closed.

    Gives whether it got the lock.
    """
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline() != b""  # it ends without a word where the server is down
        finally:
            process.communicate()


def _faketime_library() -> str | None:
    found = sorted(glob.glob("/usr/lib/*/faketime/libfaketime.so.1"))  # noqa: PTH207 - an absolute pattern
    return found[0] if found else None


def _faketime(clock: Path) -> list[str]:
    return [
        "env",
        f"LD_PRELOAD={_faketime_library()}",
        f"FAKETIME_TIMESTAMP_FILE={clock}",
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]
