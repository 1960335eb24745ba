"""The way to the server: how a connection is made and set."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from active_workflow.errors import ConfigurationError
from active_workflow.store.calls import Calls, Failure
from active_workflow.store.pool import CannotConnectError, Pool
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.failures import first_line, read_failure, translate
from active_workflow.store.postgres.lending import StepLink
from active_workflow.store.postgres.places import place_in_django, place_of

T = TypeVar("T")
L = TypeVar("L", bound=Link)

_SETTINGS = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""Every statement here goes through an index, row by row in its order, and is planned once. A plan made while
a table was small would read it whole for as long as the plan is kept, and what the planner believes of a
table that has just grown is wrong: on these private connections both are ruled out."""
_KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
ESCAPES = "in user and password write % as %25, @ as %40, / as %2F, : as %3A, [ as %5B"
_CHANGING_TABLES = 3600.0
"""Seconds that a migration may take: a new index on a large table takes minutes."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the server is used.

    Attributes:
        pool_size: At most so many connections at once, beside one for leases and one that listens.
        prepare_threshold: After how many uses a statement is prepared; None never, for PgBouncer in
            transaction mode.
        timeout: Seconds that a call may take; one that writes many rows may take longer.
    """

    pool_size: int = 8
    prepare_threshold: int | None = 0
    timeout: float = 10.0


class Database(Calls[Link]):
    """The connections of one store.

    Args:
        conninfo: A URL or connection string, as libpq takes them.
        options: How the server is used.
        on_connect: Called whenever a connection has been made.
    """

    def __init__(self, conninfo: str, options: Options, on_connect: Callable[[], None]) -> None:
        try:
            self._parameters = conninfo_to_dict(conninfo)
        except psycopg.Error as error:
            raise ConfigurationError(f"PostgreSQL can't read this URL: {_unread(error)}") from None
        self.options = options
        self.where = _shown(self._parameters)
        self._on_connect = on_connect
        super().__init__(options.pool_size, options.timeout, (psycopg.Error, UnicodeEncodeError))
        self._of_steps = Pool(self._connect_for_step, options.pool_size)

    def read_error(self, error: Exception) -> Failure:
        """Tell what an error of the driver means."""
        return read_failure(error, self.where)

    def open_link(self, until: float) -> Link:
        """Open a connection that commits each statement by itself."""
        parameters = self._parameters_until(until)
        threshold = self.options.prepare_threshold
        if threshold is not None:
            own = " ".join(f"-c {name}={value}" for name, value in self._settings.items())
            parameters["options"] = f"{own} {parameters.get('options') or ''}".strip()
        link = self._connected(Link, prepare_threshold=threshold, **parameters)
        if threshold is None:
            link.ahead = self.ahead
        self._on_connect()
        return link

    def _connect_for_step(self, until: float) -> StepLink:
        """Open a connection as a step wants it: with the server's own settings."""
        return self._connected(StepLink, prepare_threshold=None, **self._parameters_until(until))

    def _connected(self, kind: type[L], **parameters: Any) -> L:
        try:
            return kind.connect(autocommit=True, **parameters)
        except psycopg.Error as error:
            raise CannotConnectError(f"{self.where}: {_why_not(error)}") from error

    def _parameters_until(self, until: float) -> dict[str, Any]:
        left = until - time.monotonic()
        parameters = {**_KEEPALIVE, **self._parameters}
        parameters.setdefault("connect_timeout", max(int(min(left, self.options.timeout)), 2))
        parameters.setdefault("application_name", "active-workflow")
        return parameters

    @property
    def _settings(self) -> dict[str, str]:
        return {**_SETTINGS, "lock_timeout": str(max(int(self.options.timeout * 800), 1))}

    @property
    def ahead(self) -> bytes:
        """What gives a transaction our settings, for itself alone."""
        local = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in self._settings.items())
        return f"SELECT {local};".encode()

    def for_step(self) -> AbstractContextManager[Link]:
        """Lend a connection to a step; there are as many of these as of the others."""
        return self._of_steps.lend(time.monotonic() + self.options.timeout)

    def migrate(self, act: Callable[[Link], T]) -> T:
        """Do something that may take its time, such as changing tables, on a connection of its own."""
        link = self.connect(time.monotonic() + self.options.timeout)
        link.until = time.monotonic() + _CHANGING_TABLES
        link.ahead = None
        try:
            return act(link)
        except psycopg.Error as error:
            raise translate(error, self.where) from error
        finally:
            link.close()

    def is_django(self, vendor: str, settings: Mapping[str, Any]) -> bool:
        """Tell whether Django's settings for a database surely lead to this one, without asking a server."""
        return vendor == "postgresql" and place_of(self._parameters) == place_in_django(settings)

    def close(self) -> None:
        """Close what is open; the next call opens it anew."""
        super().close()
        self._of_steps.close()


def _shown(parameters: dict[str, Any]) -> str:
    """Give the server and the database in a form without secrets."""
    host = parameters.get("host") or parameters.get("hostaddr") or "localhost"
    port = f":{parameters['port']}" if parameters.get("port") else ""
    return f"postgresql://{host}{port}/{parameters.get('dbname') or ''}"


def _unread(error: psycopg.Error) -> str:
    """Tell what is wrong with a URL; what libpq quotes from it may be a part of the password."""
    told = first_line(error)
    if "query parameter" in told:
        return told
    return f"{told.partition(':')[0]}: {ESCAPES}"


def _why_not(error: psycopg.Error) -> str:
    told = first_line(error)
    if "unsupported startup parameter" in str(error):
        return f"{told}: behind PgBouncer add prepare_threshold=none to the store's URL"
    if "does not exist" in told and "database" in told:
        return f"{told}: create it first, then its tables with `active-workflow migrate`"
    return f"{told}: is the server up, and may this user connect?"
