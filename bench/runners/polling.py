"""What a worker's question for work costs beside a million finished and a million waiting executions.

The rows are copies of three real executions: one that is finished, one that waits for a signal without end,
one that waits with a timeout a week ahead. A claim reads no step rows of theirs, so those are not copied.
"""

import sqlite3
import statistics
import time
from collections.abc import Callable
from typing import Any

import active_workflow as aw
from active_workflow.store import open_store
from active_workflow.store.base import ClaimRequest, Store
from bench.runners.figures import percentiles, timed
from bench.runners.flows import FiveSteps, Parked, ParkedAWeek
from bench.runners.options import Options

FINISHED = WAITING = 1_000_000
POLLS = 300
SERIES = {
    "postgres": "generate_series(1, {count}) AS series(n)",
    "sqlite": (
        "(WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count})"
        " SELECT n FROM series)"
    ),
}
NUMBERED = {"postgres": "lpad(n::text, 12, '0')", "sqlite": "printf('%012d', n)"}


def poll(options: Options) -> dict[str, Any]:
    """Measure a poll that finds nothing, on empty tables and on full ones."""
    store = open_store(options.url)
    store.prepare()
    examples = make_examples(options.url)
    empty = poll_times(store)
    began = time.perf_counter()
    fill(options.url, examples)
    filled_in = time.perf_counter() - began
    full = poll_times(store)
    return {
        "finished": FINISHED,
        "waiting": WAITING,
        "filled_in_s": round(filled_in),
        **{f"empty_{name}": value for name, value in percentiles(empty).items()},
        **{f"full_{name}": value for name, value in percentiles(full).items()},
        "full_to_empty": round(statistics.median(full) / statistics.median(empty), 2),
    }


def make_examples(url: str) -> list[tuple[str, int]]:
    """Make one execution of each sort; give their ids, and how often each is to be copied."""
    with aw.Engine(url) as engine:
        done = engine.start(FiveSteps, {"n": 0}).wait("10s", check=True)
        parked = [engine.start(flow, {"n": 0}) for flow in (Parked, ParkedAWeek)]
        while any(execution.refresh().state != "waiting" for execution in parked):
            time.sleep(0.01)
    return [(done.id, FINISHED), *[(execution.id, WAITING // 2) for execution in parked]]


def poll_times(store: Store) -> list[float]:
    """Ask as a worker does, when nothing is due."""
    request = ClaimRequest(
        "bench",
        limit=100,
        lease=30_000_000,
        workflows=[flow.__name__ for flow in (FiveSteps, Parked, ParkedAWeek)],
    )
    for _ in range(20):
        assert not store.claim(request).executions
    return [timed(store.claim, request) for _ in range(POLLS)]


def fill(url: str, examples: list[tuple[str, int]]) -> None:
    """Copy the examples, with ids and times of their own, and let the database look at what it has now."""
    kind = "postgres" if url.startswith("postgres") else "sqlite"
    execute, columns = (_postgres if kind == "postgres" else _sqlite)(url)
    for id, count in examples:
        values = ", ".join(COPIED.get(name, name).replace("numbered", NUMBERED[kind]) for name in columns)
        source = f"aw_executions, {SERIES[kind].format(count=count)} WHERE id = '{id}'"
        execute(f"INSERT INTO aw_executions ({', '.join(columns)}) SELECT {values} FROM {source}")
    execute("ANALYZE")


COPIED = {
    "id": "substr(id, 1, 24) || numbered",
    "key": "NULL",
    "created_at": "created_at + n",
    "completed_at": "completed_at + n",
    "due_at": "due_at + n",
}


def _postgres(url: str) -> tuple[Callable[[str], Any], list[str]]:
    import psycopg  # noqa: PLC0415 - SQLite doesn't need it

    connection = psycopg.connect(url, autocommit=True)
    cursor = connection.execute("SELECT * FROM aw_executions LIMIT 0")
    return connection.execute, [column.name for column in cursor.description or ()]


def _sqlite(url: str) -> tuple[Callable[[str], Any], list[str]]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    cursor = connection.execute("SELECT * FROM aw_executions LIMIT 0")
    return connection.execute, [column[0] for column in cursor.description]
