"""Worker processes of a runner, and the processor time that they take."""

import os
import time
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.runners.runner import SPAWN, Runner

PATIENCE = 15.0
"""Seconds that a worker may take to end."""


class Workers:
    """So many worker processes, as long as the block lasts."""

    def __init__(self, runner: Runner, count: int) -> None:
        self._stop = SPAWN.Event()
        about = (type(runner), runner.url, runner.tally, self._stop)
        self._processes = [SPAWN.Process(target=_work, args=(*about, place)) for place in range(count)]
        self._feeder = SPAWN.Process(target=_feed, args=(*about, count)) if runner.FED else None

    def __enter__(self) -> Self:
        for process in self._all():
            process.start()
        return self

    def _all(self) -> list[SpawnProcess]:
        return self._processes + ([self._feeder] if self._feeder else [])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        until = time.monotonic() + PATIENCE
        for process in self._all():
            process.join(max(0.1, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def check(self) -> None:
        """Fail if one of them has ended by itself."""
        ended = [process.exitcode for process in self._all() if not process.is_alive()]
        if ended:
            raise RuntimeError(f"a worker process ended with {ended[0]}")

    def cpu(self) -> float:
        """Give the seconds of processor time that they and their children have taken."""
        return cpu_seconds({process.pid for process in self._processes})


def _work(kind: type[Runner], url: str, tally: Any, stop: Event, place: int) -> None:
    runner = kind(url)
    runner.tally, runner.place = tally, place
    runner.work(stop)
    os._exit(0)


def _feed(kind: type[Runner], url: str, tally: Any, stop: Event, workers: int) -> None:
    runner = kind(url)
    runner.tally = tally
    runner.feed(stop, workers)
    os._exit(0)


def cpu_seconds(pids: set[int | None]) -> float:
    """Give the processor time of living processes and all that descend from them, as Linux tells it."""
    found: dict[int, tuple[int, float]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        ticks = int(words[11]) + int(words[12])
        found[int(file.parent.name)] = (int(words[1]), ticks / os.sysconf("SC_CLK_TCK"))
    mine = set(pids)
    while more := {pid for pid, (parent, _) in found.items() if parent in mine} - mine:
        mine |= more
    return sum(found[pid][1] for pid in mine if pid in found)
