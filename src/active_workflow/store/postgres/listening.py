"""Hints for PostgreSQL: a connection of its own that listens, and proves again and again that it still hears.

A half-open connection raises no error, and behind a pooler a listener may hear nothing at all. So it sends
itself a word at once, and now and then; if that doesn't come back, the connection is made anew. Behind a
pooler even one that comes back proves nothing: by chance it may have met the session that listens. So the
session says its number with it, which has to be the one that the connection was opened with.
"""

import os
import time
from collections.abc import Callable

import psycopg

from active_workflow.store.listening import Listening
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.database import Database
from active_workflow.store.postgres.names import Names

PING_EVERY = 10.0
"""Seconds of silence after which it says something to itself."""
PATIENCE = 5.0
"""Seconds in which that has to come back."""


class Listener(Listening[Link]):
    """Listens in a thread of its own.

    Args:
        database: Where.
        names: Its tables.
        origin: Whose words are no news: the store's own.
        hint: What to call.
    """

    def __init__(self, database: Database, names: Names, origin: str, hint: Callable[[], None]) -> None:
        super().__init__(database.where, hint, psycopg.Error)
        self._database = database
        self._names = names
        self._origin = origin
        self._ping = f"aw_ping_{os.urandom(8).hex()}"
        self._heard: list[tuple[str, str]] = []

    def connect(self) -> Link:
        """Open a connection that hears the channel, and itself."""
        link = self._database.connect(time.monotonic() + PATIENCE)
        link.until = time.monotonic() + PATIENCE
        # What comes while a statement runs is given to handlers only, and nowhere else.
        link.add_notify_handler(lambda word: self._heard.append((word.channel, word.payload)))
        for channel in {*self._channels(link), self._ping}:
            link.run(f'LISTEN "{channel}"'.encode())
        return link

    def _channels(self, link: Link) -> set[str]:
        """Give the channels of all stores with these tables: some name their schema, some leave it out."""
        table = self._names.put_into("aw_executions").decode()
        schemas = [schema for (schema,) in link.rows(self._names["schema"], [table])]
        return {self._names.channel_of(schema) for schema in (self._names.schema, None, *schemas)}

    def listen(self, link: Link) -> None:
        """Wait for words until stopped; raise if the connection is dead."""
        asked: float | None = None
        heard = time.monotonic() - PING_EVERY
        direct = False
        while not self.stopped:
            until = heard + PING_EVERY if asked is None else asked + PATIENCE
            if not self._heard:
                self.wait(link, until - time.monotonic())
            link.pgconn.consume_input()
            words = self._words(link)
            if words:
                heard, asked = time.monotonic(), None
                if direct:
                    self.prove(PING_EVERY + PATIENCE)
            if any(channel != self._ping and word != self._origin for channel, word in words):
                self.tell()
            if not words and asked is None and time.monotonic() >= until:
                asked = time.monotonic()
                link.until = asked + PATIENCE
                direct = self._speak(link) == link.pgconn.backend_pid
            elif asked is not None and time.monotonic() >= asked + PATIENCE:
                raise psycopg.OperationalError(
                    "what was said there was not heard: it is no good for listening"
                )

    def _speak(self, link: Link) -> int:
        """Tell itself a word, and give the number of the session that told it."""
        session: int = link.rows(b"SELECT pg_backend_pid(), pg_notify($1, '')::text", [self._ping])[0][0]
        return session

    def _words(self, link: Link) -> list[tuple[str, str]]:
        """Give what has been heard: on which channel, and what."""
        words, self._heard = self._heard, []
        while (found := link.pgconn.notifies()) is not None:
            words.append((found.relname.decode(), found.extra.decode()))
        return words
