"""Runs the runners, one after the other, and keeps what each prints."""

import datetime as dt
import json
import os
import platform
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.environments import MissingError, python_of
from bench.systems import System
from tests.servers.postgres import MissingPostgresError, find_binaries

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
PATIENCE = 300.0
"""Seconds that one measure of one system may take."""
Line = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What is to be measured: of which systems, which workloads (None: all), how long, how often."""

    systems: Sequence[System]
    workloads: Sequence[str] | None
    seconds: float
    rounds: int


def measure(wish: Wish, file: Path) -> list[Line]:
    """Measure, tell each result as it comes, and keep all of them in a file."""
    began = time.monotonic()
    lines: list[Line] = []
    file.parent.mkdir(exist_ok=True)
    with file.open("w", encoding="utf-8") as kept:
        for line in _lines(wish, began):
            text = json.dumps(line)
            print(text if len(text) < 220 else f"{text[:217]}…", flush=True)
            kept.write(f"{text}\n")
            kept.flush()
            lines.append(line)
    return lines


def _lines(wish: Wish, began: float) -> Iterator[Line]:
    yield machine(wish)
    for system in wish.systems:
        wanted = [one for one in system.measures if wish.workloads is None or one[0] in wish.workloads]
        if wanted:
            yield from _of_system(system, wanted, wish)
    yield {"fdatasync_us_after": fdatasync_microseconds(), "took_s": round(time.monotonic() - began)}


def _of_system(system: System, wanted: Sequence[tuple[str, int]], wish: Wish) -> Iterator[Line]:
    try:
        python = python_of(system.peer)
    except (MissingError, OSError, subprocess.SubprocessError) as error:
        yield {"system": system.name, "missing": str(error)}
        return
    for workload, processes in wanted:
        began = time.monotonic()
        named = {"system": system.name, "workload": workload, "processes": processes}
        disk = {"fdatasync_us": fdatasync_microseconds(50), "load": round(os.getloadavg()[0], 1)}
        try:
            with system.server(workload) as url:
                figures = _figures(python, system, (workload, processes, url), wish)
        except (MissingError, RuntimeError, OSError, subprocess.SubprocessError) as error:
            figures = {"missing": str(error)}
        yield {**named, **figures, **disk, "took_s": round(time.monotonic() - began, 1)}


def _figures(python: Path, system: System, what: tuple[str, int, str], wish: Wish) -> Line:
    """Run a runner; a failure is a line that says why, never an end of the whole."""
    workload, processes, url = what
    command = [str(python), "-m", f"bench.runners.{system.runner}", "--workload", workload, "--url", url]
    numbers = {"--processes": processes, "--seconds": wish.seconds, "--rounds": wish.rounds}
    options = [str(word) for pair in numbers.items() for word in pair]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        runner = subprocess.Popen(
            [*command, *options], cwd=ROOT, stdout=out, stderr=err, start_new_session=True
        )
        try:
            runner.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return {"missing": f"not over after {PATIENCE:.0f} s"}
        finally:
            _end(runner)
        out.seek(0)
        told = [line for line in out.read().splitlines() if line.startswith("{")]
        if runner.returncode or not told:
            err.seek(0)
            last = (err.read().strip().splitlines() or [f"ended with {runner.returncode}"])[-1]
            return {"missing": f"fails: {last[:200]}"}
        return json.loads(told[-1])


def _end(runner: subprocess.Popen[bytes]) -> None:
    """End a runner and all that it has started: they are a group of their own."""
    with suppress(ProcessLookupError):
        os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()


def machine(wish: Wish) -> Line:
    """Tell where and when this is measured."""
    return {
        "date": str(dt.datetime.now(dt.UTC).date()),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "postgres": _postgres(),
        "fdatasync_us": fdatasync_microseconds(),
        "seconds": wish.seconds,
        "rounds": wish.rounds,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")


def _postgres() -> str | None:
    try:
        told = subprocess.run(
            [find_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True
        )
    except (MissingPostgresError, OSError, subprocess.SubprocessError):
        return None
    return told.stdout.split()[2]


def fdatasync_microseconds(rounds: int = 200) -> int:
    """Tell what the disk takes to make 8 kB durable."""
    with tempfile.NamedTemporaryFile() as file:
        times = []
        for _ in range(rounds):
            file.seek(0)
            file.write(os.urandom(8192))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1e6)


def read(name: str) -> list[Line]:
    """Give what a run has left."""
    file = RESULTS / f"{name}.jsonl"
    return (
        [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    )
