"""The processes of one run: workers that are replaced when they are gone, and their partner."""

import os
import random
import signal
import subprocess
import sys
import threading
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

    Attributes:
        killed: Those that we killed.
        died: Those that ended by themselves while they were needed, with how.
    """

    def __init__(self, site: Any, folder: Path, ledger: Ledger) -> None:
        self._site = site
        self._folder = folder
        self._open = Open(ledger)
        self._environment = environment(folder, site.url)
        self._log = (folder / "workers.log").open("ab")
        self._places: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self.killed: set[int] = set()
        self.died: list[tuple[int, int]] = []

    def keep_up(self) -> None:
        """Replace those that are gone."""
        with self._lock:
            for place in range(WORKERS):
                process = self._places.get(place)
                if process is not None and process.poll() is None:
                    continue
                if process is not None and process.pid not in self.killed:
                    self.died.append((process.pid, process.returncode))
                self._places[place] = self._start(place)

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        own = {VARIABLE: str(self._site.clocks[place])}
        command = [sys.executable, "-m", "active_workflow", "worker", "tests.chaos.flows"]
        return subprocess.Popen(
            command, cwd=self._folder, env=self._environment | own, stdout=self._log, stderr=self._log
        )

    def one_inside(self, chance: random.Random) -> subprocess.Popen[bytes] | None:
        """Give a worker that is inside a step, if one is."""
        with self._lock:
            self._open.look()
            inside = [
                process
                for process in self._places.values()
                if process.poll() is None and self._open.inside(process.pid)
            ]
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
        for process in self._places.values():
            process.terminate()
        return [_end_of(process) for process in self._places.values()]

    def close(self) -> None:
        for process in self._places.values():
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
        self._log.close()


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
