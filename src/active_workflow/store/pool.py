"""A pool of connections to a server: each wait has an end, and none is used after a fork."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from active_workflow.errors import StoreUnavailable

_inherited: list[object] = []
"""Connections of a parent process: closing one here would end the parent's."""


class CannotConnectError(StoreUnavailable):
    """No connection was made, so nothing was sent."""


class Lent(Protocol):
    """A connection as the pool sees it.

    Attributes:
        until: When waiting ends, as ``time.monotonic`` tells it.
    """

    until: float

    @property
    def is_quiet(self) -> bool:
        """Whether the server has said nothing since the last answer: what it says by itself is good-bye."""
        ...

    @property
    def in_order(self) -> bool:
        """Whether it is open, and in no transaction."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


L = TypeVar("L", bound=Lent)


class Pool(Generic[L]):
    """Some connections that are opened when they are needed, and kept.

    Args:
        connect: Opens one; its argument is when it has to be there.
        size: At most so many at once.
    """

    def __init__(self, connect: Callable[[float], L], size: int) -> None:
        self._connect = connect
        self._size = size
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._free = threading.Semaphore(self._size)
        self._idle: list[L] = []
        self._age = 0

    def _check_fork(self) -> None:
        """Leave a parent's connections alone: in a forked child they must be neither used nor closed."""
        if self._pid != os.getpid():
            _inherited.append(self._idle)
            self._begin()

    @contextmanager
    def lend(self, until: float) -> Iterator[L]:
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

    def _take(self, until: float) -> L:
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if link.is_quiet:
                return link
            link.close()
        return self._connect(until)

    def _give_back(self, link: L, age: int) -> None:
        if link.in_order and age == self._age:
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
