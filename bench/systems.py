"""The systems that are measured, and what of each."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from bench import servers


@dataclass(frozen=True)
class System:
    """One row of the tables.

    Attributes:
        name: What the command line and the results call it.
        label: What the tables call it.
        runner: Its module in `runners/`.
        server: Gives, for a workload, the URL of what it needs.
        measures: Workloads, each with a number of worker processes.
        peer: Its list in `requirements/`; None if it runs with our own packages.
        durable: Whether a finished step survives the end of every process.
    """

    name: str
    label: str
    runner: str
    server: Callable[[str], AbstractContextManager[str]]
    measures: Sequence[tuple[str, int]]
    peer: str | None = None
    durable: bool = True


def _measures(*names: str) -> Sequence[tuple[str, int]]:
    """Give workloads with one worker process each, and throughput with two as well."""
    return tuple(one for name in names for one in ((name, 1), (name, 2))[: 1 + (name == "throughput")])


EVERY = _measures("throughput", "start", "latency", "park", "idle")
OURS = (*EVERY, ("poll", 1))
FEWER = _measures("throughput", "start", "latency", "park")
BARE = (("throughput", 1), ("latency", 1))

LIMITS = (
    System("bare-sqlite", "bare sqlite3, one thread", "bare_sqlite", servers.sqlite, BARE),
    System("bare-postgres", "bare psycopg, one thread", "bare_postgres", servers.postgres, BARE),
    System("pgbench", "pgbench", "pgbench", servers.postgres, (("throughput", 1), ("throughput", 8))),
)
OWN = (
    System("ours-sqlite", "active_workflow, SQLite", "ours", servers.sqlite, OURS),
    System("ours-postgres", "active_workflow, PostgreSQL", "ours", servers.postgres, OURS),
)
OTHER_STORES = (
    System("ours-mysql", "active_workflow, MariaDB", "ours", servers.mariadb, EVERY),
    System("ours-redis", "active_workflow, Redis", "ours", servers.redis(appendfsync="always"), EVERY),
)
PEERS = (
    System("dbos", "DBOS, PostgreSQL", "dbos", servers.postgres, EVERY, "dbos"),
    System("dbos-sqlite", "DBOS, SQLite", "dbos", servers.sqlite, FEWER, "dbos"),
    System("absurd", "Absurd, PostgreSQL", "absurd", servers.postgres, EVERY, "absurd"),
    System("restate", "Restate", "restate", servers.restate, FEWER, "restate"),
    System(
        "procrastinate",
        "Procrastinate, PostgreSQL",
        "procrastinate",
        servers.postgres,
        _measures("throughput", "start", "latency", "idle"),
        "procrastinate",
    ),
    System(
        "saga-orchestrator",
        "python-saga-orchestrator, PostgreSQL",
        "saga",
        servers.postgres,
        _measures("throughput", "latency"),
        "saga",
    ),
    System(
        "temporal-test",
        "Temporal SDK, test server",
        "temporal",
        servers.temporal,
        FEWER,
        "temporal",
        durable=False,
    ),
    System(
        "celery",
        "Celery chain, Redis",
        "celery",
        servers.redis(appendonly="no"),
        _measures("throughput", "start", "latency"),
        "celery",
        durable=False,
    ),
)
SUITES = {
    "own": (*OWN, *LIMITS),
    "peers": (*OWN, *OTHER_STORES, *LIMITS, *PEERS),
    "sqlite": (LIMITS[0], replace(OWN[0], measures=(("throughput", 1), ("start", 1), ("latency", 1)))),
}
SYSTEMS = {system.name: system for system in (*OWN, *OTHER_STORES, *LIMITS, *PEERS)}


def at(url: str) -> System:
    """Give this library on a store that is there already, empty, named after its scheme."""
    name = urlsplit(url).scheme
    return System(f"ours-{name}", f"active_workflow, {name}", "ours", lambda _: servers.there(url), FEWER)
