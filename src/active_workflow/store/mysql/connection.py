"""Connections: several statements go in one message, and each wait has an end."""

import contextlib
import select
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import pymysql  # type: ignore[import-untyped]
from pymysql.constants import SERVER_STATUS  # type: ignore[import-untyped]

from active_workflow.errors import DataRejected
from active_workflow.store.fetched import Row
from active_workflow.store.mysql.statement import ROLLBACK, Statement

LARGE = 4_000_000
"""Bytes of one message, unless a single statement is longer; more of them follow in the next message."""


class Answer(NamedTuple):
    """What came of a statement: the rows it gives, and the number of rows that it gave, found or wrote."""

    rows: Sequence[Row]
    number: int


class Link:
    """A connection that commits each statement by itself, unless told otherwise.

    Args:
        connection: The driver's own.
        largest: Bytes that the server takes in one message; it closes a connection that sends more.
    """

    def __init__(self, connection: Any, largest: int) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._largest = largest
        self._dirty = False  # whether a message was begun of which not all was answered
        self.until = float("inf")

    def run(self, *statements: Statement) -> list[Answer]:
        """Run statements, in one message where they fit, and give what came of each."""
        answers: list[Answer] = []
        self._dirty = True
        for message in self._messages(statements):
            self._wait_no_longer()
            self._cursor.execute(message)
            answers.append(self._answer())
            while self._next():
                answers.append(self._answer())
        self._dirty = False
        return answers

    def rows(self, statement: Statement) -> Sequence[Row]:
        """Run a statement and give its rows."""
        return self.run(statement)[-1].rows

    def _answer(self) -> Answer:
        return Answer(self._cursor.fetchall(), self._cursor.rowcount)

    def _next(self) -> bool:
        self._wait_no_longer()
        return bool(self._cursor.nextset())

    def _wait_no_longer(self) -> None:
        """Have the driver wait until the deadline only: it takes its limit from here at each message."""
        left = max(self.until - time.monotonic(), 0.001)
        self._connection._read_timeout = self._connection._write_timeout = left  # noqa: SLF001 - no other way

    def _messages(self, statements: Sequence[Statement]) -> Sequence[bytes]:
        """Give the texts of messages of bearable length."""
        messages: list[list[bytes]] = [[]]
        length = 0
        for statement in statements:
            text = statement.render(self._connection.escape).encode()
            if len(text) + 16 > self._largest:
                raise DataRejected(
                    f"a row of {len(text)} bytes is more than the server takes ({self._largest} bytes): "
                    "raise max_allowed_packet there, or keep large data elsewhere and pass where it is"
                )
            if length and length + len(text) > min(LARGE, self._largest - 16):
                messages.append([])
                length = 0
            messages[-1].append(text)
            length += len(text) + 1
        return [b";".join(texts) for texts in messages if texts]

    @property
    def in_order(self) -> bool:
        """Whether it is open and in no transaction: what was begun and not ended is taken back here."""
        in_transaction = self._connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS
        if (self._dirty or in_transaction) and self._connection.open:
            self.until = time.monotonic() + _PATIENCE
            with contextlib.suppress(pymysql.Error):
                self.run(ROLLBACK)
        return not self._dirty and bool(self._connection.open)

    @property
    def is_quiet(self) -> bool:
        """Whether the server has said nothing since the last answer: what it says by itself is good-bye."""
        if not self._connection.open:
            return False
        if not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(self._connection._sock, select.POLLIN)  # noqa: SLF001 - the driver has no other
        return not poll.poll(0)

    def close(self) -> None:
        """Close it."""
        self.until = time.monotonic() + _PATIENCE
        self._wait_no_longer()
        with contextlib.suppress(pymysql.Error):
            self._connection.close()


_PATIENCE = 1.0
"""Seconds for what comes after a call: its own time may be up."""
