"""The physical limit: one commit for each step, with nothing around it.

Each commit updates one row and inserts one, with the bytes that the engine writes for a step.
"""

import time
from abc import ABC, abstractmethod
from statistics import median
from typing import Any, ClassVar

from bench.runners.command import command
from bench.runners.figures import percentiles, short, timed
from bench.runners.options import Options

ACTIVE = '[{"name":"two","state":"running","run":{"attempts":1,"running":true,"started_at":1790000000000000}}'
PATCH = '{"two":"0123456789"}'
AHEAD = 10_000
"""So many executions are there; the steps go to one after the other."""


class Bare(ABC):
    """A loop of commits over one connection."""

    TUNED: ClassVar[str]

    def __init__(self, url: str) -> None:
        self.url = url
        self.number = 0

    @abstractmethod
    def prepare(self) -> None:
        """Make two tables, with as many executions as will get steps."""

    @abstractmethod
    def commit(self) -> None:
        """Commit one step."""


def measure(kind: type[Bare]) -> None:
    """Be the command of such a loop."""
    command(
        kind,
        {
            "throughput": lambda options: throughput(kind(options.url), options),
            "latency": lambda options: latency(kind(options.url), options),
        },
    )


def throughput(bare: Bare, options: Options) -> dict[str, Any]:
    """Commits per second."""
    bare.prepare()
    _loop(bare, 0.5)
    rates = [_loop(bare, options.seconds) for _ in range(options.rounds)]
    return {"steps_per_s": short(median(rates)), "rounds": [short(rate) for rate in rates]}


def _loop(bare: Bare, seconds: float) -> float:
    count, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        for _ in range(50):
            bare.commit()
        count += 50
    return count / spent


def latency(bare: Bare, options: Options) -> dict[str, Any]:
    """How long one commit takes, and six of them: a workflow's start and its five steps."""
    bare.prepare()
    _loop(bare, 0.5)
    times = [timed(bare.commit) for _ in range(int(400 * options.seconds))]
    return {**percentiles(times), "six_p50_ms": short(6 * median(times) * 1000)}
