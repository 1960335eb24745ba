"""active_workflow itself, on the store that the URL names."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any
from urllib.parse import urlsplit

import active_workflow as aw
from active_workflow.cli.worker import settle_collector
from active_workflow.store import open_store
from bench.runners.command import command, standard
from bench.runners.flows import FiveSteps, Parked
from bench.runners.options import Options
from bench.runners.polling import poll
from bench.runners.runner import PostgresRunner, Runner, sqlite_size

CONCURRENCY = 8


class Ours(Runner):
    """Any store: what is finished is counted by the workers' own events."""

    TUNED = (
        f"concurrency={CONCURRENCY}; worker processes collect garbage as seldom as those of the command do;"
        " start_many, a thousand in a call; start and wait in the worker's own process for latency"
    )

    SINGLY = True

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._engine: aw.Engine | None = None
        self._number = time.time_ns()

    def prepare(self) -> None:
        store = open_store(self.url)
        store.prepare()
        store.close()

    def _client(self) -> aw.Engine:
        if self._engine is None:
            self._engine = aw.Engine(self.url, embedded=False)
        return self._engine

    def _rows(self, count: int) -> list[dict[str, int]]:
        self._number += count
        return [{"n": self._number - count + place} for place in range(count)]

    def start(self, count: int) -> None:
        for first in range(0, count, 1000):
            self._client().start_many(FiveSteps, self._rows(min(1000, count - first)))

    def start_singly(self, count: int) -> None:
        for row in self._rows(count):
            self._client().start(FiveSteps, row)

    def work(self, stop: Event) -> None:
        settle_collector()
        self._watch()
        with aw.Engine(self.url, concurrency=CONCURRENCY) as engine:
            engine.start_worker()
            stop.wait()
            engine.drain()

    def _watch(self) -> None:
        @aw.subscribe("active_workflow.execution.completed")
        def count(_event: aw.Event) -> None:
            self.tally.value += 1

    @contextmanager
    def serve(self) -> Iterator[None]:
        settle_collector()
        with aw.Engine(self.url, concurrency=CONCURRENCY) as engine:
            self._engine = engine
            yield

    def one(self) -> None:
        self._client().start(FiveSteps, *self._rows(1)).wait("10s")

    def park(self, count: int) -> list[str]:
        ids = [execution.id for execution in self._client().start_many(Parked, self._rows(count))]
        while any(self._client().get(id).state != "waiting" for id in ids):
            time.sleep(0.02)
        return ids

    def signal(self, ids: list[str]) -> None:
        if len(ids) == 1:
            self._client().signal(ids[0], "go")
        else:
            self._client().signal_many([{"execution_id": id, "name": "go"} for id in ids])

    def wait(self, ids: list[str]) -> None:
        for id in ids:
            self._client().get(id).wait("30s", check=True)


class OnPostgres(Ours, PostgresRunner):
    """The store knows the finished ones; to count them costs the workers nothing."""

    DONE = "SELECT count(*) FROM aw_executions WHERE completed_at IS NOT NULL"

    def _watch(self) -> None:
        pass

    def finished(self) -> int:
        return PostgresRunner.finished(self)


class OnSqlite(Ours):
    """The same on SQLite."""

    def _watch(self) -> None:
        pass

    def finished(self) -> int:
        file = self.url.removeprefix("sqlite:///")
        if not hasattr(self, "_reader"):
            self._reader = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        return self._reader.execute(OnPostgres.DONE).fetchone()[0]

    def size(self) -> int:
        return sqlite_size(self.url)


class Watched(OnSqlite):
    """Its workers count their statements."""

    def work(self, stop: Event) -> None:
        connect = sqlite3.connect

        def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            connection = connect(*args, **kwargs)
            connection.set_trace_callback(self._count)
            return connection

        sqlite3.connect = watched
        super().work(stop)

    def _count(self, _statement: str) -> None:
        self.tally.value += 1

    def statements(self) -> int:
        return self.tally.value


class OnMysql(Ours):
    """The same on MariaDB or MySQL."""

    def _watch(self) -> None:
        pass

    _asked = 0

    def _ask(self, query: str) -> tuple[Any, ...]:
        import pymysql  # noqa: PLC0415 - the other stores don't need it

        if not hasattr(self, "_connection"):
            at = urlsplit(self.url)
            who = {"user": at.username, "password": at.password or "", "database": at.path[1:]}
            self._connection = pymysql.connect(host=at.hostname, port=at.port, autocommit=True, **who)
        self._asked += 1
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()

    def finished(self) -> int:
        return self._ask(OnPostgres.DONE)[0]

    def statements(self) -> int:
        return int(self._ask("SHOW GLOBAL STATUS LIKE 'Questions'")[1]) - self._asked


class OnRedis(Ours):
    """The same on Redis, whose keys are all in memory."""

    ASKED = ("eval", "evalsha", "ping")

    def _watch(self) -> None:
        pass

    @property
    def _redis(self) -> Any:
        import redis  # noqa: PLC0415 - the other stores don't need it

        if not hasattr(self, "_connection"):
            self._connection = redis.Redis.from_url(self.url)
        return self._connection

    def finished(self) -> int:
        return self._redis.zcard("{aw}:in:completed")

    def size(self) -> int:
        return self._redis.info("memory")["used_memory"]

    def statements(self) -> int:
        told = self._redis.info("commandstats")
        return sum(told.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in self.ASKED)


STORES = {"postgres": OnPostgres, "sqlite": OnSqlite, "mysql": OnMysql, "mariadb": OnMysql, "redis": OnRedis}


def make(options: Options) -> Ours:
    """Give the runner for a store's URL."""
    if options.workload == "idle" and options.url.startswith("sqlite"):
        return Watched(options.url)
    kinds = [kind for name, kind in STORES.items() if options.url.startswith(name)]
    return (kinds[0] if kinds else Ours)(options.url)


if __name__ == "__main__":
    command(Ours, {**standard(Ours.WORKLOADS, make), "poll": poll})
