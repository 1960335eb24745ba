"""The way to the server: how a connection is made, how scripts run on it, and where a cluster sends them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from redis.exceptions import MovedError, RedisError

from active_workflow.store.calls import Calls, Failure
from active_workflow.store.pool import CannotConnectError
from active_workflow.store.redis.connection import Address, Link, Word
from active_workflow.store.redis.failures import first_line, is_elsewhere, is_lost, read_failure
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


class Database(Calls[Link]):
    """The connections of one store.

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
        super().__init__(options.pool_size, options.timeout, (RedisError, OSError, UnicodeEncodeError))

    def read_error(self, error: Exception) -> Failure:
        """Tell what an error of the driver means."""
        return read_failure(error, self.where)

    def open_link(self, until: float) -> Link:
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
        """Run a script and give its answer; ``Calls.call`` tells what becomes of failures."""
        script = SCRIPTS[name]
        return self.ask(
            lambda link: link.run(script, FORMAT, *arguments),
            rows=rows,
            once=once,
            adds=adds,
            reserved=reserved,
        )

    def ask(self, act: Callable[[Link], T], **how: Any) -> T:
        """Do something on a connection. A server that can't do it now is left: another may have its place."""

        def leave_if_elsewhere(link: Link) -> T:
            try:
                return act(link)
            except RedisError as error:
                if is_elsewhere(error):
                    link.close()
                if isinstance(error, MovedError):
                    self._follow(error)
                raise

        return self.call(leave_if_elsewhere, **how)

    def _follow(self, error: MovedError) -> None:
        """Go where a cluster says the store's slot is."""
        self._moved_to = replace(self.where, host=error.host or self.where.host, port=error.port)
        self.close()
