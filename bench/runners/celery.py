"""Celery on Redis: a chain of five tasks. What was under way when a worker dies is lost or repeated whole."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any

from celery import Celery, chain
from celery.worker import state

from bench.runners.command import main
from bench.runners.runner import STEPS, VALUE, Runner
from bench.runners.workers import Workers

POOL = ["--pool=threads", "--concurrency=4"]
app = Celery("bench")
steps: Any = None
"""The counter of this worker process."""


def make_task(name: str) -> Any:
    @app.task(name=name, ignore_result=name != STEPS[-1])
    def step(ctx: dict[str, str]) -> dict[str, str]:
        if steps is not None:
            with steps.get_lock():
                steps.value += 1
        return ctx | {name: VALUE}

    return step


TASKS = [make_task(name) for name in STEPS]


class CeleryRunner(Runner):
    """Celery, a chain of five tasks; not durable."""

    TUNED = (
        "Redis without persistence; pool of 4 threads; results of the last task only; no events, gossip or"
        " mingle; prefetch of 64; no rate limits; starts over one connection, which have no keys"
    )
    WORKLOADS = ("throughput", "start", "latency")
    KEYED = False

    def __init__(self, url: str) -> None:
        super().__init__(url)
        app.conf.update(
            broker_url=url,
            result_backend=url,
            worker_prefetch_multiplier=16,
            worker_disable_rate_limits=True,
            task_store_errors_even_if_ignored=False,
            broker_connection_retry_on_startup=True,
            worker_hijack_root_logger=False,
        )

    def start(self, count: int) -> None:
        first = chain(TASKS[0].s({"n": "0123456789"}), *[task.s() for task in TASKS[1:]])
        for _ in range(count):
            first.apply_async()

    def finished(self) -> int:
        return self.tally.value // 5

    def work(self, stop: Event) -> None:
        global steps  # noqa: PLW0603 - the tasks are functions of the module
        steps = self.tally
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
        thread = threading.Thread(target=app.worker_main, args=(["worker", *POOL, *quiet],), daemon=True)
        thread.start()
        stop.wait()
        state.should_stop = 0  # in order, so that what it has fetched ahead goes back
        thread.join(10)

    @contextmanager
    def serve(self) -> Iterator[None]:
        with Workers(self, 1):  # a worker in the process of its client fails
            yield

    def one(self) -> None:
        chain(TASKS[0].s({}), *[task.s() for task in TASKS[1:]]).apply_async().get(timeout=20)


if __name__ == "__main__":
    main(CeleryRunner)
