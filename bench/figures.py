"""The few figures of the README, from the last whole run."""

from collections.abc import Callable

from bench import measuring
from bench.results import Results, ratio, told
from bench.tables import disk, table
from bench.targets import POSTGRES, SQLITE


def figures() -> str:
    """Give them as a table, or say that there are none."""
    results = Results(measuring.read("peers"))
    if not results.machine:
        return "Nothing has been measured yet.\n"
    rows = [[what, *[fill(results, store) for store in (SQLITE, POSTGRES)]] for what, fill in ROWS]
    at = results.machine
    machine = f"{at['cores']} cores of a virtual machine ({at['cpu'] or 'unnamed'})"
    return (
        f"Five steps that do nothing, on {machine}, Python {at['python']}, PostgreSQL {at['postgres']},\n"
        f"`fdatasync` {disk(results)}, load {at['load']} at the begin; medians of {at['rounds']} rounds"
        f" of {told(at['seconds'])} s, {at['date']}.\n\n" + table(["", "SQLite", "PostgreSQL"], rows)
    )


def _plain(workload: str, name: str, unit: str = "", processes: int = 1) -> Callable[[Results, str], str]:
    return lambda results, store: told(results.figure(store, workload, name, processes), unit)


def _against_commits(results: Results, store: str) -> str:
    """Compare steps with bare commits: those of sqlite3 in one thread, or of pgbench's eight clients."""
    steps = results.figure(store, "throughput", "steps_per_s")
    other = ("bare-sqlite", 1) if store == SQLITE else ("pgbench", 8)
    commits = results.figure(other[0], "throughput", "steps_per_s", other[1])
    return told(ratio(steps, commits), " ×")


def _against_dbos(results: Results, store: str) -> str:
    """Compare steps with those of DBOS on the same database."""
    steps = results.figure(store, "throughput", "steps_per_s")
    other = "dbos-sqlite" if store == SQLITE else "dbos"
    return told(ratio(steps, results.figure(other, "throughput", "steps_per_s")), " ×")


def _against_six(results: Results, store: str) -> str:
    """Compare a workflow's time with that of as many bare commits."""
    bare = "bare-sqlite" if store == SQLITE else "bare-postgres"
    six = results.figure(bare, "latency", "six_p50_ms")
    return told(ratio(results.figure(store, "latency", "p50_ms"), six), " ×")


ROWS = (
    ("steps a second, one worker process", _plain("throughput", "steps_per_s")),
    ("… two worker processes", _plain("throughput", "steps_per_s", processes=2)),
    ("… one, against bare commits: `sqlite3`; `pgbench` with 8 clients", _against_commits),
    ("… one, against DBOS on the same database", _against_dbos),
    ("one workflow while nothing else runs, start to end (p50)", _plain("latency", "p50_ms", " ms")),
    ("… against six bare commits", _against_six),
    ("executions started a second, a thousand in a call, with keys", _plain("start", "starts_per_s")),
    ("from a signal to the end of its workflow (p99)", _plain("park", "resume_p99_ms", " ms")),
    ("a poll beside 2,000,000 executions (p50)", _plain("poll", "full_p50_ms", " ms")),
    ("statements a second of an idle worker", _plain("idle", "idle_statements_per_s")),
    ("bytes on disk of a finished workflow", _plain("throughput", "bytes_per_workflow")),
)
