"""Copies are killed at random while a worker runs on the source: nothing is lost and nothing doubled.

A worker is never killed here, so the ledger is strict: each step ran once.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import active_workflow as aw
from active_workflow.core.states import State
from tests.ledger import Ledger

ROOT = Path(__file__).parents[2]
SOURCE = Path(aw.__file__).parents[1]
FLOWS = "tests.chaos.flows"
BUSY = 120
IDLE = 800
"""With the busy ones nearly twice as many batches as a killed copy gets to: some are left to the last."""
KILLS = 16
COPY = """
import sys
from active_workflow.engine.copying import copy
from active_workflow.store import open_store

copy.BATCH = 5
here, there = map(open_store, sys.argv[1:])
copy.copy_executions(here, there, progress=lambda stage, done, total: print(done, flush=True))
"""

STORES = {
    "sqlite": lambda _request, folder, name: f"sqlite:///{folder}/{name}.db",
    "postgres": lambda request, _folder, name: f"{request.getfixturevalue('postgres_url')}?schema={name}",
}


class Processes:
    """Processes of the command, each ended by its own id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = os.environ | {
            "CHAOS_LEDGER": str(folder / "ledger"),
            "PYTHONPATH": os.pathsep.join(map(str, [SOURCE, ROOT])),
            "ACTIVE_WORKFLOW_POLL_INTERVAL": "100ms",
        }
        self.all: list[subprocess.Popen[bytes]] = []

    def start(
        self, *arguments: str, output: str = "processes.log", **environment: str
    ) -> subprocess.Popen[bytes]:
        with (self._folder / output).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "active_workflow", *arguments],
                cwd=self._folder,
                env=self._environment | environment,
                stdout=log,
                stderr=log,
            )
        self.all.append(process)
        return process

    def copy(self, here: str, there: str) -> subprocess.Popen[bytes]:
        """Copy in small batches, with a line after each."""
        process = subprocess.Popen(
            [sys.executable, "-c", COPY, here, there],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
        )
        self.all.append(process)
        return process

    def worker(self, url: str) -> subprocess.Popen[bytes]:
        return self.start("worker", "tests.chaos.flows", ACTIVE_WORKFLOW_STORE=url)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture
def processes(tmp_path):
    found = Processes(tmp_path)
    yield found
    for process in found.all:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


@pytest.fixture
def urls(request, tmp_path):
    """The two stores."""
    return [STORES[kind](request, tmp_path, name) for kind, name in zip(request.param, "ab", strict=True)]


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.timeout(180)
@pytest.mark.parametrize("urls", [("sqlite", "postgres"), ("postgres", "sqlite")], indirect=True)
def test_killed_copies_lose_and_double_nothing(urls, tmp_path, processes, flows, record_property):
    here, there = urls
    with aw.Engine(here, embedded=False) as source, aw.Engine(there, embedded=False) as target:
        source.store.prepare()
        target.store.prepare()
        idle = [x.id for x in source.start_many(flows.Waits, [{"fails": False}] * IDLE)]
        inputs = [{"fails": n % 10 == 0} for n in range(BUSY)]
        busy = [x.id for x in source.start_many(flows.Five, inputs)]
        worker = processes.worker(here)
        batches = _kill_copies(processes, here, there)
        processes.stop(worker)
        ended = processes.start("copy", "--from", here, "--to", there, "--json", output="copied.json")
        assert ended.wait(60) == 0, (tmp_path / "copied.json").read_text()
        copied = json.loads((tmp_path / "copied.json").read_text())
        assert (copied["complete"], copied["same"] + copied["went_on"]) == (True, BUSY + IDLE), copied
        told = f"killed {KILLS} copies after {batches} batches; the last one moved {copied['copied']}"
        record_property("kills", told)
        sys.stdout.write(f"{told}\n")
        assert sum(batches) > KILLS
        assert 0 < copied["copied"] < BUSY + IDLE

        worker = processes.worker(there)
        target.signal_many([{"execution_id": id, "name": "answer"} for id in idle])
        _wait(target, [*busy, *idle])
        processes.stop(worker)
        _check(source, target, busy, idle, Ledger(tmp_path / "ledger"))


def _kill_copies(processes, here, there) -> list[int]:
    """Kill copies in the midst of their work; give how far each had got, in batches."""
    chance, got = random.Random(5), []
    for _ in range(KILLS):
        process = processes.copy(here, there)
        wanted = chance.randint(1, 100)
        told = [line for line, _ in zip(process.stdout, range(wanted), strict=False) if line != b"0\n"]
        time.sleep(chance.uniform(0.0, 0.02))
        process.kill()
        process.wait()
        process.stdout.close()
        got.append(len(told))
    return got


def _wait(engine, ids) -> None:
    deadline = time.monotonic() + 100
    while not all(state.terminal for state in engine.store.states(ids).values()):
        assert time.monotonic() < deadline, [x.explain() for x in engine.find() if not x.state.terminal][:3]
        time.sleep(0.1)


def _check(source, target, busy, idle, ledger) -> None:
    steps = Counter((e.execution, e.step, e.phase) for e in ledger.entries())
    assert set(steps.values()) == {1}
    assert {x.id for x in target.find()} == {*busy, *idle}
    assert {x.id for x in source.find()} == {*busy, *idle}
    for x in target.find():
        assert x.state == (State.FAILED if x.ctx.fails else State.COMPLETED)
        for step in x.steps.values():
            if step.name != "answer":
                assert step.attempts == 1
                assert steps[x.id, step.name, "begin"] == 1
                assert steps[x.id, step.name, "end"] + steps[x.id, step.name, "raise"] == 1
    assert not any(x.state in {State.RUNNING, State.PENDING, State.WAITING} for x in source.find())
