"""The way to the server: every call has a deadline, and what can be tried again is."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from redis.exceptions import MovedError, RedisError

from active_workflow.errors import DataRejected, StoreError, UnknownCommit
from active_workflow.store.pool import CannotConnectError, Pool, pauses
from active_workflow.store.redis.connection import Address, Link, Word
from active_workflow.store.redis.failures import first_line, is_elsewhere, is_lost, translate
from active_workflow.store.redis.scripts import FORMAT, SCRIPTS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How the server is used.

    Attributes:
        pool_size: At most so many connections at once, beside one for leases and one that listens.
        timeout: Seconds that a call may take; one that writes many rows may take longer.
        allow_eviction: Whether to use a server that may drop data when its memory is full.
        allow_no_aof: Whether to use a server that keeps no append-only file.
    """

    pool_size: int = 8
    timeout: float = 10.0
    allow_eviction: bool = False
    allow_no_aof: bool = False


class Database:
    """The connections of one store, and how calls on them are tried, repeated and given up.

    Args:
        address: The server, or any of a cluster's.
        root: The store's first key.
        options: How the server is used.
        on_connect: Called whenever a connection has been made.
    """

    def __init__(self, address: Address, root: str, options: Options, on_connect: Callable[[], None]) -> None:
        self.where = address
        self.root = root
        self.options = options
        self._moved_to: Address | None = None
        self._on_connect = on_connect
        self._was_there = False
        self._pool = Pool(self.connect, options.pool_size)
        self._reserved = Pool(self.connect, 1)

    def connect(self, until: float) -> Link:
        """Open a connection."""
        left = max(min(until - time.monotonic(), self.options.timeout), 0.1)
        address = self._moved_to or self.where
        try:
            link = Link(address, self.root, left)
        except (RedisError, OSError) as error:
            self._moved_to = None
            if is_lost(error):
                told = f"{address}: {first_line(error)}: is the server up?"
                raise CannotConnectError(told) from error
            raise
        self._was_there = True
        self._on_connect()
        return link

    def run(
        self,
        name: str,
        *arguments: Word,
        rows: int = 0,
        once: bool = False,
        adds: bool = False,
        reserved: bool = False,
    ) -> Any:
        """Run a script, and again where that is safe, until the deadline; give its answer.

        Args:
            name: Which script.
            arguments: What it takes.
            rows: How many rows it touches; each gives a little more time.
            once: Whether doing it twice is not the same as once: if the connection breaks under way, it is
                not done again.
            adds: Whether it matters to the caller if it happened, should the connection have broken.
            reserved: Whether to use the connection that is kept free for leases.

        Raises:
            StoreUnavailable: The server could not be reached, or is busy.
            UnknownCommit: It may have happened or not.
            SchemaError: The store isn't there, or is of another format.
        """
        script = SCRIPTS[name]
        return self.call(
            lambda link: link.run(script, FORMAT, *arguments),
            rows=rows,
            once=once,
            adds=once or adds,
            reserved=reserved,
        )

    def call(
        self,
        act: Callable[[Link], T],
        *,
        rows: int = 0,
        once: bool = False,
        adds: bool = False,
        reserved: bool = False,
    ) -> T:
        """Do something on a connection, as ``run`` does."""
        until = time.monotonic() + self.options.timeout + rows / 1000
        pool = self._reserved if reserved else self._pool
        lost = False  # whether something was sent, and nobody knows what became of it
        for pause in pauses():
            try:
                with pool.lend(until) as link:
                    return _act(act, link)
            except CannotConnectError as error:
                failure: StoreError = error
                again = self._was_there
            except UnicodeEncodeError as error:
                raise DataRejected(f"{error}: the same data will never be taken") from error
            except (RedisError, OSError) as error:
                failure = translate(error, self.where)
                failure.__cause__ = error
                self._follow(error)
                lost = lost or is_lost(error)
                again = is_elsewhere(error) or (is_lost(error) and not once)
            if not again or time.monotonic() + pause > until:
                if lost and adds:
                    raise UnknownCommit(f"{failure} during a commit: read again") from failure
                raise failure
            time.sleep(pause)
        raise AssertionError("the pauses have no end")

    def _follow(self, error: Exception) -> None:
        """Go where a cluster says the store's slot is."""
        if isinstance(error, MovedError):
            self._moved_to = replace(self.where, host=error.host or self.where.host, port=error.port)
            self.close()

    def close(self) -> None:
        """Close what is open; the next call opens it anew."""
        self._pool.close()
        self._reserved.close()


def _act(act: Callable[[Link], T], link: Link) -> T:
    """Do something; a server that can't do it now is left, for another may have taken its place."""
    try:
        return act(link)
    except RedisError as error:
        if is_elsewhere(error):
            link.close()
        raise
