"""Workers are killed in the middle of transactional steps: each has written its row exactly once."""

import contextlib
import importlib
import random
import sqlite3
import sys
import time
from pathlib import Path

import pytest

import active_workflow as aw
from tests.ledger import Ledger, Open
from tests.stress.test_kill import STORES, Workers

EXECUTIONS = 80
KILLS = 30
DEADLINE = 120.0


def sql(url: str, statement: str) -> list[tuple]:
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as one:
            return one.execute(statement).fetchall()
    return importlib.import_module("tests.store.postgres_help").sql(url, statement)


@pytest.fixture
def workers(request, tmp_path, monkeypatch):
    url = STORES[request.param](request, tmp_path)
    monkeypatch.setenv("STRESS_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("ACTIVE_WORKFLOW_STORE", url)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    found = Workers(url, tmp_path / "ledger", tmp_path, module="orders_flows")
    yield found
    for process in found.processes:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("workers", ["sqlite", "postgres"], indirect=True)  # those with such steps
def test_each_row_is_there_exactly_once(workers, tmp_path, record_property):
    flows = importlib.reload(importlib.import_module("orders_flows"))
    with aw.Engine(workers.url, embedded=False) as engine:
        sql(workers.url, "CREATE TABLE orders (key text, attempt int, pid int)")
        sql(workers.url, "CREATE TABLE undone (key text)")
        ids = [
            x.id for x in engine.start_many(flows.Orders, [{"fails": n % 10 == 0} for n in range(EXECUTIONS)])
        ]
        began = time.monotonic()
        hits = _run_and_kill(workers, Ledger(tmp_path / "ledger"), engine, ids)
        told = f"kills inside a step {hits}, {time.monotonic() - began:.1f} s"
        record_property("kills", told)
        sys.stdout.write(f"{told}\n")
        assert set(workers.stop()) == {0}
        _check(engine, ids, workers.url, flows.NAMES)


def _run_and_kill(workers, ledger, engine, ids) -> int:
    """Kill a worker that is inside a step, again and again; then let the rest come to an end."""
    open_steps, chance, hits = Open(ledger), random.Random(5), 0
    deadline = time.monotonic() + DEADLINE
    while not (hits >= KILLS and all(state.terminal for state in engine.store.states(ids).values())):
        assert time.monotonic() < deadline, [x.explain() for x in engine.find() if not x.state.terminal][:5]
        workers.keep_up()
        open_steps.look()
        inside = [process for process in workers.processes if open_steps.inside(process.pid)]
        if inside and hits < KILLS:
            workers.kill(chance.choice(inside))
            hits += 1
        assert hits >= KILLS or not all(state.terminal for state in engine.store.states(ids).values())
        time.sleep(chance.uniform(0.0, 0.1))
    return hits


def _check(engine, ids, url, names) -> None:
    rows = sql(url, "SELECT key, attempt, pid FROM orders ORDER BY key")
    undone = sql(url, "SELECT key FROM undone ORDER BY key")
    expected, taken_back, attempts = [], [], 0
    for number, id in enumerate(ids):
        execution = engine.get(id)
        fails = number % 10 == 0
        assert execution.state == ("failed" if fails else "completed"), execution.explain()
        attempts += sum(step.attempts for step in execution.steps.values())
        if fails:
            taken_back += [(f"{id}:{name}",) for name in names[:2]]
        else:
            expected += [(f"{id}:{name}", *execution.steps[name].result) for name in names]
    assert rows == sorted(expected)
    assert undone == sorted(taken_back)
    assert attempts > len(names) * len(ids)  # some were cut off, and made again
