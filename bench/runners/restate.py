"""Restate: a server written in Rust, which calls the workflows over HTTP."""

import asyncio
import http.client
import itertools
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.synchronize import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

from bench.runners.command import main
from bench.runners.loops import Loop, until
from bench.runners.runner import STEPS, VALUE, Runner

AT_ONCE = 64
WORKERS = 2
AWAKEABLES: dict[str, str] = {}


async def step(name: str) -> dict[str, str]:
    return {name: VALUE}


async def run(ctx: restate.Context, n: str) -> dict[str, str]:
    del n
    result: dict[str, str] = {}
    for name in STEPS:
        result |= await ctx.run_typed(name, step, name=name)
    return result


async def park(ctx: restate.Context, n: str) -> dict[str, str]:
    id, signal = ctx.awakeable()
    AWAKEABLES[n] = id
    await signal
    return await ctx.run_typed("one", step, name="one")


def service(place: int) -> restate.Service:
    made = restate.Service(f"Bench{place}")
    made.handler("run")(run)
    made.handler("park")(park)
    return made


class Restate(Runner):
    """Restate, its Python SDK behind Hypercorn."""

    TUNED = (
        f"4 partitions in place of 24; asynchronous steps; {AT_ONCE} workflows in flight for each worker"
        " process, kept so by a process that is not counted; each worker process is a service of its own, for"
        " one connection would serve but one; calls by threads over kept connections; signals are awakeables"
    )
    WORKLOADS = ("throughput", "start", "latency", "park")
    QUEUED = False
    FED = True

    def __init__(self, url: str) -> None:
        super().__init__(url)
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        self.ingress, self.admin = parts.port, int(options["admin"][0])
        self.ports = [int(port) for port in options["workers"][0].split(",")]
        self.loop = Loop()
        self.connections = threading.local()
        self.invocations: dict[str, str] = {}
        self.threads = ThreadPoolExecutor(32)

    def _ask(self, method: str, path: str, content: Any = None, key: str | None = None) -> Any:
        """Send a request over this thread's own connection."""
        if not hasattr(self.connections, "one"):
            self.connections.one = http.client.HTTPConnection("127.0.0.1", self.ingress, timeout=120)
        headers = {"content-type": "application/json", **({"idempotency-key": key} if key else {})}
        body = json.dumps(content) if method == "POST" else None
        self.connections.one.request(method, path, body, headers)
        answer = self.connections.one.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text else None

    def _call(self, path: str) -> Any:
        n = uuid.uuid4().hex
        return self._ask("POST", path, n, n)

    @asynccontextmanager
    async def _endpoint(self, place: int) -> AsyncIterator[None]:
        config = Config()
        config.bind = [f"127.0.0.1:{self.ports[place]}"]
        config.loglevel = "CRITICAL"
        ended = asyncio.Event()
        app: Any = restate.app([service(place)])
        server = asyncio.create_task(serve(app, config, shutdown_trigger=ended.wait))
        await asyncio.sleep(0.3)
        yield
        ended.set()
        await server

    def prepare(self) -> None:
        async def register() -> None:
            for place in range(WORKERS):
                async with self._endpoint(place):
                    await asyncio.to_thread(self._register, place)

        self.loop(register())

    def _register(self, place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=30)
        uri = {"uri": f"http://127.0.0.1:{self.ports[place]}"}
        connection.request("POST", "/deployments", json.dumps(uri), {"content-type": "application/json"})
        answer = connection.getresponse()
        if answer.status >= 400:
            raise RuntimeError(f"can't register: {answer.read().decode()}")

    def start(self, count: int) -> None:
        list(self.threads.map(self._call, itertools.repeat("/Bench0/run/send", count)))

    def work(self, stop: Event) -> None:
        async def serve() -> None:
            async with self._endpoint(self.place):
                await until(stop)

        self.loop(serve())

    def feed(self, stop: Event, workers: int) -> None:
        def loop(place: int) -> None:
            while not stop.is_set():
                self._call(f"/Bench{place}/run")
                with self.tally.get_lock():
                    self.tally.value += 1

        for number in range(AT_ONCE * workers):
            threading.Thread(target=loop, args=(number % workers,), daemon=True).start()
        stop.wait()

    @contextmanager
    def serve(self) -> Iterator[None]:
        endpoint = self._endpoint(0)
        self.loop(endpoint.__aenter__())
        yield
        self.loop(endpoint.__aexit__(None, None, None))

    def one(self) -> None:
        self._call("/Bench0/run")

    def park(self, count: int) -> list[str]:
        ids = [uuid.uuid4().hex for _ in range(count)]
        sent = self.threads.map(lambda n: self._ask("POST", "/Bench0/park/send", n, n), ids)
        self.invocations.update((n, answer["invocationId"]) for n, answer in zip(ids, sent, strict=True))
        while not AWAKEABLES.keys() >= set(ids):
            time.sleep(0.02)
        return ids

    def signal(self, ids: list[str]) -> None:
        paths = [f"/restate/awakeables/{AWAKEABLES[n]}/resolve" for n in ids]
        list(self.threads.map(lambda path: self._ask("POST", path, True), paths))

    def wait(self, ids: list[str]) -> None:
        paths = [f"/restate/invocation/{self.invocations[n]}/attach" for n in ids]
        list(self.threads.map(lambda path: self._ask("GET", path), paths))


if __name__ == "__main__":
    main(Restate)
