"""Workers are killed in the middle of transactional steps: each has written its row exactly once."""

import importlib
import random
import sqlite3
import sys
import time
from contextlib import closing

import pytest

import active_workflow as aw

FLOWS = "tests.chaos.orders"
STORES = ("sqlite", "postgres")  # those with such steps
EXECUTIONS = 80
KILLS = 30
DEADLINE = 120.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def sql(url: str, statement: str) -> list[tuple]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as one:
            return one.execute(statement).fetchall()
    return importlib.import_module("tests.store.postgres_help").sql(url, statement)


def test_each_row_is_there_exactly_once(site, workers, flows, record_property):
    with aw.Engine(site.url, embedded=False) as engine:
        engine.store.prepare()
        sql(site.url, "CREATE TABLE orders (key text, attempt int, pid int)")
        sql(site.url, "CREATE TABLE undone (key text)")
        inputs = [{"fails": n % 10 == 0} for n in range(EXECUTIONS)]
        ids = [x.id for x in engine.start_many(flows.Orders, inputs)]
        began = time.monotonic()
        _run_and_kill(workers, engine, ids)
        told = f"kills inside a step {len(workers.killed)}, {time.monotonic() - began:.1f} s"
        record_property("kills", told)
        sys.stdout.write(f"{told}\n")
        assert set(workers.stop()) == {0}
        assert not workers.died
        _check(engine, ids, site.url, flows.NAMES)


def _run_and_kill(workers, engine, ids) -> None:
    """Kill a worker that is inside a step, again and again; then let the rest come to an end."""
    chance = random.Random(5)
    deadline = time.monotonic() + DEADLINE
    while not (over := _all_over(engine, ids)) or len(workers.killed) < KILLS:
        assert not over, f"all over after {len(workers.killed)} kills"
        assert time.monotonic() < deadline, [x.explain() for x in engine.find() if not x.state.terminal][:5]
        workers.keep_up()
        if len(workers.killed) < KILLS:
            workers.kill_one_inside(chance)
        time.sleep(chance.uniform(0.0, 0.1))


def _all_over(engine, ids) -> bool:
    return all(state.terminal for state in engine.store.states(ids).values())


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
