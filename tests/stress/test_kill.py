"""Workers are killed at random, one after the other, and everything is proved from the ledger.

The store is a parameter: any whose URL can be reached from several processes.
"""

import contextlib
import importlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

import active_workflow as aw
from tests.ledger import Entry, Ledger, Open
from tests.semantics.until import until

ROOT = Path(__file__).parents[2]
SOURCE = Path(aw.__file__).parents[1]
EXECUTIONS = 300
KILLS = 60
"""So many workers are killed inside a step before the rest may end in peace."""
WORKERS = 4
SLOTS = 3
DEADLINE = 100.0
NAMES = ("first", "second", "third", "fourth", "fifth")

STORES = {
    "sqlite": lambda _request, folder: f"sqlite:///{folder}/stress.db",
    "postgres": lambda request, _folder: str(request.getfixturevalue("prepared_postgres_url")),
    "mysql": lambda request, _folder: str(request.getfixturevalue("prepared_mysql_url")),
    "redis": lambda request, _folder: str(request.getfixturevalue("redis_url")),
}


class Workers:
    """Worker processes, each replaced as soon as it is gone."""

    def __init__(self, url: str, ledger: Path, folder: Path, module: str = "stress_flows") -> None:
        self.url = url
        self._module = module
        self._environment = os.environ | {
            "STRESS_LEDGER": str(ledger),
            "PYTHONPATH": os.pathsep.join(map(str, [SOURCE, ROOT, Path(__file__).parent])),
            "ACTIVE_WORKFLOW_STORE": url,
            "ACTIVE_WORKFLOW_LEASE": "1s",
            "ACTIVE_WORKFLOW_POLL_INTERVAL": "100ms",
            "ACTIVE_WORKFLOW_CONCURRENCY": str(SLOTS),
        }
        self._folder = folder
        self._logs: dict[int, Path] = {}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.killed: list[int] = []
        self.died: list[int] = []

    def keep_up(self) -> None:
        """Replace those that are gone; one that nobody killed killed itself."""
        for process in list(self.processes):
            if process.poll() is not None:
                self.processes.remove(process)
                if process.pid not in self.killed:
                    self.died.append(process.pid)
        while len(self.processes) < WORKERS:
            command = [sys.executable, "-m", "active_workflow", "worker", self._module]
            path = self._folder / f"worker{len(self._logs)}.log"
            with path.open("wb") as log:
                process = subprocess.Popen(
                    command, cwd=self._folder, env=self._environment, stdout=log, stderr=log
                )
            self.processes.append(process)
            self._logs[process.pid] = path

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        self.killed.append(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> list[int]:
        """Ask all of them to end, and give how they did. One that is only just coming up is waited for."""
        for process in self.processes:
            until(lambda process=process: process.poll() is not None or self._is_up(process))
            process.terminate()
        codes = []
        for process in self.processes:
            try:
                codes.append(process.wait(15))
            except subprocess.TimeoutExpired:
                process.kill()
                codes.append(process.wait())
        return codes

    def _is_up(self, process: subprocess.Popen[bytes]) -> bool:
        return b"Worker started" in self._logs[process.pid].read_bytes()


@pytest.fixture
def workers(request, tmp_path):
    found = Workers(STORES[request.param](request, tmp_path), tmp_path / "ledger", tmp_path)
    yield found
    for process in found.processes:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


@pytest.fixture
def flows(tmp_path, monkeypatch):
    """The workflows, as this process sees them."""
    monkeypatch.setenv("STRESS_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("stress_flows")


@pytest.fixture
def engine(workers):
    with aw.Engine(workers.url, embedded=False) as engine:
        yield engine


@pytest.mark.timeout(180)
@pytest.mark.parametrize("workers", STORES, indirect=True)
def test_killed_workers_lose_and_repeat_nothing(workers, engine, flows, tmp_path, record_property):
    ledger = Ledger(tmp_path / "ledger")
    ids = _start(engine, flows, EXECUTIONS)
    poison = engine.start(flows.Poison, {}).id
    began = time.monotonic()
    _run_and_kill(workers, ledger, engine, {*ids, poison}, random.Random(20))
    took = time.monotonic() - began
    assert set(workers.stop()) == {0}

    entries = list(ledger.entries())
    hits = _cut_off(entries, workers.killed)
    told = f"kills {len(workers.killed)}, inside a step {hits}, poison's {len(workers.died)}, {took:.1f} s"
    record_property("kills", told)
    sys.stdout.write(f"{told}\n")
    assert hits >= 50
    stories = _stories(entries)
    assert len(list(engine.find())) == EXECUTIONS + 1
    _check_all(engine, ids, stories)
    _check_poison(engine.get(poison), stories[poison], workers.died)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("workers", STORES, indirect=True)
def test_a_worker_that_stood_still_begins_nothing_it_has_lost(workers, engine, flows, tmp_path):
    """Stopped for longer than its lease, it goes on while others have taken its executions over."""
    ledger = Ledger(tmp_path / "ledger")
    ids = _start(engine, flows, 100)
    open_steps, chance, stops = Open(ledger), random.Random(7), 0
    deadline = time.monotonic() + DEADLINE
    while not all(state.terminal for state in engine.store.states(ids).values()):
        assert time.monotonic() < deadline, _left(engine)
        workers.keep_up()
        open_steps.look()
        inside = [process for process in workers.processes if open_steps.inside(process.pid)]
        if inside and stops < 8:
            stops += 1
            process = chance.choice(inside)
            process.send_signal(signal.SIGSTOP)
            time.sleep(chance.uniform(1.2, 2.0))
            process.send_signal(signal.SIGCONT)
        time.sleep(0.02)
    assert stops >= 4
    assert set(workers.stop()) == {0}

    stories = _stories(list(ledger.entries()))
    _check_all(engine, ids, stories)
    assert any(step.attempts > 1 for id in ids for step in engine.get(id).steps.values())


def _start(engine, flows, number: int) -> list[str]:
    """Start executions; each tenth fails at the end."""
    inputs = [{"number": n, "fails": n % 10 == 0} for n in range(number)]
    return [x.id for x in engine.start_many(flows.Five, inputs)]


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


def _run_and_kill(workers, ledger, engine, ids, chance):
    """Kill a worker that is inside a step, again and again; then let the rest come to an end."""
    open_steps = Open(ledger)
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        workers.keep_up()
        open_steps.look()
        inside = [process for process in workers.processes if open_steps.inside(process.pid)]
        if len(workers.killed) < KILLS and inside:
            workers.kill(chance.choice(inside))
        elif len(workers.killed) >= KILLS:
            states = engine.store.states(list(ids))
            if all(state.terminal for state in states.values()):
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
