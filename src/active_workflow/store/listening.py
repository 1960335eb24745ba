"""Hints from a server: a thread that listens on a connection of its own, and makes it anew when it breaks."""

import contextlib
import logging
import os
import random
import selectors
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from active_workflow.errors import StoreError

_LONGEST_PAUSE = 30.0
_LONGEST_END = 2.0
"""Seconds to wait for the thread's end: it takes long only while it connects to a server that is silent."""
_log = logging.getLogger("active_workflow.store")


class Origin:
    """Who tells others of what came due: one store in one process; in a forked child it is another one."""

    def __init__(self) -> None:
        self._word = os.urandom(8).hex()

    def __str__(self) -> str:
        return f"{self._word}-{os.getpid()}"


class Heard(Protocol):
    """A connection as a listener sees it."""

    def fileno(self) -> int:
        """Give the descriptor that has something to read when a word comes."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


L = TypeVar("L", bound=Heard)


class Listening(ABC, Generic[L]):
    """Listens in a thread of its own, which begins with ``begin``.

    Args:
        where: The server, for people.
        hint: What to call.
        errors: What the driver raises.
    """

    def __init__(self, where: object, hint: Callable[[], None], errors: type[Exception]) -> None:
        self._where = where
        self._hint = hint
        self._errors = (StoreError, OSError, errors)
        self._pid = os.getpid()
        self._proved_until = 0.0
        self._stopped = False
        self._waker, self._wakes = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="active_workflow-listen", daemon=True)

    @abstractmethod
    def connect(self) -> L:
        """Open a connection that hears what is told there."""

    @abstractmethod
    def listen(self, link: L) -> None:
        """Wait for words until stopped; raise if the connection is dead."""

    def begin(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for that. In a forked child there is none: its parent's goes on."""
        if self._pid != os.getpid():
            return
        self._stopped = True
        with contextlib.suppress(OSError):
            self._waker.send(b".")
        if self._thread is not threading.current_thread():
            self._thread.join(_LONGEST_END)

    @property
    def stopped(self) -> bool:
        """Whether it is to end."""
        return self._stopped

    @property
    def lives(self) -> bool:
        """Whether it listens, or tries to: not once it was stopped, and in no forked child."""
        return not self._stopped and self._pid == os.getpid()

    @property
    def proved(self) -> bool:
        """Whether the connection has shown a moment ago that it hears what is told."""
        return time.monotonic() < self._proved_until

    def prove(self, seconds: float) -> None:
        """The connection has just shown that it hears: believe that for so long."""
        self._proved_until = time.monotonic() + seconds

    def wait(self, link: L, seconds: float) -> None:
        """Wait until a word comes, or it is stopped; not longer than so many seconds."""
        _wait_for([link.fileno(), self._wakes.fileno()], max(seconds, 0))

    def tell(self) -> None:
        """Call the hint."""
        try:
            self._hint()
        except Exception:  # noqa: BLE001 - whatever it is, it is the other side's
            _log.exception("a hint of %s was not taken well; listening goes on", self._where)

    def _run(self) -> None:
        failures = 0
        while not self._stopped:
            try:
                with contextlib.closing(self.connect()) as link:
                    failures = 0
                    self.tell()  # something may have been told before
                    self.listen(link)
            except self._errors as error:
                if self._proved_until:  # whoever relied on it has to look for himself now
                    self._proved_until = 0.0
                    self.tell()
                failures += 1
                _log.debug("listening at %s failed, trying again: %s", self._where, error)
                pause = min(0.1 * 2**failures, _LONGEST_PAUSE) * random.uniform(0.5, 1.5)
                _wait_for([self._wakes.fileno()], pause)
        self._waker.close()
        self._wakes.close()


class Listeners:
    """All that listen for one store."""

    def __init__(self) -> None:
        self._all: list[Listening[Any]] = []

    def add(self, listener: Listening[Any]) -> Callable[[], None]:
        """Have one more; give the function that stops it."""
        others = [one for one in self._all if one.lives]
        self._all = [*others, listener]
        for one in others:  # whoever relied on it has to look for himself now
            one.tell()
        listener.begin()
        return listener.stop

    def hear(self) -> bool:
        """Tell whether what others do is surely told here.

        Of several that share a store none is told what another of them does: the store takes it for its own.
        """
        living = [one for one in self._all if one.lives]
        return len(living) == 1 and living[0].proved


def _wait_for(descriptors: list[int], seconds: float) -> None:
    """Wait until one of them has something to read. Not by ``select``: it takes no descriptor above 1023."""
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        selector.select(seconds)
