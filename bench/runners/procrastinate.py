"""Procrastinate: a queue in PostgreSQL; a workflow is five jobs, each of which defers the next one."""

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Event

from procrastinate import App, PsycopgConnector

from bench.runners.command import main
from bench.runners.loops import Loop
from bench.runners.runner import STEPS, VALUE, PostgresRunner

CONCURRENCY = 20


class Procrastinate(PostgresRunner):
    """Procrastinate, a chain of five jobs."""

    TUNED = (
        f"asynchronous jobs, {CONCURRENCY} at once in each process, pool as large; LISTEN, and since its"
        " notice is missed at times, a poll every 20 ms (but not while idle); a thousand jobs deferred in one"
        " call (which can't have keys of their own); the end is known in the worker's own process"
    )
    WORKLOADS = ("throughput", "start", "latency", "idle")
    KEYED = False
    POLL = 0.02
    DONE = "SELECT count(*) / 5 FROM procrastinate_jobs WHERE status = 'succeeded'"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.app = App(connector=PsycopgConnector(conninfo=url, min_size=4, max_size=CONCURRENCY))
        self.ended: dict[str, threading.Event] = {}
        for name, following in zip(STEPS, [*STEPS[1:], None], strict=True):
            self._task(name, following)
        self._loop = Loop()

    def _task(self, name: str, following: str | None) -> None:
        @self.app.task(name=name, queue="bench")
        async def step(n: str, **ctx: str) -> None:
            ctx[name] = VALUE
            if following is not None:
                await self.app.tasks[following].defer_async(n=n, **ctx)
            elif n in self.ended:
                self.ended.pop(n).set()

    async def _open(self) -> None:
        if not hasattr(self, "_opened"):
            self._opened = True
            await self.app.open_async()

    def prepare(self) -> None:
        async def make() -> None:
            await self._open()
            await self.app.schema_manager.apply_schema_async()

        self._loop(make())

    def start(self, count: int) -> None:
        async def defer() -> None:
            await self._open()
            rows = [{"n": uuid.uuid4().hex} for _ in range(count)]
            await self.app.tasks["one"].batch_defer_async(*rows)

        self._loop(defer())

    def work(self, stop: Event) -> None:
        async def end() -> None:
            self._worker.cancel()  # it lets running jobs end
            with suppress(asyncio.CancelledError):
                await self._worker

        with self.serve():
            stop.wait()
            self._loop(end())

    @contextmanager
    def serve(self) -> Iterator[None]:
        async def serve() -> None:
            await self._open()
            self._worker = asyncio.ensure_future(
                self.app.run_worker_async(
                    queues=["bench"],
                    concurrency=CONCURRENCY,
                    fetch_job_polling_interval=self.POLL,
                    install_signal_handlers=False,
                )
            )

        self._loop(serve())
        yield

    def one(self) -> None:
        n = uuid.uuid4().hex
        self.ended[n] = ended = threading.Event()
        self._loop(self.app.tasks["one"].defer_async(n=n))
        ended.wait(10)


class Idle(Procrastinate):
    """A worker as it is without tuning."""

    POLL = 5.0


if __name__ == "__main__":
    main(Procrastinate, idle=Idle)
