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
        one_transaction: Whether it runs one transactional step at a time.
    """

    name: str
    lease: int = 30_000_000
    poll_interval: int = 1_000_000
    concurrency: int = 32
    queues: frozenset[str] | None = None
    workflows: Callable[[], Collection[str]] | None = None
    one_transaction: bool = False
