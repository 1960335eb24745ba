"""Many executions parked on a signal: what they cost while they wait, and how soon one resumes.

A worker process holds nothing of them: no thread, slot, connection or lease. Measured: the worker's memory
and CPU while idle, the SQL statements it sends, and the time from a signal to the end of its workflow, sent
from the worker's own process and from another one.
"""

import json
import multiprocessing
import resource
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import active_workflow as aw

IDLE_SECONDS = 10


class Parked(aw.Workflow):
    go = aw.wait_for_signal()

    @aw.step
    def done(self) -> None:
        self.ctx.done = True


def main(count: int = 100_000) -> dict[str, Any]:
    STATEMENTS.watch()
    with tempfile.TemporaryDirectory(prefix="aw-bench-") as name:
        url = f"sqlite:///{name}/parked.db"
        with aw.Engine(url) as engine:
            engine.start(Parked, {"n": -1}).signal("go")  # the worker runs and is warm
            before = rss_mb()
            began = time.perf_counter()
            ids = park(engine, count)
            parked_in = time.perf_counter() - began
            idle = idle_cost()
            grown = rss_mb() - before
            own = latencies(engine, ids[:300])
            other = in_another_process(url, ids[300:600])
            began = time.perf_counter()
            engine.signal_many([{"execution_id": id, "name": "go"} for id in ids[1000:2000]])
            signalled_in = time.perf_counter() - began
    return {
        "bench": "parked",
        "parked": count,
        "parked_per_s": round(count / parked_in),
        "rss_growth_mb": round(grown, 1),
        **idle,
        **{f"own_process_{key}": value for key, value in own.items()},
        **{f"other_process_{key}": value for key, value in other.items()},
        "signal_many_1000_ms": round(signalled_in * 1000, 1),
    }


def park(engine: aw.Engine, count: int) -> list[str]:
    ids: list[str] = []
    for first in range(0, count, 1000):
        rows = [{"n": n} for n in range(first, min(count, first + 1000))]
        ids += [execution.id for execution in engine.start_many(Parked, rows)]
    return ids


def idle_cost() -> dict[str, float]:
    """Count the statements and CPU time of a worker that has nothing to do."""
    time.sleep(1)  # the last commits are over and noticed
    before, cpu = STATEMENTS.count, time.process_time()
    time.sleep(IDLE_SECONDS)
    spent = time.process_time() - cpu
    return {
        "idle_statements_per_s": round((STATEMENTS.count - before) / IDLE_SECONDS, 2),
        "idle_cpu_percent": round(100 * spent / IDLE_SECONDS, 2),
    }


class Statements:
    """Counts the statements of every connection that is opened from now on."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _statement: str) -> None:
        self.count += 1

    def watch(self) -> None:
        connect = sqlite3.connect

        def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            connection = connect(*args, **kwargs)
            connection.set_trace_callback(self)
            return connection

        sqlite3.connect = watched


STATEMENTS = Statements()


def latencies(engine: aw.Engine, ids: list[str]) -> dict[str, float]:
    times = []
    for id in ids:
        execution = engine.get(id)
        began = time.perf_counter()
        execution.signal("go")
        execution.wait("10s", check=True)
        times.append(time.perf_counter() - began)
    return percentiles(times)


def in_another_process(url: str, ids: list[str]) -> dict[str, float]:
    """Signal from a process that runs nothing itself; this one's worker has to notice."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_signal_and_wait, (url, ids))


def _signal_and_wait(url: str, ids: list[str]) -> dict[str, float]:
    with aw.Engine(url, embedded=False) as engine:
        engine.get(ids[0])
        return latencies(engine, ids)


def percentiles(times: list[float]) -> dict[str, float]:
    times = sorted(times)
    return {
        "p50_ms": round(times[len(times) // 2] * 1000, 2),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 2),
    }


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    print(json.dumps(main()))
