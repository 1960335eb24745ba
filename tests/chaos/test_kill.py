"""Workers are killed at random, one after the other, and everything is proved from the ledger."""

import random
import sys
import time
from collections import defaultdict

import pytest

import active_workflow as aw
from tests.chaos.sites import SITES
from tests.ledger import Entry, Ledger

FLOWS = "tests.chaos.five"
STORES = SITES
EXECUTIONS = 300
KILLS = 60
"""So many workers are killed inside a step before the rest may end in peace."""
DEADLINE = 100.0
NAMES = ("first", "second", "third", "fourth", "fifth")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def engine(site):
    with aw.Engine(site.url, embedded=False) as engine:
        engine.store.prepare()
        yield engine


def test_killed_workers_lose_and_repeat_nothing(workers, engine, flows, tmp_path, record_property):
    ids = _start(engine, flows)
    poison = engine.start(flows.Deadly, {}).id
    began = time.monotonic()
    _run_and_kill(workers, engine, {*ids, poison}, random.Random(20))
    took = time.monotonic() - began
    assert set(workers.stop()) == {0}

    entries = list(Ledger(tmp_path / "ledger").entries())
    hits = _cut_off(entries, workers.killed)
    told = f"kills {len(workers.killed)}, inside a step {hits}, poison's {len(workers.died)}, {took:.1f} s"
    record_property("kills", told)
    sys.stdout.write(f"{told}\n")
    assert hits >= 50
    stories = _stories(entries)
    assert len(list(engine.find())) == EXECUTIONS + 1
    _check_all(engine, ids, stories)
    _check_poison(engine.get(poison), stories[poison], [worker.process.pid for worker in workers.died])


def _start(engine, flows) -> list[str]:
    """Start executions; each tenth fails at the end."""
    inputs = [{"number": n, "fails": n % 10 == 0} for n in range(EXECUTIONS)]
    return [x.id for x in engine.start_many(flows.Killed, inputs)]


def _stories(entries: list[Entry]) -> dict[str, list[Entry]]:
    stories = defaultdict(list)
    for entry in entries:
        stories[entry.execution].append(entry)
    return stories


def _check_all(engine, ids: list[str], stories: dict[str, list[Entry]]) -> None:
    for number, id in enumerate(ids):
        execution = engine.get(id)
        fails = number % 10 == 0
        assert execution.state == ("failed" if fails else "completed"), execution.explain()
        _check_forward(execution, stories[id], NAMES)
        _check_undo(execution, stories[id], NAMES[:4] if fails else ())


def _run_and_kill(workers, engine, ids, chance) -> None:
    """Kill a worker that is inside a step, again and again; then let the rest come to an end."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        workers.keep_up()
        if len(workers.killed) < KILLS:
            workers.kill_one_inside(chance)
        elif all(state.terminal for state in engine.store.states(list(ids)).values()):
            return
        time.sleep(chance.uniform(0.0, 0.3))
    pytest.fail(f"not done after {DEADLINE} s: {_left(engine)}")


def _left(engine):
    unfinished = [x for x in engine.find() if not x.state.terminal]
    return [f"{x.id} {x.state} {x.steps!r}" for x in unfinished[:10]]


def _cut_off(entries: list[Entry], killed: list[int]) -> int:
    """Count the killed processes that left a step begun and not ended."""
    inside: dict[int, set[tuple[str, str, int, bool]]] = defaultdict(set)
    for entry in entries:
        what = (entry.execution, entry.step, entry.attempt, entry.phase.startswith("undo"))
        if entry.phase.endswith("begin"):
            inside[entry.pid].add(what)
        else:
            inside[entry.pid].discard(what)
    return sum(1 for pid in killed if inside[pid])


def _check_forward(execution, story: list[Entry], names) -> None:
    """Each step was recorded once, none before its predecessor, none was run again once recorded."""
    lines = [entry for entry in story if not entry.phase.startswith("undo")]
    told = f"{execution.id}: {[(e.step, e.attempt, e.pid, e.phase) for e in lines]}"
    for name in names:
        step = execution.steps[name]
        begins = [e for e in lines if e.step == name and e.phase == "begin"]
        assert begins, told
        numbers = [e.attempt for e in begins]
        assert numbers == sorted(set(numbers)), told  # no attempt was run twice, none out of order
        assert numbers[-1] == step.attempts, told  # the one recorded is the last that ran
        assert any(e.step == name and e.phase == "end" and e.attempt == step.attempts for e in lines), told
        if step.state != "failed":
            assert step.result[0] == step.attempts, told
    order = [names.index(e.step) for e in lines if e.phase == "begin"]
    assert order == sorted(order), told  # once a step's successor has begun the step never ran again
    for entry in lines:
        if entry.phase == "begin" and entry.step != names[0]:
            before = names[names.index(entry.step) - 1]
            assert entry.seen == execution.steps[before].result, told  # what it saw is what was recorded


def _check_undo(execution, story: list[Entry], names) -> None:
    """Each step was undone, in reverse order, once all were over, with the result that was recorded."""
    undone = [entry for entry in story if entry.phase.startswith("undo")]
    told = f"{execution.id}: {[(e.step, e.attempt, e.pid, e.phase) for e in undone]}"
    if not names:
        assert not undone, told
        return
    first = story.index(undone[0])
    assert not [e for e in story[first:] if e.phase == "begin"], told
    order = [names.index(e.step) for e in undone if e.phase == "undo-begin"]
    assert order == sorted(order, reverse=True), told
    for name in names:
        mine = [e for e in undone if e.step == name]
        assert mine[-1].phase == "undo-end", told
        numbers = [e.attempt for e in mine if e.phase == "undo-begin"]
        assert numbers == sorted(set(numbers)), told
        assert all(e.seen == execution.steps[name].result for e in mine), told
        assert execution.steps[name].state == "compensated", told


def _check_poison(execution, story: list[Entry], died: list[int]) -> None:
    """It alone failed for good, after a bounded number of workers; what came before it is undone."""
    assert execution.state == "failed"
    assert execution.error.type == "Interrupted"
    assert execution.error.step == "second"
    victims = {e.pid for e in story if e.step == "second"}
    assert set(died) <= victims
    assert 2 <= len(victims) <= 8
    assert not [e for e in story if e.step == "third"]
    _check_undo(execution, story, ("first",))
