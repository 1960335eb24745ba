"""What is measured, the same way with every system. Each gives a mapping of figures."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.runners.figures import percentiles, short, timed
from bench.runners.options import Options
from bench.runners.runner import Runner
from bench.runners.workers import Workers

FIRST = 500
FIRST_SECONDS = 20.0
"""So many workflows, but no longer, run before anything is timed; their bytes and commits are counted."""
SETTLE = 0.5
"""Seconds between a worker's first finished workflow and the begin of the timed part."""
START_AT_ONCE = 1000
SAMPLES = 300
PARKED = 1000
RESUMED = 200
IDLE = 20.0
"""Seconds: some look for work every five, or every twenty."""


def throughput(runner: Runner, options: Options) -> dict[str, Any]:
    """Steps and workflows per second with so many worker processes, and what a step costs them."""
    runner.prepare()
    queue = _Queue(runner, runner.finished())
    left, rate = _first(runner, queue, options.processes)
    rounds: list[Round] = []
    for _ in range(options.rounds):
        rounds.append(_round(runner, options, queue, rate))
        rate = max(rate, rounds[-1].rate)
    rate = statistics.median(one.rate for one in rounds)
    return {
        "workflows_per_s": short(rate),
        "steps_per_s": short(5 * rate),
        "rounds": [short(5 * one.rate) for one in rounds],
        "worker_cpu_us_per_step": short(statistics.median(one.cpu for one in rounds) * 1e6 / 5),
        **left,
    }


@dataclass(frozen=True)
class Round:
    """What one round came to: workflows per second, and seconds of processor time for each."""

    rate: float
    cpu: float


@dataclass
class _Queue:
    """What was started for the workers; where they start it themselves, nothing."""

    runner: Runner
    started: int

    def fill(self, count: int) -> None:
        """Have so many workflows wait for a worker."""
        lacking = count - (self.started - self.runner.finished())
        if self.runner.QUEUED and lacking > 0:
            self.runner.start(lacking)
            self.started += lacking

    def is_empty(self) -> bool:
        return self.runner.QUEUED and self.runner.finished() >= self.started


def _first(runner: Runner, queue: _Queue, processes: int) -> tuple[dict[str, Any], float]:
    """Run the first workflows on empty tables; give what they leave there, and their rate."""
    size, commits, before = runner.size(), runner.commits(), runner.finished()
    queue.fill(FIRST)
    with Workers(runner, processes) as workers:
        _until(partial(_beyond, runner, before), workers)
        began = time.perf_counter()
        while runner.finished() < before + FIRST and time.perf_counter() - began < FIRST_SECONDS:
            workers.check()
            time.sleep(0.02)
        rate = (runner.finished() - before) / max(time.perf_counter() - began, 0.1)
    done = runner.finished() - before
    left: dict[str, Any] = {}
    if size is not None:
        left["bytes_per_workflow"] = round((runner.size() - size) / done)
    if commits is not None:
        left["commits_per_workflow"] = short((runner.commits() - commits) / done)
    return left, rate


def _round(runner: Runner, options: Options, queue: _Queue, rate: float) -> Round:
    """Measure once; where the queue runs dry too soon, again with more in it."""
    for _ in range(5):
        queue.fill(int(rate * (SETTLE + options.seconds) * 1.3) + 100)
        before = runner.finished()
        with Workers(runner, options.processes) as workers:
            _until(partial(_beyond, runner, before), workers)
            time.sleep(SETTLE)
            count, began, cpu = runner.finished(), time.perf_counter(), workers.cpu()
            time.sleep(options.seconds)
            count, spent = runner.finished() - count, time.perf_counter() - began
            cpu = workers.cpu() - cpu
            workers.check()
        if not queue.is_empty():
            if not count:
                raise RuntimeError(f"the workers finish nothing within {spent:.0f} s")
            return Round(count / spent, cpu / count)
        rate *= 2
    raise RuntimeError("the workers are always done before the time is over")


def start(runner: Runner, options: Options) -> dict[str, Any]:
    """Workflows started per second by one client, each with an idempotency key if there are such."""
    runner.prepare()
    runner.start(START_AT_ONCE)
    rates = [_start_rate(runner.start, START_AT_ONCE, options.seconds) for _ in range(options.rounds)]
    singly = {}
    if runner.SINGLY:
        singly["singly_per_s"] = short(_start_rate(runner.start_singly, 100, options.seconds))
    return {
        **singly,
        "starts_per_s": short(statistics.median(rates)),
        "rounds": [short(rate) for rate in rates],
        "keyed": runner.KEYED,
    }


def _start_rate(begin: Callable[[int], None], at_once: int, seconds: float) -> float:
    count, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        begin(at_once)
        count += at_once
    return count / spent


def latency(runner: Runner, options: Options) -> dict[str, Any]:
    """How long one workflow takes while nothing else runs, from its start until its end is known."""
    runner.prepare()
    with runner.serve():
        for _ in range(20):
            runner.one()
        times: list[float] = []
        until = time.perf_counter() + 3 * options.seconds
        while len(times) < SAMPLES and time.perf_counter() < until:
            times.append(timed(runner.one))
        return {**percentiles(times), "samples": len(times)}


def park(runner: Runner, options: Options) -> dict[str, Any]:
    """A thousand workflows wait and get their signals at once; then some get theirs one after the other."""
    runner.prepare()
    with runner.serve():
        ids = runner.park(PARKED)
        began = time.perf_counter()
        runner.signal(ids)
        sent = time.perf_counter() - began
        runner.wait(ids)
        spent = time.perf_counter() - began
        times = _resumed(runner, runner.park(RESUMED), 3 * options.seconds)
    resumed = {f"resume_{name}": value for name, value in percentiles(times).items()}
    return {"signals_per_s": short(PARKED / sent), "completed_per_s": short(PARKED / spent), **resumed}


def _resumed(runner: Runner, ids: list[Any], seconds: float) -> list[float]:
    """Give how long each of them took from its signal to its end, of as many as fit into the time."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < len(ids) and time.perf_counter() < until:
        times.append(timed(_resume, runner, ids[len(times)]))
    return times


def _resume(runner: Runner, id: Any) -> None:
    runner.signal([id])
    runner.wait([id])


def idle(runner: Runner, options: Options) -> dict[str, Any]:
    """SQL statements per second of a worker process that has nothing to do."""
    runner.prepare()
    with Workers(runner, 1) as workers:
        time.sleep(max(3.0, options.seconds))  # it is up by then, and over with what it does at first
        before, cpu, began = runner.statements(), workers.cpu(), time.perf_counter()
        time.sleep(IDLE)
        spent = time.perf_counter() - began
        workers.check()
        rate, cpu = (runner.statements() - before) / spent, (workers.cpu() - cpu) / spent
    return {"idle_statements_per_s": short(rate), "idle_cpu_percent": short(100 * cpu)}


def _beyond(runner: Runner, count: int) -> bool:
    return runner.finished() > count


def _until(done: Callable[[], bool], workers: Workers, patience: float = 90.0) -> None:
    until = time.monotonic() + patience
    while not done():
        workers.check()
        if time.monotonic() > until:
            raise TimeoutError(f"the workers have not come so far in {patience:.0f} s")
        time.sleep(0.02)
