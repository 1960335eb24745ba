"""Numbers as they are told."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def timed(function: Callable[..., Any], *arguments: Any) -> float:
    """Give the seconds that a call takes."""
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def percentiles(times: list[float]) -> dict[str, float]:
    """Give the middle and the slow end of some times, in milliseconds."""
    times = sorted(times)
    return {
        "p50_ms": short(statistics.median(times) * 1000),
        "p99_ms": short(times[int(len(times) * 0.99)] * 1000),
    }


def short(value: float) -> float:
    """Round to what is worth reading."""
    return round(value, 3) if value < 100 else round(value)
