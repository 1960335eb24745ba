"""The way to the server: every call has a deadline, and what can be tried again is."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from active_workflow.errors import ConfigurationError, StoreError, UnknownCommit
from active_workflow.store.postgres.connection import CannotConnectError, Link, Pool
from active_workflow.store.postgres.failures import CONFLICTS, first_line, is_lost, translate
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
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)


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


class Database:
    """The connections of one store, and how calls on them are tried, repeated and given up.

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
        self._was_there = False
        self._pool = Pool(self.connect, options.pool_size)
        self._reserved = Pool(self.connect, 1)
        self._of_steps = Pool(self._connect_for_step, options.pool_size)

    def connect(self, until: float) -> Link:
        """Open a connection that commits each statement by itself."""
        parameters = self._parameters_until(until)
        threshold = self.options.prepare_threshold
        if threshold is not None:
            own = " ".join(f"-c {name}={value}" for name, value in self._settings.items())
            parameters["options"] = f"{own} {parameters.get('options') or ''}".strip()
        link = self._connected(Link, prepare_threshold=threshold, **parameters)
        if threshold is None:
            link.ahead = self.ahead
        self._was_there = True
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

    def call(
        self,
        act: Callable[[Link], T],
        *,
        rows: int = 0,
        once: bool = False,
        adds: bool = False,
        reserved: bool = False,
    ) -> T:
        """Do something on a connection, and again where that is safe, until the deadline.

        Args:
            act: What to do: one statement, or a transaction of its own.
            rows: How many rows it writes; each gives a little more time.
            once: Whether doing it twice is not the same as once: if the connection breaks under way, it is
                not done again.
            adds: Whether it matters to the caller if it happened, should the connection have broken.
            reserved: Whether to use the connection that is kept free for leases.

        Raises:
            StoreUnavailable: The server could not be reached, or is busy.
            UnknownCommit: It may have happened or not.
            DataRejected: The data itself was refused.
            SchemaError: The tables aren't there, or are others.
        """
        until = time.monotonic() + self.options.timeout + rows / 1000
        pool = self._reserved if reserved else self._pool
        lost = False  # whether something was sent, and nobody knows what became of it
        for pause in _pauses():
            try:
                with pool.lend(until) as link:
                    return act(link)
            except CannotConnectError as error:
                failure: StoreError = error
                again = self._was_there
            except (psycopg.Error, UnicodeEncodeError) as error:
                failure = translate(error, self.where)
                failure.__cause__ = error
                lost = lost or is_lost(error)
                again = isinstance(error, CONFLICTS) or (is_lost(error) and not once)
            if not again or time.monotonic() + pause > until:
                if lost and (once or adds):
                    raise UnknownCommit(f"{failure} during a commit: read again") from failure
                raise failure
            time.sleep(pause)
        raise AssertionError("the pauses have no end")

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
        self._pool.close()
        self._reserved.close()
        self._of_steps.close()


def _pauses() -> Iterator[float]:
    """Give how long to wait before each further try: longer and longer, never quite the same."""
    number = 0
    while True:
        yield _PAUSES[min(number, len(_PAUSES) - 1)] * random.uniform(0.5, 1.5)
        number += 1


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
    return f"{told}: is the server up, and may this user connect?"
