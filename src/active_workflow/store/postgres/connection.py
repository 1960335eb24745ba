"""Connections: each wait on one has an end."""

import re
import select
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import psycopg
import psycopg.sql
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

T = TypeVar("T")
Row = tuple[Any, ...]

_PARAMETER = re.compile(rb"\$([0-9]+)")


class DeadlinePassedError(psycopg.OperationalError):
    """The server took too long; the connection is closed, for nobody knows what it is up to."""


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
    def in_order(self) -> bool:
        """Whether it is open, and in no transaction."""
        return not self.closed and self.pgconn.transaction_status == TransactionStatus.IDLE

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
