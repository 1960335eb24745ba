"""Absurd: durable tasks as functions of PostgreSQL."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any

import psycopg
from absurd_sdk import Absurd
from absurdctl import BUNDLED_SCHEMA_SQL

from bench.runners.command import main
from bench.runners.runner import STEPS, VALUE, PostgresRunner

BATCH = 20


def five_steps(_params: Any, ctx: Any) -> dict[str, str]:
    result: dict[str, str] = {}
    for name in STEPS:
        result |= ctx.step(name, lambda name=name: {name: VALUE})
    return result


def parked(params: Any, ctx: Any) -> dict[str, str]:
    ctx.await_event(f"go:{params['n']}")
    return ctx.step("one", lambda: {"one": VALUE})


class AbsurdRunner(PostgresRunner):
    """Absurd, its synchronous SDK."""

    TUNED = (
        f"8 threads in each process, each a worker with a connection of its own that claims {BATCH} tasks at"
        " a time, and polls every 5 ms in place of 250 (but while idle, one as it is without tuning); a"
        " thousand spawns, or events that are the signals, in one transaction; the end is asked for every"
        " millisecond"
    )
    THREADS = 8
    POLL = 0.005
    DONE = "SELECT count(*) FROM absurd.t_bench WHERE state = 'completed'"

    def prepare(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(BUNDLED_SCHEMA_SQL)
        self._open().create_queue("bench")

    def _open(self, connection: Any = None) -> Absurd:
        client = Absurd(connection or self.url, queue_name="bench")
        client.register_task("five_steps")(five_steps)
        client.register_task("parked")(parked)
        return client

    @property
    def client(self) -> Absurd:
        if not hasattr(self, "_client"):
            self.connection = psycopg.connect(self.url, autocommit=True)
            self._client = self._open(self.connection)
        return self._client

    def start(self, count: int) -> None:
        self._spawn("five_steps", count)

    def _spawn(self, task: str, count: int) -> list[tuple[str, str]]:
        spawned, client = [], self.client
        with self.connection.transaction():
            for _ in range(count):
                n = uuid.uuid4().hex
                spawned.append((client.spawn(task, {"n": n}, idempotency_key=n)["task_id"], n))
        return spawned

    def work(self, stop: Event) -> None:
        workers, threads = self._workers(self.THREADS)
        stop.wait()
        for worker in workers:
            worker.stop_worker()
        for thread in threads:
            thread.join()

    def _workers(self, count: int) -> tuple[list[Absurd], list[threading.Thread]]:
        workers = [self._open() for _ in range(count)]
        options = {"batch_size": BATCH, "poll_interval": self.POLL}
        threads = [threading.Thread(target=one.start_worker, kwargs=options, daemon=True) for one in workers]
        for thread in threads:
            thread.start()
        return workers, threads

    @contextmanager
    def serve(self) -> Iterator[None]:
        self._workers(2)
        yield

    def one(self) -> None:
        self.wait(
            [(self.client.spawn("five_steps", {"n": 0}, idempotency_key=uuid.uuid4().hex)["task_id"], "")]
        )

    def park(self, count: int) -> list[tuple[str, str]]:
        ids = self._spawn("parked", count)
        while self.ask("SELECT count(*) FROM absurd.w_bench") < count:
            time.sleep(0.02)
        return ids

    def signal(self, ids: list[tuple[str, str]]) -> None:
        with self.connection.transaction():
            for _, n in ids:
                self.client.emit_event(f"go:{n}", True)

    def wait(self, ids: list[tuple[str, str]]) -> None:
        for task, _ in ids:
            while self.client.fetch_task_result(task).state != "completed":  # its own waiting asks less often
                time.sleep(0.001)


class Idle(AbsurdRunner):
    """A worker as it is without tuning."""

    THREADS = 1
    POLL = 0.25


if __name__ == "__main__":
    main(AbsurdRunner, idle=Idle)
