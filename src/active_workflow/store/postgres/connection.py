"""Connections: each wait on one has an end, and none is used after a fork."""

import os
import re
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
import psycopg.sql
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from active_workflow.errors import StoreUnavailable

T = TypeVar("T")
Row = tuple[Any, ...]

_PARAMETER = re.compile(rb"\$([0-9]+)")
_inherited: list[object] = []
"""Connections of a parent process: closing one here would end the parent's."""


class DeadlinePassedError(psycopg.OperationalError):
    """The server took too long; the connection is closed, for nobody knows what it is up to."""


class CannotConnectError(StoreUnavailable):
    """No connection was made, so nothing was sent."""


class Link(psycopg.Connection[TupleRow]):
    """A connection that waits no longer than until its deadline, even on a socket that has gone silent."""

    until = float("inf")
    """When waiting ends, as ``time.monotonic`` tells it."""
    ahead: bytes | None = None
    """What is sent ahead of each statement in the same message, where a pooler keeps no settings for us."""

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """Wait for the server, as psycopg does, but not for ever."""
        return super().wait(_bounded(gen, self.until), *args, **kwargs)

    def rows(self, statement: bytes, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a statement and give its rows."""
        return self._run(statement, parameters).fetchall()

    def run(self, statement: bytes, parameters: Sequence[Any] = ()) -> None:
        """Run a statement that gives no rows, or whose rows nobody wants."""
        self._run(statement, parameters)

    def _run(self, statement: bytes, parameters: Sequence[Any]) -> psycopg.Cursor[TupleRow]:
        if self.ahead is None:
            return self.raw.execute(statement, parameters)
        cursor = psycopg.ClientCursor(self)
        cursor.execute(self.ahead + self._with_literals(statement, parameters))
        while cursor.nextset():
            pass
        return cursor

    def _with_literals(self, statement: bytes, parameters: Sequence[Any]) -> bytes:
        """Give a statement with its parameters written into it: a message of several takes none."""
        return _PARAMETER.sub(
            lambda found: psycopg.sql.Literal(parameters[int(found[1]) - 1]).as_bytes(self), statement
        )

    def script(self, text: bytes) -> None:
        """Run several statements at once; they take no parameters."""
        with psycopg.ClientCursor(self) as cursor:
            cursor.execute(text)

    @property
    def raw(self) -> "psycopg.RawCursor[TupleRow]":
        """The one cursor for all statements: making one costs a third of a round trip."""
        found: psycopg.RawCursor[TupleRow] | None = self.__dict__.get("_raw")
        if found is None:
            found = self.__dict__["_raw"] = psycopg.RawCursor(self)
        return found

    @property
    def is_quiet(self) -> bool:
        """Whether the server has said nothing since the last answer: what it says by itself is good-bye."""
        if self.closed:
            return False
        if not hasattr(select, "poll"):
            return True
        poll = self.__dict__.get("_poll")
        if poll is None:
            poll = self.__dict__["_poll"] = select.poll()
            poll.register(self.fileno(), select.POLLIN)
        return not poll.poll(0)


def _bounded(gen: PQGen[T], until: float) -> PQGen[T]:
    """Give the same generator, but one that fails once its time is over: psycopg asks at least each 0.1 s."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > until:
                gen.close()
                raise DeadlinePassedError("the server did not answer in time")
            wanted = gen.send(ready)
    except StopIteration as answer:
        result: T = answer.value
        return result


class Pool:
    """Some connections that are opened when they are needed, and kept.

    Args:
        connect: Opens one; its argument is when it has to be there.
        size: At most so many at once.
    """

    def __init__(self, connect: Callable[[float], Link], size: int) -> None:
        self._connect = connect
        self._size = size
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._free = threading.Semaphore(self._size)
        self._idle: list[Link] = []
        self._age = 0

    def _check_fork(self) -> None:
        """Leave a parent's connections alone: in a forked child they must be neither used nor closed."""
        if self._pid != os.getpid():
            _inherited.append(self._idle)
            self._begin()

    @contextmanager
    def lend(self, until: float) -> Iterator[Link]:
        """Lend a connection; afterwards it is kept if it is in order, and closed if not."""
        self._check_fork()
        free = self._free
        if not free.acquire(timeout=max(until - time.monotonic(), 0.001)):
            raise CannotConnectError(
                f"all {self._size} connections are in use: raise pool_size, or look for what holds them"
            )
        try:
            age = self._age
            link = self._take(until)
            link.until = until
            try:
                yield link
            finally:
                self._give_back(link, age)
        finally:
            free.release()

    def _take(self, until: float) -> Link:
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if link.is_quiet:
                return link
            link.close()
        return self._connect(until)

    def _give_back(self, link: Link, age: int) -> None:
        in_order = not link.closed and link.pgconn.transaction_status == TransactionStatus.IDLE
        if in_order and age == self._age:
            self._idle.append(link)
        else:
            link.close()

    def close(self) -> None:
        """Close the connections that nobody uses now; the others are closed when they come back."""
        self._check_fork()
        self._age += 1
        idle, self._idle = self._idle, []
        for link in idle:
            link.close()
