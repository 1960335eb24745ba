"""An event loop in a thread of its own, for systems whose calls are all asynchronous."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from multiprocessing.synchronize import Event
from typing import Any


class Loop:
    """Runs what it is given, and waits for it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._running = False

    def __call__(self, action: Coroutine[Any, Any, Any]) -> Any:
        """Run something and give its result."""
        return self.begin(action).result()

    def begin(self, action: Coroutine[Any, Any, Any]) -> Any:
        """Run something, and give the future of its result."""
        if not self._running:
            self._running = True
            threading.Thread(target=self._loop.run_forever, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(action, self._loop)


async def until(stop: Event) -> None:
    """Return when a process is told to stop."""
    while not stop.is_set():  # noqa: ASYNC110 - the event is no one of this loop
        await asyncio.sleep(0.05)


async def many(action: Callable[[], Awaitable[Any]], count: int, at_once: int) -> list[Any]:
    """Do something so many times, so many at once."""
    turns = iter(range(count))

    async def some() -> list[Any]:
        return [await action() for _ in turns]

    parts = await asyncio.gather(*[some() for _ in range(at_once)])
    return [one for part in parts for one in part]


async def endlessly(action: Callable[[], Awaitable[Any]], at_once: int, stop: Event) -> None:
    """Do something again and again, so many at once, until told to stop."""

    async def some() -> None:
        while not stop.is_set():
            await action()

    await asyncio.gather(*[some() for _ in range(at_once)])
