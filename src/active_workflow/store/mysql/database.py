"""The way to the server: how a connection is made and set."""

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pymysql  # type: ignore[import-untyped]
from pymysql.constants import CLIENT  # type: ignore[import-untyped]

from active_workflow.errors import SchemaError
from active_workflow.store.calls import Calls, Failure
from active_workflow.store.mysql.connection import Link
from active_workflow.store.mysql.failures import DRIVER_ERRORS, read_failure, translate, words_of
from active_workflow.store.pool import CannotConnectError

_SQL_MODE = "STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO"
_CHANGING_TABLES = 3600.0
"""Seconds that a migration may take: a new index on a large table takes minutes."""
_VERSION = re.compile(r"(\d+)\.(\d+)")
_OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0)}


@dataclass(frozen=True, slots=True)
class Options:
    """How the server is used.

    Attributes:
        pool_size: At most so many connections at once, beside one for leases.
        timeout: Seconds that a call may take; one that writes many rows may take longer.
    """

    pool_size: int = 8
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, and who we are there.

    Attributes:
        user: The user.
        password: The password; it is in no message.
        host: The host.
        port: The port.
        database: The database.
        more: Further options of the driver: certificates, a socket.
    """

    user: str | None
    password: str = field(repr=False)
    host: str
    port: int
    database: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"mysql://{self.host}:{self.port}/{self.database}"


class Database(Calls[Link]):
    """The connections of one store.

    Args:
        address: Where the server is.
        options: How it is used.
        on_connect: Called whenever a connection has been made.
    """

    def __init__(self, address: Address, options: Options, on_connect: Callable[[], None]) -> None:
        self._address = address
        self.options = options
        self.where = str(address)
        self._on_connect = on_connect
        self._lock_wait = max(int(options.timeout * 0.4), 1)
        super().__init__(options.pool_size, options.timeout, DRIVER_ERRORS)

    def read_error(self, error: Exception) -> Failure:
        """Tell what an error of the driver means."""
        return read_failure(error, self.where, self._lock_wait)

    def open_link(self, until: float) -> Link:
        """Open a connection that commits each statement by itself."""
        left = max(min(until - time.monotonic(), self.options.timeout), 0.1)
        try:
            connection = pymysql.connect(
                user=self._address.user,
                password=self._address.password,
                host=self._address.host,
                port=self._address.port,
                database=self._address.database,
                charset="utf8mb4",
                collation="utf8mb4_bin",
                autocommit=True,
                client_flag=CLIENT.MULTI_STATEMENTS | CLIENT.FOUND_ROWS,
                connect_timeout=left,
                read_timeout=left,
                write_timeout=left,
                program_name="active-workflow",
                **self._address.more,
            )
            try:
                link = Link(connection, self._settle(connection))
            except BaseException:
                with contextlib.suppress(pymysql.Error):
                    connection.close()
                raise
        except (pymysql.Error, OSError) as error:
            told = f"{self.where}: {words_of(error)}"
            raise CannotConnectError(f"{told}: is the server up, and may this user connect?") from error
        self._on_connect()
        return link

    def _settle(self, connection: Any) -> int:
        """Set the session up, and give how long a message the server takes.

        Locks are waited for so long that a call can be tried once more. Under READ COMMITTED nothing but the
        rows themselves is locked. Without backslash escapes nothing but quotes has to be escaped.
        """
        cursor = connection.cursor()
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute(
            f"SET SESSION sql_mode = '{_SQL_MODE}', time_zone = '+00:00', "
            f"innodb_lock_wait_timeout = {self._lock_wait}"
        )
        cursor.execute("SELECT VERSION(), @@max_allowed_packet")
        version, largest = cursor.fetchone()
        self._check_version(version)
        return int(largest)

    def _check_version(self, version: str) -> None:
        product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
        numbers = _VERSION.match(version.removeprefix("5.5.5-"))  # so old replicas were made to listen
        if numbers and (int(numbers[1]), int(numbers[2])) < _OLDEST[product]:
            raise SchemaError(
                f"{self.where} is {product} {version}: MariaDB 10.6, MySQL 8.0 or later is needed"
            )

    def migrate(self, act: Callable[[Link], None]) -> None:
        """Do something that may take its time, such as changing tables, on a connection of its own."""
        link = self.connect(time.monotonic() + self.options.timeout)
        link.until = time.monotonic() + _CHANGING_TABLES
        try:
            act(link)
        except pymysql.Error as error:
            raise translate(error, self.where) from error
        finally:
            link.close()
