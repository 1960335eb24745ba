"""Worker processes of a runner, and the processor time that they take."""

import os
import time
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
        arguments = (type(runner), runner.url, self._stop, runner.tally)
        self._processes = [SPAWN.Process(target=_work, args=arguments) for _ in range(count)]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        until = time.monotonic() + PATIENCE
        for process in self._processes:
            process.join(max(0.1, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def check(self) -> None:
        """Fail if one of them has ended by itself."""
        ended = [process.exitcode for process in self._processes if not process.is_alive()]
        if ended:
            raise RuntimeError(f"a worker process ended with {ended[0]}")

    def cpu(self) -> float:
        """Give the seconds of processor time that they and their children have taken."""
        return cpu_seconds({process.pid for process in self._processes})


def _work(kind: type[Runner], url: str, stop: Any, tally: Any) -> None:
    runner = kind(url)
    runner.tally = tally
    runner.work(stop)
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
