"""Throughput and latency on SQLite, each as a ratio to bare commits of the same run, in one line."""

import json
from typing import Any

from bench.measuring import RESULTS
from bench.results import Line, Results, ratio

FILE = RESULTS / "sqlite.json"


def keep(lines: list[Line]) -> str:
    """Put the figures of a run of the suite `sqlite` into their file, and give what is there now."""
    text = json.dumps(figures(Results(lines)))
    FILE.write_text(f"{text}\n", encoding="utf-8")
    return text


def figures(results: Results) -> dict[str, Any]:
    """Give them."""
    at = results.machine
    ours, bare = "ours-sqlite", "bare-sqlite"
    steps, commits = (results.figure(one, "throughput", "steps_per_s") for one in (ours, bare))
    latency = results.figure(ours, "latency", "p50_ms")
    return {
        "bench": "sqlite",
        "rounds": at["rounds"],
        "fdatasync_us": at["fdatasync_us"],
        "bare_commits_per_s": commits,
        "bare_commit_p50_ms": results.figure(bare, "latency", "p50_ms"),
        "steps_per_s": steps,
        "starts_per_s": results.figure(ours, "start", "starts_per_s"),
        "latency_p50_ms": latency,
        "latency_p99_ms": results.figure(ours, "latency", "p99_ms"),
        "throughput_ratio": _short(ratio(steps, commits)),
        "latency_ratio": _short(ratio(latency, results.figure(bare, "latency", "six_p50_ms"))),
        "python": at["python"],
        "date": at["date"],
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
