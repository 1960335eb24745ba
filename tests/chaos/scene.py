"""The processes of one run: workers that are replaced when they are gone, and their partner."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import active_workflow as aw
from tests.chaos.clocks import VARIABLE, set_clock
from tests.ledger import Ledger, Open

ROOT = Path(__file__).parents[2]
SOURCE = Path(aw.__file__).parents[1]
LEASE = 1.0
WORKERS = 3
SLOTS = 4
STARTING = 30.0
"""Seconds that the first workers have to start in."""


class Scene:
    """One run.

    Attributes:
        site: The store, and what can be done to it.
        ledger: What happened.
        workers: The worker processes.
        over: Set when the time of the faults is over.
        counts: How often each fault was injected.
    """

    def __init__(self, site: Any, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.ledger = Ledger(folder / "ledger")
        self.workers = Workers(site, folder, self.ledger)
        self.over = threading.Event()
        self.counts: Counter[str] = Counter()

    def count(self, fault: str, times: int = 1) -> None:
        self.counts[fault] += times


def environment(folder: Path, url: str) -> dict[str, str]:
    return os.environ | {
        "CHAOS_LEDGER": str(folder / "ledger"),
        "PYTHONPATH": os.pathsep.join(map(str, [SOURCE, ROOT])),
        "ACTIVE_WORKFLOW_STORE": url,
        "ACTIVE_WORKFLOW_LEASE": f"{LEASE}s",
        "ACTIVE_WORKFLOW_POLL_INTERVAL": "100ms",
        "ACTIVE_WORKFLOW_CONCURRENCY": str(SLOTS),
    }


class Workers:
    """Worker processes, each replaced as soon as it is gone.

    Args:
        site: Their store.
        folder: For their logs.
        ledger: What their steps write into.
        flows: The module of their workflows.

    Attributes:
        killed: Those that we killed.
        died: Those that ended by themselves, with how and with what they had to say.
    """

    def __init__(self, site: Any, folder: Path, ledger: Ledger, flows: str = "tests.chaos.flows") -> None:
        self._site = site
        self._flows = flows
        self._folder = folder
        self._open = Open(ledger)
        self._environment = environment(folder, site.url)
        self._places: dict[int, Worker] = {}
        self._number = 0
        self._lock = threading.Lock()
        self.killed: set[int] = set()
        self.died: list[Worker] = []

    def until_all_work(self) -> None:
        """Start those that are missing, and wait until all of them work."""
        self.keep_up()
        deadline = time.monotonic() + STARTING
        while not all(worker.works for worker in self._places.values()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"workers don't start: {[worker.log() for worker in self.died]}")
            time.sleep(0.05)
            self.keep_up()

    def keep_up(self) -> None:
        """Replace those that are gone."""
        with self._lock:
            for place in range(WORKERS):
                worker = self._places.get(place)
                if worker is not None and worker.process.poll() is None:
                    continue
                if worker is not None and worker.process.pid not in self.killed:
                    self.died.append(worker)
                self._places[place] = self._start(place)

    def _start(self, place: int) -> "Worker":
        self._number += 1
        own = {VARIABLE: str(self._site.clocks[place])}
        log = self._folder / f"worker-{self._number}.log"
        return Worker(self._flows, log, self._environment | own)

    def one_inside(self, chance: random.Random) -> subprocess.Popen[bytes] | None:
        """Give a worker that is inside a step, if one is."""
        with self._lock:
            self._open.look()
            processes = [worker.process for worker in self._places.values()]
            inside = [it for it in processes if it.poll() is None and self._open.inside(it.pid)]
            return chance.choice(inside) if inside else None

    def kill_one_inside(self, chance: random.Random) -> bool:
        process = self.one_inside(chance)
        if process is None:
            return False
        self.killed.add(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True

    def stop(self) -> list[int]:
        """Ask all of them to end, and give how they did."""
        self.until_all_work()
        processes = [worker.process for worker in self._places.values()]
        for process in processes:
            process.terminate()
        return [_end_of(process) for process in processes]

    def close(self) -> None:
        for worker in self._places.values():
            with suppress(ProcessLookupError):
                worker.process.kill()
            worker.process.wait()


class Worker:
    """One worker process, with a log of its own."""

    def __init__(self, flows: str, log: Path, environment: dict[str, str]) -> None:
        self._log = log
        command = [sys.executable, "-m", "active_workflow", "worker", flows]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, cwd=log.parent, env=environment, stdout=file, stderr=file
            )

    def log(self) -> str:
        """What it has to say."""
        return self._log.read_text(errors="replace")

    @property
    def works(self) -> bool:
        """Whether it has found its store and begun to work."""
        return "Worker started" in self.log()


class PartnerProcess:
    """The process that completes, signals and cancels from outside."""

    def __init__(self, site: Any, folder: Path, seed: int) -> None:
        self._log = (folder / "partner.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.partner", str(seed)],
            cwd=ROOT,
            env=environment(folder, site.url),
            stdout=self._log,
            stderr=self._log,
        )

    def stop(self) -> int:
        """Let it say what it still has to say, and give how it ended."""
        self.process.terminate()
        return _end_of(self.process)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()


def make_clocks(folder: Path) -> list[Path]:
    """Make a clock for each worker, right for now."""
    files = [folder / f"clock-{place}" for place in range(WORKERS)]
    for file in files:
        set_clock(file, 0)
    return files


def _end_of(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return 999  # it would not end
