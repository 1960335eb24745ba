"""The worker as a process: it finds modules, runs what is due, and ends as it is told."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from active_workflow.cli.worker import _engine
from active_workflow.core.states import State
from active_workflow.engine import default
from active_workflow.engine.engine import Engine

MODULE = """
import asyncio, os, sys, threading
import active_workflow as aw

class Quick(aw.Workflow):
    @aw.step
    def only(self):
        return os.getpid()

class Slow(aw.Workflow):
    @aw.step
    def only(self):
        print("begun", flush=True)
        if self.ctx.until_told:
            sys.stdin.readline()
        else:
            threading.Event().wait()

class Helped(aw.Workflow):
    @aw.step
    async def only(self):
        print("begun", flush=True)
        await asyncio.to_thread(threading.Event().wait)
"""
PATIENCE = 30


@pytest.fixture
def worker(store: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start workers in a folder with a module of workflows."""
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "worked.py").write_text(MODULE)
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "active_workflow",
                "worker",
                *(arguments or ("apps.worked", "--store", store)),
            ],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def worked(store: str, tmp_path: Path, worker: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same module in this process, so that its workflows can be started."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in ("apps", "apps.worked"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import apps.worked  # noqa: F401, PLC0415


def test_it_runs_what_is_due_and_drains_on_sigterm(worker, worked, engine: Engine) -> None:
    execution = engine.start("Quick", {})
    process = worker()
    assert execution.wait(PATIENCE).result == process.pid
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "Worker started for Helped, Quick, Slow." in told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_step_may_end(worker, worked, engine: Engine, number) -> None:
    execution = engine.start("Slow", {"until_told": True})
    process = worker()
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    while not process.stderr.readline().startswith("Stopping"):
        pass
    process.stdin.write("go\n")
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert execution.refresh().state is State.COMPLETED


def test_when_the_grace_time_is_over_the_step_is_left_and_the_exit_is_in_order(
    worker, worked, store, engine
) -> None:
    execution = engine.start("Slow", {"until_told": False})
    process = worker("apps.worked", "--store", store, "--grace", "100ms")
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=PATIENCE)
    assert "The grace time is over" in told
    assert process.returncode == 0
    assert not execution.refresh().state.terminal


def test_threads_that_a_step_has_begun_do_not_hold_the_exit_up(worker, worked, store, engine) -> None:
    engine.start("Helped", {})
    process = worker("apps.worked", "--store", store, "--grace", "100ms")
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE) == 0


def test_a_signal_that_another_thread_takes_wakes_the_main_thread() -> None:
    script = """if True:
        import signal, threading
        from active_workflow.cli.worker import _Stop
        stop = _Stop()
        take = lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        threading.Timer(0.1, take).start()  # the main thread sleeps by then
        stop.wait()
    """
    subprocess.run([sys.executable, "-c", script], check=True, timeout=PATIENCE)


def test_a_second_signal_ends_at_once(worker, worked, engine: Engine) -> None:
    engine.start("Slow", {"until_told": False})
    process = worker()
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    while not process.stderr.readline().startswith("Stopping"):
        pass
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 128 + signal.SIGTERM


def test_an_import_error_is_told_whole_before_anything_is_claimed(
    worker, worked, engine, tmp_path, store
) -> None:
    execution = engine.start("Quick", {})
    (tmp_path / "broken.py").write_text("import apps.worked\nimport not_installed_anywhere\n")
    _, told = worker("broken", "--store", store).communicate(timeout=PATIENCE)
    assert "ModuleNotFoundError: No module named 'not_installed_anywhere'" in told
    assert 'broken.py", line 2' in told
    assert "Error: broken can't be imported" in told
    assert execution.refresh().state is State.PENDING
    assert engine.store.lease_of(execution.id) is None


MISTAKE = """
import active_workflow as aw

class Odd(aw.Workflow):
    @aw.step(retires=3)
    def a(self): ...
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("x = (", "SyntaxError"),
        ("", "Error: odd define no workflow"),
        (MISTAKE, "DefinitionError"),
    ],
)
def test_modules_that_will_not_do(worker, tmp_path, store, text, told) -> None:
    (tmp_path / "odd.py").write_text(text)
    process = worker("odd", "--store", store)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert told in error


def test_the_modules_own_configuration_counts(worker, tmp_path, store) -> None:
    (tmp_path / "configured.py").write_text(
        f"import active_workflow as aw\naw.configure(store={store!r}, lease='20s')\n"
        "class Configured(aw.Workflow):\n    @aw.step\n    def a(self): ...\n"
    )
    process = worker("configured")
    assert process.stderr.readline().startswith("Worker started for Configured.")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert (tmp_path / "store.db").exists()


def test_what_the_command_says_counts_more_than_the_code(store, tmp_path) -> None:
    default.configure("memory://", lease="20s", redact={"token"}, concurrency=7)
    engine = _engine(store, {"lease": "5s", "queues": ["slow"]})
    assert engine is default.engine()
    settings = engine.settings
    assert (settings.lease, settings.grace, settings.concurrency) == (5_000_000, 10_000_000, 7)
    assert (settings.redact, settings.queues) == (frozenset({"token"}), frozenset({"slow"}))
    engine.store.prepare()
    assert (tmp_path / "store.db").exists()
    engine.close()


def test_a_store_that_does_not_open(worker, tmp_path) -> None:
    (tmp_path / "folder.db").mkdir()
    process = worker("apps.worked", "--store", "sqlite:///folder.db")
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "Traceback" not in told
