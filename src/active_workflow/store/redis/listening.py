"""Hints from Redis: a connection of its own that listens, and proves again and again that it still hears.

A half-open connection raises no error. So it asks for a sign of life now and then; if none comes, the
connection is made anew.
"""

import contextlib
import logging
import os
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from active_workflow.errors import StoreError
from active_workflow.store.redis.connection import Link
from active_workflow.store.redis.database import Database

PING_EVERY = 10.0
"""Seconds of silence after which it asks for a sign of life."""
PATIENCE = 5.0
"""Seconds in which that has to come."""
_LONGEST_PAUSE = 30.0
_LONGEST_END = 2.0
"""Seconds to wait for the thread's end: it takes long only while it connects to a server that is silent."""
_log = logging.getLogger("active_workflow.store")


class Listener:
    """Listens in a thread of its own.

    Args:
        database: Where.
        origin: Whose words are no news: the store's own.
        hint: What to call.
    """

    def __init__(self, database: Database, origin: str, hint: Callable[[], None]) -> None:
        self._database = database
        self._origin = origin.encode()
        self._hint = hint
        self._pid = os.getpid()
        self._stopped = False
        self._waker, self._wakes = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="active_workflow-listen", daemon=True)
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

    def _run(self) -> None:
        failures = 0
        while not self._stopped:
            try:
                with contextlib.closing(self._connect()) as link:
                    failures = 0
                    self._tell()  # something may have been told before
                    self._listen(link)
            except (StoreError, RedisError, OSError) as error:
                failures += 1
                _log.debug("listening at %s failed, trying again: %s", self._database.where, error)
                pause = min(0.1 * 2**failures, _LONGEST_PAUSE) * random.uniform(0.5, 1.5)
                _wait_for([self._wakes.fileno()], pause)
        self._waker.close()
        self._wakes.close()

    def _connect(self) -> Link:
        link = self._database.connect(time.monotonic() + PATIENCE)
        link.until = time.monotonic() + PATIENCE
        link.command("SUBSCRIBE", f"{self._database.root}:hints")
        return link

    def _listen(self, link: Link) -> None:
        """Wait for words until stopped; raise if the connection is dead."""
        asked: float | None = None
        heard = time.monotonic()
        while not self._stopped:
            until = heard + PING_EVERY if asked is None else asked + PATIENCE
            if not link.has_word:
                _wait_for([link.fileno(), self._wakes.fileno()], max(until - time.monotonic(), 0))
            if link.has_word:
                link.until = time.monotonic() + PATIENCE
                word = link.read()
                heard, asked = time.monotonic(), None
                if word[0] == b"message" and word[-1] != self._origin:
                    self._tell()
            elif asked is None and time.monotonic() >= until:
                asked = time.monotonic()
                link.until = asked + PATIENCE
                link.send("PING")
            elif asked is not None and time.monotonic() >= asked + PATIENCE:
                raise RedisError("no sign of life came: the connection is dead")

    def _tell(self) -> None:
        try:
            self._hint()
        except Exception:  # noqa: BLE001 - whatever it is, it is the other side's
            _log.exception("a hint of %s was not taken well; listening goes on", self._database.where)


def _wait_for(descriptors: list[int], seconds: float) -> None:
    """Wait until one of them has something to read. Not by ``select``: it takes no descriptor above 1023."""
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        selector.select(seconds)
