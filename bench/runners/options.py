"""What every runner is told."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """The command line, read."""

    workload: str
    url: str
    seconds: float
    rounds: int
    processes: int
