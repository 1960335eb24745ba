"""Calls on a server: every one has a deadline, and what can be tried again is."""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from active_workflow.errors import StoreError, UnknownCommit
from active_workflow.store.pool import CannotConnectError, L, Pool

T = TypeVar("T")

_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)


@dataclass(frozen=True, slots=True)
class Failure:
    """What an error of a driver means.

    Attributes:
        error: The store's own error for it.
        lost: Whether the connection broke: then nobody knows what became of what was sent.
        conflict: Whether everything was taken back, and may go through if it is done again.
        wait: Seconds that it may have to wait before it fails in the same way once more.
    """

    error: StoreError
    lost: bool = False
    conflict: bool = False
    wait: float = 0.0


class Calls(ABC, Generic[L]):
    """The connections of one store, and how calls on them are tried, repeated and given up.

    Args:
        pool_size: At most so many connections at once, beside one for leases.
        timeout: Seconds that a call may take.
        errors: What the driver raises.
    """

    def __init__(self, pool_size: int, timeout: float, errors: tuple[type[Exception], ...]) -> None:
        self._timeout = timeout
        self._errors = errors
        self._was_there = False
        self._pool = Pool(self.connect, pool_size)
        self._reserved = Pool(self.connect, 1)

    @abstractmethod
    def open_link(self, until: float) -> L:
        """Open a connection that commits each statement by itself; it has to be there by then.

        Raises:
            CannotConnectError: There is no way.
        """

    @abstractmethod
    def read_error(self, error: Exception) -> Failure:
        """Tell what an error of the driver means."""

    def connect(self, until: float) -> L:
        """Open a connection, and remember that the server was there: what it was once, it may be again."""
        link = self.open_link(until)
        self._was_there = True
        return link

    def call(
        self,
        act: Callable[[L], T],
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
        until = time.monotonic() + self._timeout + rows / 1000
        pool = self._reserved if reserved else self._pool
        lost = False  # whether something was sent, and nobody knows what became of it
        for pause in _pauses():
            try:
                with pool.lend(until) as link:
                    return act(link)
            except CannotConnectError as error:
                failure: StoreError = error
                again, wait = self._was_there, 0.0
            except self._errors as error:
                found = self.read_error(error)
                failure = found.error
                failure.__cause__ = error
                lost = lost or found.lost
                again, wait = found.conflict or (found.lost and not once), found.wait
            if not again or time.monotonic() + pause + wait > until:
                if lost and (once or adds):
                    raise UnknownCommit(f"{failure} during a commit: read again") from failure
                raise failure
            time.sleep(pause)
        raise AssertionError("the pauses have no end")

    def close(self) -> None:
        """Close what is open; the next call opens it anew."""
        self._pool.close()
        self._reserved.close()


def _pauses() -> Iterator[float]:
    """Give how long to wait before each further try: longer and longer, never quite the same."""
    number = 0
    while True:
        yield _PAUSES[min(number, len(_PAUSES) - 1)] * random.uniform(0.5, 1.5)
        number += 1
