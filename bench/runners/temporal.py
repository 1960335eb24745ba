"""Temporal's Python SDK on the server that comes for tests, which keeps everything in memory."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.synchronize import Event

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.runners.command import main
from bench.runners.loops import Loop, endlessly, many, until
from bench.runners.runner import STEPS, VALUE, Runner

AT_ONCE = 64
QUEUE = "bench"
A_MINUTE = timedelta(minutes=1)


@activity.defn
async def step(name: str) -> dict[str, str]:
    return {name: VALUE}


@workflow.defn
class FiveSteps:
    @workflow.run
    async def run(self, _n: str) -> dict[str, str]:
        result: dict[str, str] = {}
        for name in STEPS:
            result |= await workflow.execute_activity(step, name, start_to_close_timeout=A_MINUTE)
        return result


@workflow.defn
class Parked:
    def __init__(self) -> None:
        self.signalled = False

    @workflow.signal
    def go(self) -> None:
        self.signalled = True

    @workflow.run
    async def run(self, _n: str) -> dict[str, str]:
        await workflow.wait_condition(lambda: self.signalled)
        return await workflow.execute_activity(step, "one", start_to_close_timeout=A_MINUTE)


class Temporal(Runner):
    """Temporal's Python SDK on its in-memory test server; not durable, and not the server of production."""

    TUNED = (
        f"workflows outside the sandbox; asynchronous activities; {AT_ONCE} workflows in flight for each"
        " worker process, kept so by a process that is not counted"
    )
    WORKLOADS = ("throughput", "start", "latency", "park")
    QUEUED = False
    FED = True

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.loop = Loop()
        self._client: Client | None = None

    async def client(self) -> Client:
        if self._client is None:
            self._client = await Client.connect(self.url.removeprefix("temporal://"))
        return self._client

    async def _worker(self) -> Worker:
        return Worker(
            await self.client(),
            task_queue=QUEUE,
            workflows=[FiveSteps, Parked],
            activities=[step],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )

    def prepare(self) -> None:
        self.loop(self.client())

    async def _begin(self, kind: type = FiveSteps) -> WorkflowHandle:
        n = uuid.uuid4().hex
        return await (await self.client()).start_workflow(kind.run, n, id=n, task_queue=QUEUE)

    async def _one(self) -> None:
        await (await self._begin()).result()

    def start(self, count: int) -> None:
        self.loop(many(self._begin, count, 32))

    def work(self, stop: Event) -> None:
        async def serve() -> None:
            async with await self._worker():
                await until(stop)

        self.loop(serve())

    def feed(self, stop: Event, workers: int) -> None:
        async def one() -> None:
            await self._one()
            self.tally.value += 1

        self.loop(endlessly(one, AT_ONCE * workers, stop))

    @contextmanager
    def serve(self) -> Iterator[None]:
        async def begin() -> None:
            worker = await self._worker()
            self._running = asyncio.ensure_future(worker.run())

        self.loop(begin())
        yield

    def one(self) -> None:
        self.loop(self._one())

    def park(self, count: int) -> list[WorkflowHandle]:
        return self.loop(many(lambda: self._begin(Parked), count, 32))

    def signal(self, ids: list[WorkflowHandle]) -> None:
        waiting = iter(ids)
        self.loop(many(lambda: next(waiting).signal(Parked.go), len(ids), min(32, len(ids))))

    def wait(self, ids: list[WorkflowHandle]) -> None:
        async def ends() -> None:
            await asyncio.gather(*[handle.result() for handle in ids])

        self.loop(ends())


if __name__ == "__main__":
    main(Temporal)
