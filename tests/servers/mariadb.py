"""A private MariaDB: the server of Debian's `mariadb-server-core`, or another one that is installed here."""

import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from tests.servers.processes import Server, free_port, make_folder, unprivileged

_USER = "workflows"
_CARELESS = {
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-flush-method": "nosync",
    "innodb-file-per-table": "0",
    "sync-frm": "0",
}
_SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "1",
    "character-set-server": "latin1",  # as unlike ours as it gets: nothing may depend on it
    "transaction-isolation": "REPEATABLE-READ",
    "max-connections": "150",
    "innodb-buffer-pool-size": "128M",
    "innodb-log-file-size": "128M",
}


class MissingMariaDBError(Exception):
    """No server of MariaDB was found."""


@cache
def find_binaries() -> tuple[str, str]:
    """The server and what makes its folder of data."""
    found = [shutil.which(name) or shutil.which(f"/usr/sbin/{name}") for name in _PROGRAMS]
    if found[0] is None or found[1] is None:
        raise MissingMariaDBError("no MariaDB: run `make services`, or install mariadb-server-core")
    return found[0], found[1]


_PROGRAMS = ("mariadbd", "mariadb-install-db")


class MariaDBServer(Server):
    """A server of its own, on a free port, with a user who needs a password.

    Args:
        durable: Whether a commit waits for the disk, as in production. Tests don't need it: a server that
            is killed loses nothing that the system has taken.
        settings: More settings of the server.
        within: Where to put its folder; None is the usual place.
    """

    def __init__(
        self, *, durable: bool = False, settings: Mapping[str, str] | None = None, within: Path | None = None
    ) -> None:
        server, install = find_binaries()
        owner = unprivileged()
        folder = make_folder("mariadb", owner, within)
        data = folder / "data"
        self.port = free_port()
        self.password = secrets.token_hex(8)
        chosen = {**_SETTINGS, "port": self.port, "datadir": data, "socket": folder / "socket"}
        chosen |= {"pid-file": folder / "pid", "tmpdir": folder, "init-file": _users(folder, self.password)}
        chosen |= settings or {}
        if not durable:
            chosen |= _CARELESS
        options = ["--no-defaults", *(f"--{name}={value}" for name, value in chosen.items())]
        _make_data(install, folder, data, owner)
        super().__init__("MariaDB", folder, [server, *options], self._up)
        self._databases = count(1)

    def _up(self) -> bool:
        import pymysql  # noqa: PLC0415 - the driver is an extra: without it there is nothing to test

        try:
            self.connect().close()
        except pymysql.Error:
            return False
        return True

    def connect(self, database: str | None = None) -> Any:
        """A connection of one who may do everything."""
        import pymysql  # noqa: PLC0415 - as above

        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=_USER,
            password=self.password,
            database=database,
            autocommit=True,
        )

    def stop(self) -> None:
        """Kill it: as if the power failed, but for the disk's caches."""
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send its process a signal and wait for its end."""
        super().end(how)

    def url(self, database: str) -> str:
        """The URL of a database."""
        return f"mysql://{_USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database and give its URL."""
        name = f"test_{next(self._databases)}"
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def empty_database(self) -> str:
        """End all who are connected, drop the database of single tests, make it anew, and give its URL."""
        name = "test_one"
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            self.end_others(cursor)
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def end_others(self, cursor: Any) -> int:
        """End all connections but one's own, and tell how many there were."""
        others = "SELECT id FROM information_schema.processlist WHERE user = %s AND id <> connection_id()"
        cursor.execute(others, [_USER])
        found = cursor.fetchall()
        for (number,) in found:
            _kill(cursor, number)
        return len(found)


def _users(folder: Path, password: str) -> Path:
    """Give a file that the server runs at each start: it makes the user, and leaves no other on TCP."""
    file = folder / "users.sql"
    file.write_text(
        f"CREATE USER IF NOT EXISTS '{_USER}'@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON *.* TO '{_USER}'@'127.0.0.1' WITH GRANT OPTION;\n"
        "DROP USER IF EXISTS 'root'@'127.0.0.1';\n"
    )
    file.chmod(0o644)
    return file


def _make_data(install: str, folder: Path, data: Path, owner: dict[str, Any]) -> None:
    options = [f"--datadir={data}", "--auth-root-authentication-method=socket", "--skip-test-db"]
    made = subprocess.run(
        [install, "--no-defaults", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        **owner,
    )
    if made.returncode:
        raise RuntimeError(f"mariadb-install-db fails: {made.stdout}{made.stderr}")


def _kill(cursor: Any, number: int) -> None:
    """End a connection; one that has just ended by itself is no error."""
    import pymysql  # noqa: PLC0415 - as above

    try:
        cursor.execute("KILL %s", [number])
    except pymysql.OperationalError as error:
        if error.args[0] != _NO_SUCH_THREAD:
            raise


_NO_SUCH_THREAD = 1094
