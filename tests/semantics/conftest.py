"""The stores and the two ways to run: a virtual clock in one thread, or real threads.

``engine`` is this process's engine over each store with a clock that only the test moves: everything that is
about time is told there, without waiting. ``live`` is one with an embedded worker, for what threads do.
A further store joins both by a line in ``STORES``.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import active_workflow as aw
from active_workflow.dsl.durations import parse_duration

StoreUrl = Callable[[pytest.FixtureRequest, Path], str]

STORES: dict[str, StoreUrl] = {
    "memory": lambda _request, _folder: "memory://",
    "sqlite": lambda _request, folder: f"sqlite:///{folder}/semantics.db",
    "postgres": lambda request, _folder: str(request.getfixturevalue("prepared_postgres_url")),
    "postgres15": lambda request, _folder: str(request.getfixturevalue("prepared_oldest_postgres_url")),
    "mysql": lambda request, _folder: str(request.getfixturevalue("prepared_mysql_url")),
    "redis": lambda request, _folder: str(request.getfixturevalue("redis_url")),
}
"""Each store's name and what gives the URL of an empty one."""
SERVERS = {"postgres", "postgres15", "mysql", "redis"}
"""Those that need a server: left out of the quick run."""


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, duration: Any) -> None:
        self.now += timedelta(microseconds=parse_duration(duration, "duration"))


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.slow] if name in SERVERS else []) for name in STORES]
)
def store_url(request, tmp_path) -> str:
    return STORES[request.param](request, tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Virtual:
    """An engine whose time stands, and the two ways to let it go on."""

    def __init__(self, engine: aw.Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def run(self, *executions: aw.Execution) -> Any:
        """Run all that is due now; give the (first) execution as it is then."""
        self.engine.run_until_idle()
        for execution in executions:
            execution.refresh()
        return executions[0] if executions else None

    def after(self, duration: Any, *executions: aw.Execution) -> Any:
        """Let time pass, and run all that has come due by then."""
        self.clock.advance(duration)
        return self.run(*executions)


@pytest.fixture
def engine(store_url, clock) -> Iterator[Virtual]:
    made = aw.configure(store_url, embedded=False, clock=clock)
    yield Virtual(made, clock)
    made.close()


@pytest.fixture
def live(store_url) -> Iterator[aw.Engine]:
    made = aw.configure(store_url, poll_interval="50ms", concurrency=8)
    yield made
    made.close()


class Gate:
    """Lets a test and a step that runs in another thread wait for each other."""

    def __init__(self) -> None:
        self._entered = threading.Semaphore(0)
        self._open = threading.Event()

    def enter(self) -> None:
        """In the step: say that it is here, and wait until the gate is opened."""
        self._entered.release()
        assert self._open.wait(20), "nobody opened the gate"

    def wait_entered(self) -> None:
        """In the test: wait until a step is at the gate."""
        assert self._entered.acquire(timeout=20), "no step came to the gate"

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


@pytest.fixture
def log() -> list[Any]:
    """What steps did, in order."""
    return []
