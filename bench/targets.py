"""What this library wants to reach, each as far as possible a ratio of figures of the same run."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.results import Results, ratio, told
from bench.systems import PEERS

POSTGRES, SQLITE = "ours-postgres", "ours-sqlite"


@dataclass(frozen=True)
class Target:
    """One of them: what is wanted, what was measured, and whether that is enough (None: nobody can say)."""

    wanted: str
    value: float | None
    enough: bool | None
    unit: str = ""

    def row(self) -> list[str]:
        """Give it as a row of a table."""
        met = {None: "–", True: "yes", False: "**no**"}[self.enough]
        return [self.wanted, told(self.value, self.unit), met]


def at_least(wanted: str, value: float | None, least: float, unit: str = "") -> Target:
    """Want a figure to be high."""
    return Target(wanted, value, None if value is None else value >= least, unit)


def at_most(wanted: str, value: float | None, most: float, unit: str = "") -> Target:
    """Want a figure to be low."""
    return Target(wanted, value, None if value is None else value <= most, unit)


def only_told(wanted: str, value: float | None, unit: str = "") -> Target:
    """Want nothing of a figure: it explains another one."""
    return Target(wanted, value, None, unit)


def targets(results: Results) -> Iterator[Target]:
    """Give all of them."""
    yield from _throughput(results)
    yield from _latency(results)
    yield from _starting(results)
    yield from _waiting(results)


def _throughput(results: Results) -> Iterator[Target]:
    steps = results.figure(POSTGRES, "throughput", "steps_per_s")
    dbos = results.figure("dbos", "throughput", "steps_per_s")
    yield at_least(
        "steps/s on PostgreSQL: 40 × DBOS's, one worker process each", ratio(steps, dbos), 40, " ×"
    )
    commits = results.figure("pgbench", "throughput", "steps_per_s", 8)
    yield at_least("… and as many as pgbench commits with 8 clients", ratio(steps, commits), 1, " ×")
    two = ratio(results.figure(POSTGRES, "throughput", "steps_per_s", 2), steps)
    if (results.machine.get("cores") or 0) >= 4:
        yield at_least("two worker processes: 1.6 × one", two, 1.6, " ×")
    else:
        yield only_told("two worker processes: 1.6 × one, where there are four cores or more", two, " ×")


def _latency(results: Results) -> Iterator[Target]:
    ours = results.figure(POSTGRES, "latency", "p50_ms")
    bare = results.figure("bare-postgres", "latency", "six_p50_ms")
    yield at_most("one idle workflow on PostgreSQL: 2 × six bare commits (p50)", ratio(ours, bare), 2, " ×")
    sqlite = results.figure(SQLITE, "latency", "p50_ms")
    bare = results.figure("bare-sqlite", "latency", "six_p50_ms")
    yield at_most("… and on SQLite", ratio(sqlite, bare), 2, " ×")
    times = [results.figure(peer.name, "latency", "p50_ms") for peer in PEERS if peer.durable]
    best = min((time for time in times if time is not None), default=None)
    yield at_most("… and less than the quickest durable peer", ratio(ours, best), 1, " ×")


def _starting(results: Results) -> Iterator[Target]:
    starts = results.figure(POSTGRES, "start", "starts_per_s")
    yield at_least("`start_many` with idempotency keys on PostgreSQL: 20,000 a second", starts, 20_000)
    enqueued = results.figure("dbos", "start", "singly_per_s")
    yield at_least("… and 20 × DBOS's enqueue, call by call", ratio(starts, enqueued), 20, " ×")
    at_once = results.figure("dbos", "start", "starts_per_s")
    yield only_told(
        "… beside DBOS's enqueue a thousand times in one transaction", ratio(starts, at_once), " ×"
    )


def _waiting(results: Results) -> Iterator[Target]:
    for name, store in ((POSTGRES, "PostgreSQL"), (SQLITE, "SQLite")):
        grown = results.figure(name, "poll", "full_to_empty")
        yield at_most(f"a poll on {store} beside 2,000,000 rows: 2 × one on empty tables", grown, 2, " ×")
    for name, store in ((POSTGRES, "PostgreSQL"), (SQLITE, "SQLite")):
        resumed = results.figure(name, "park", "resume_p99_ms")
        yield at_most(f"from a signal to the end of its workflow on {store} (p99): 20 ms", resumed, 20, " ms")
    idle = results.figure(SQLITE, "idle", "idle_statements_per_s")
    yield at_most("an idle worker on SQLite: 1.1 statements a second", idle, 1.1)
    idle = results.figure(POSTGRES, "idle", "idle_statements_per_s")
    yield at_most("… and on PostgreSQL, where it listens: 0.2", idle, 0.2)
