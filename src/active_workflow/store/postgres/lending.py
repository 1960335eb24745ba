"""The connections that are lent to steps."""

from contextlib import suppress
from typing import Any, Self, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import tuple_row

from active_workflow.store.joining.lent import Hands, Lent
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.failures import CONFLICTS

T = TypeVar("T")


class StepLink(Lent, Link):
    """A connection that is lent to a step.

    Attributes:
        conflicted: Whether the server has taken back what the step did for the sake of others.
    """

    conflicted = False

    def lend(self) -> None:
        """Hand it over, in a transaction."""
        self.until = float("inf")
        self.conflicted = False
        self.autocommit = False
        self.run(b"SAVEPOINT active_workflow_step")
        self.hands = Hands.STEP

    def take_over(self) -> None:
        """Take it back from the step, whatever it has set on it."""
        self.hands = Hands.OURS
        self.row_factory = tuple_row
        self.cursor_factory = psycopg.Cursor

    def clean(self) -> None:
        """Make it as new for the next step, or else close it."""
        self.take_over()
        self.ahead = None
        with suppress(psycopg.Error):
            super().rollback()
            self.autocommit = True
            self.prepare_threshold = None
            self.run(b"DISCARD ALL")
            return
        super().close()

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """Wait for the server, and note where it has taken back what the step did."""
        try:
            return super().wait(gen, *args, **kwargs)
        except CONFLICTS:
            self.conflicted = True
            raise

    def commit(self) -> None:
        """Refuse it to a step."""
        if self.refuse_end("connection.commit()"):
            super().commit()

    def rollback(self) -> None:
        """Refuse it to a step."""
        if self.refuse_end("connection.rollback()"):
            super().rollback()

    def close(self) -> None:
        """Refuse it to a step."""
        if self.refuse_end("connection.close()"):
            super().close()

    def __enter__(self) -> Self:
        self.refuse_end("`with connection:`")
        return super().__enter__()
