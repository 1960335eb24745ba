"""Where user code runs: slots in threads for ``def``, one event loop for ``async def``."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from active_workflow.engine.call import Call, Report
from active_workflow.engine.failures import ProcessEndsError

logger = logging.getLogger("active_workflow")

Job = Callable[[], None]

PATIENCE = 1.0
"""Seconds that cancelled tasks have to end in, when the loop is closed."""


class Threads:
    """A pool of daemon threads on one queue: a tenth of the cost of ``ThreadPoolExecutor`` for each job.

    Threads are made when they are needed, up to ``size``, and never wait for a commit: they put a report
    down and take the next job.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle: list[None] = []  # one entry for each thread that waits; append and pop are atomic

    def submit(self, job: Job) -> None:
        """Have a job done by the next free thread."""
        self._jobs.put(job)
        if self._idle:
            self._idle.pop()
        elif len(self._threads) < self._size:
            number = len(self._threads) + 1
            thread = threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system gives no more of them: those that there are do it later
                if not self._threads:
                    raise
            else:
                self._threads.append(thread)

    @property
    def is_behind(self) -> bool:
        """Whether jobs wait for a thread."""
        return not self._jobs.empty()

    def take_back(self) -> list[Job]:
        """Give the jobs that no thread has begun; they will not be done."""
        jobs: list[Job] = []
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return jobs
            if job is not None:
                jobs.append(job)

    def close(self) -> None:
        """Let each thread end after its present job."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            job()
            self._idle.append(None)


class Loop:
    """An event loop in a thread of its own, or the caller's."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._own = loop is None
        self.loop = loop or asyncio.new_event_loop()
        self._tasks: dict[Call, asyncio.Task[None]] = {}
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        if self._own:
            self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    def submit(self, jobs: Sequence[tuple[Call, Callable[[], Coroutine[Any, Any, None]]]]) -> None:
        """Start a task for each job, in one hop to the loop."""
        self.loop.call_soon_threadsafe(self._start, jobs)

    def _start(self, jobs: Sequence[tuple[Call, Callable[[], Coroutine[Any, Any, None]]]]) -> None:
        for call, job in jobs:
            task = self.loop.create_task(job())
            self._tasks[call] = task
            task.add_done_callback(lambda _, call=call: self._tasks.pop(call, None))  # type: ignore[misc]

    def cancel(self, call: Call) -> None:
        """Cancel the task of a call; it reports for itself."""
        self.loop.call_soon_threadsafe(self._cancel, call)

    def _cancel(self, call: Call) -> None:
        task = self._tasks.get(call)
        if task is not None:
            task.cancel()

    def wait_for(self, awaitable: Awaitable[Any]) -> Any:
        """Have something awaited on the loop, while this (other) thread waits for what it gives."""

        async def awaited() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result()

    def close(self) -> None:
        """Cancel what still runs here, and end an own loop; code that lets nobody stop it is left behind."""
        if self.loop.is_closed() or not (self._own or self.loop.is_running()):
            return
        ended = asyncio.run_coroutine_threadsafe(self._all_cancelled(), self.loop)
        if self._own:
            ended.add_done_callback(lambda _: self.loop.call_soon_threadsafe(self.loop.stop))
        try:
            ended.result(PATIENCE)
        except TimeoutError:
            logger.warning("an async step goes on though it was cancelled: it is left behind")
        else:
            if self._own:
                self._thread.join(PATIENCE)

    async def _all_cancelled(self) -> None:
        """Cancel the calls of this pool; on an own loop all else as well, which only steps can have begun."""
        tasks = set(self._tasks.values())
        if self._own:
            tasks |= asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Pool:
    """Makes calls, each where its code belongs.

    Args:
        size: How many threads at most.
        name: What they are called.
        is_async: Whether a call's code is a coroutine function.
        call: Makes a call in a thread and gives the report.
        call_async: The same on the loop.
        report: Takes each report of a thread, and may have it make another call at once.
        report_async: Takes each report of the loop.
        loop: The caller's loop for async code; None makes one of its own when it is first needed.
    """

    def __init__(
        self,
        size: int,
        name: str,
        *,
        is_async: Callable[[Call], bool],
        call: Callable[[Call], Report],
        call_async: Callable[[Call], Coroutine[Any, Any, Report]],
        report: Callable[[Report], Call | None],
        report_async: Callable[[Report], None],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._threads = Threads(size, name)
        self._name = name
        self._is_async = is_async
        self._call = call
        self._call_async = call_async
        self._report = report
        self._report_async = report_async
        self._given_loop = loop
        self._loop: Loop | None = None
        self._lock = threading.Lock()

    @property
    def loop(self) -> Loop:
        """The loop for async code."""
        with self._lock:
            if self._loop is None:
                self._loop = Loop(f"{self._name}-loop", self._given_loop)
            return self._loop

    @property
    def is_behind(self) -> bool:
        """Whether calls wait for a slot."""
        return self._threads.is_behind

    def submit(self, calls: Sequence[Call], *, here: bool = False) -> Call | None:
        """Make calls as soon as slots are free.

        Args:
            calls: What is to be called.
            here: Whether this thread is a free slot.

        Returns:
            The call that this thread is to make itself.
        """
        coroutines, own = [], None
        for call in calls:
            if self._is_async(call):
                coroutines.append((call, lambda call=call: self._on_loop(call)))
            elif here and own is None:
                own = call
            else:
                self._threads.submit(_ThreadJob(self, call))
        if coroutines:
            self.loop.submit(coroutines)
        return own

    def stop(self, call: Call) -> bool:
        """Stop a call whose time is over; False where that can't be done (a thread)."""
        if not self._is_async(call):
            return False
        self.loop.cancel(call)
        return True

    def take_back(self) -> list[Call]:
        """Give the calls that have not begun; they will not be made."""
        return [job.call for job in self._threads.take_back() if isinstance(job, _ThreadJob)]

    def close(self) -> None:
        """Let every thread end when it is idle, and stop the loop."""
        self._threads.close()
        if self._loop is not None:
            self._loop.close()

    def in_thread(self, call: Call) -> None:
        """Make a call here, and those that follow from its report."""
        following: Call | None = call
        with suppress(ProcessEndsError):
            while following is not None:
                following = self._report(self._call(following))

    async def _on_loop(self, call: Call) -> None:
        with suppress(ProcessEndsError):
            self._report_async(await self._call_async(call))


class _ThreadJob:
    __slots__ = ("_pool", "call")

    def __init__(self, pool: Pool, call: Call) -> None:
        self._pool = pool
        self.call = call

    def __call__(self) -> None:
        self._pool.in_thread(self.call)
