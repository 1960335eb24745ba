"""What a system has to be able to do, so that every workload can be measured with it."""

import multiprocessing
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, ClassVar

SPAWN = multiprocessing.get_context("spawn")
STEPS = ("one", "two", "three", "four", "five")
"""The workload: five steps that do nothing. Each keeps one value under its name, the same in all systems."""
VALUE = "0123456789"


class Runner(ABC):
    """One system. A runner says how to do there what the workloads ask for."""

    TUNED: ClassVar[str]
    """What was done so that the system is as quick as it can be; shown beside the figures."""
    WORKLOADS: ClassVar[Sequence[str]] = ("throughput", "start", "latency", "park", "idle")
    """Those that make sense for it."""
    QUEUED: ClassVar[bool] = True
    """Whether what is started waits for a worker. If not, workers start what they run, without end."""
    FED: ClassVar[bool] = False
    """Whether, in place of a queue, a process that is no worker keeps them busy: see ``feed``."""
    KEYED: ClassVar[bool] = True
    """Whether each start has an idempotency key."""
    SINGLY: ClassVar[bool] = False
    """Whether starts that are calls of their own are measured as well."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.tally = SPAWN.Value("q", 0)
        """How many workflows the other processes say are finished, where nobody else can be asked."""
        self.place = 0
        """Which of the worker processes this is."""

    def prepare(self) -> None:  # noqa: B027 - most have something to do
        """Make the tables."""

    def start(self, count: int) -> None:
        """Start so many workflows, each with an idempotency key of its own if there are such."""
        raise NotImplementedError

    def start_singly(self, count: int) -> None:
        """Start so many workflows, each by a call and a commit of its own."""
        raise NotImplementedError

    @abstractmethod
    def work(self, stop: Event) -> None:
        """Be a worker process until told to stop."""

    def feed(self, stop: Event, workers: int) -> None:
        """Start workflows and await their ends, until told to stop."""
        raise NotImplementedError

    def finished(self) -> int:
        """Tell how many workflows are finished; where all do their first step first, a fifth of the steps."""
        return self.tally.value

    def size(self) -> int | None:
        """Tell how many bytes the system keeps on disk, if that can be told."""
        return None

    def commits(self) -> int | None:
        """Tell how many transactions the database has committed, if that can be told."""
        return None

    def statements(self) -> int:
        """Tell how many SQL statements the database has run."""
        raise NotImplementedError

    @contextmanager
    def serve(self) -> Iterator[None]:
        """Have a worker in this process meanwhile."""
        raise NotImplementedError
        yield

    def one(self) -> None:
        """Run one workflow: start it and return when its end is known."""
        raise NotImplementedError

    def park(self, count: int) -> list[Any]:
        """Start so many workflows that wait for a signal; return when all of them wait."""
        raise NotImplementedError

    def signal(self, ids: list[Any]) -> None:
        """Send each of them its signal."""
        raise NotImplementedError

    def wait(self, ids: list[Any]) -> None:
        """Return when all of them are finished."""
        raise NotImplementedError


class PostgresRunner(Runner):
    """A system whose tables are in PostgreSQL, reached by psycopg."""

    DONE: ClassVar[str]
    """A query that counts the finished workflows."""

    def ask(self, query: str) -> Any:
        import psycopg  # noqa: PLC0415 - only systems on PostgreSQL have it

        if not hasattr(self, "_connection"):
            self._connection = psycopg.connect(self.url, autocommit=True)
        return self._connection.execute(query).fetchone()[0]

    def finished(self) -> int:
        return self.ask(self.DONE)

    def size(self) -> int:
        return self.ask("SELECT pg_database_size(current_database())")

    def commits(self) -> int:
        return self.ask("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")

    def statements(self) -> int:
        self.ask("SELECT count(*) FROM (SELECT pg_stat_force_next_flush()) AS flushed")
        return self.ask(
            "SELECT sum(calls)::bigint FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
            " WHERE d.datname = current_database() AND query !~* 'pg_stat|^(BEGIN|COMMIT|ROLLBACK)'"
        )


def sqlite_size(url: str) -> int:
    """Give the bytes of a SQLite database, with what is still in its log."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Path(url.removeprefix("sqlite:///")).stat().st_size
