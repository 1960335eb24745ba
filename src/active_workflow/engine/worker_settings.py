"""How a worker works."""

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker works. Durations are microseconds.

    Attributes:
        name: Unique for each start of a worker.
        lease: How long a claim lasts without being renewed.
        poll_interval: How often to look for due executions when nothing hints at any.
        concurrency: How many calls run at once.
        queues: Whose steps it runs; None is all.
        workflows: Gives the names of the workflows it serves; None is all.
        one_transaction: Whether one who writes to its store keeps all others from it: then it runs one
            transactional step at a time, and lets others write between two of its commits.
        hears: Tells whether hints surely come: then it looks more seldom. None is never.
    """

    name: str
    lease: int = 30_000_000
    poll_interval: int = 1_000_000
    concurrency: int = 32
    queues: frozenset[str] | None = None
    workflows: Callable[[], Collection[str]] | None = None
    one_transaction: bool = False
    hears: Callable[[], bool] | None = None
