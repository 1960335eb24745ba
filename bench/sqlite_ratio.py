"""Throughput and latency on SQLite, each as a ratio to bare commits measured in the same run."""

import json
import os
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import active_workflow as aw
from active_workflow.cli.worker import settle_collector
from bench.bare_sqlite import commit_steps, open_bare
from bench.flows import STEPS, FiveSteps

ROUNDS = 3


def main(seconds: float = 5.0) -> dict[str, Any]:
    settle_collector()  # as the command does in a worker process
    with tempfile.TemporaryDirectory(prefix="aw-bench-") as name:
        folder = Path(name)
        rounds = [measure(folder, number, seconds) for number in range(ROUNDS)]
        sync = fdatasync_microseconds(folder)
    middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    figures = {key: _short(value) for key, value in middle.items()}
    return {"bench": "sqlite", "rounds": ROUNDS, "fdatasync_us": round(sync), **figures}


def measure(folder: Path, number: int, seconds: float) -> dict[str, float]:
    bare = open_bare_rate(folder / f"bare{number}", seconds)
    result = engine_rates(folder / f"flow{number}.db", seconds)
    return {
        "bare_commits_per_s": bare["rate"],
        **result,
        "throughput_ratio": result["steps_per_s"] / bare["rate"],
        "latency_ratio": result["latency_p50_ms"] / (6 * bare["commit_p50_ms"]),
        "bare_commit_p50_ms": bare["commit_p50_ms"],
    }


def open_bare_rate(folder: Path, seconds: float) -> dict[str, float]:
    folder.mkdir()
    connection = open_bare(folder)
    commit_steps(connection, 500)
    count, spent, singles = 500, 0.0, []
    while spent < seconds:
        took = commit_steps(connection, 500, first=count)
        singles.append(took / 500)
        spent += took
        count += 500
    connection.close()
    return {"rate": (count - 500) / spent, "commit_p50_ms": statistics.median(singles) * 1000}


def engine_rates(file: Path, seconds: float) -> dict[str, float]:
    """Give steps/s with as many workflows as last so long, and the latency of one on an idle engine."""
    url = f"sqlite:///{file}"
    with aw.Engine(url, embedded=False) as starter, aw.Engine(url, concurrency=8) as engine:
        start(starter, 500)
        warm_up = drain(engine, file, 500)
        count = int(500 / warm_up * seconds * 1.3) + 500
        started = start(starter, count)
        spent = drain(engine, file, 500 + count)
        latencies = sorted(one_latency(engine) for _ in range(200))
    return {
        "workflows": count,
        "steps_per_s": count * STEPS / spent,
        "workflows_per_s": count / spent,
        "starts_per_s": count / started,
        "latency_p50_ms": latencies[100] * 1000,
        "latency_p99_ms": latencies[198] * 1000,
    }


def start(engine: aw.Engine, count: int) -> float:
    """Start so many workflows, a thousand in a call; give the seconds that took."""
    began = time.perf_counter()
    for first in range(0, count, 1000):
        engine.start_many(FiveSteps, [{"n": n} for n in range(first, min(count, first + 1000))])
    return time.perf_counter() - began


def drain(engine: aw.Engine, file: Path, count: int) -> float:
    """Have a worker run what was started, and give the seconds until so many are completed."""
    observer = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    began = time.perf_counter()
    engine.start_worker()
    while observer.execute(COMPLETED).fetchone()[0] < count:
        time.sleep(0.02)
    spent = time.perf_counter() - began
    engine.drain()
    observer.close()
    return spent


COMPLETED = "SELECT count(*) FROM aw_executions WHERE completed_at IS NOT NULL"
"""Answered from an index alone, so that looking does not slow what is looked at."""


def one_latency(engine: aw.Engine) -> float:
    began = time.perf_counter()
    engine.start(FiveSteps, {"n": 0}).wait("10s")
    return time.perf_counter() - began


def fdatasync_microseconds(folder: Path, rounds: int = 200) -> float:
    """Give what the disk takes to make 8 kB durable."""
    with (folder / "sync").open("wb") as file:
        times = []
        for _ in range(rounds):
            file.seek(0)
            file.write(os.urandom(8192))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def _short(value: float) -> float:
    return round(value, 3) if value < 100 else round(value)


if __name__ == "__main__":
    print(json.dumps(main()))
