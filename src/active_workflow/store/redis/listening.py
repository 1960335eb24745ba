"""Hints from Redis: a connection of its own that listens, and proves again and again that it still hears.

A half-open connection raises no error. So it asks for a sign of life now and then; if none comes, the
connection is made anew.
"""

import time
from collections.abc import Callable

from redis.exceptions import RedisError

from active_workflow.store.listening import Listening
from active_workflow.store.redis.connection import Link
from active_workflow.store.redis.database import Database

PING_EVERY = 10.0
"""Seconds of silence after which it asks for a sign of life."""
PATIENCE = 5.0
"""Seconds in which that has to come."""


class Listener(Listening[Link]):
    """Listens in a thread of its own.

    Args:
        database: Where.
        origin: Whose words are no news: the store's own.
        hint: What to call.
    """

    def __init__(self, database: Database, origin: str, hint: Callable[[], None]) -> None:
        super().__init__(database.where, hint, RedisError)
        self._database = database
        self._origin = origin.encode()
        self.begin()

    def connect(self) -> Link:
        """Open a connection that hears the store's hints."""
        link = self._database.connect(time.monotonic() + PATIENCE)
        link.until = time.monotonic() + PATIENCE
        link.command("SUBSCRIBE", f"{self._database.root}:hints")
        return link

    def listen(self, link: Link) -> None:
        """Wait for words until stopped; raise if the connection is dead."""
        asked: float | None = None
        heard = time.monotonic()
        while not self.stopped:
            until = heard + PING_EVERY if asked is None else asked + PATIENCE
            if not link.has_word:
                self.wait(link, until - time.monotonic())
            if link.has_word:
                link.until = time.monotonic() + PATIENCE
                word = link.read()
                heard, asked = time.monotonic(), None
                if word[0] == b"message" and word[-1] != self._origin:
                    self.tell()
            elif asked is None and time.monotonic() >= until:
                asked = time.monotonic()
                link.until = asked + PATIENCE
                link.send("PING")
            elif asked is not None and time.monotonic() >= asked + PATIENCE:
                raise RedisError("no sign of life came: the connection is dead")
