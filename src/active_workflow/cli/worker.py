"""``worker``: run executions until told to stop."""

import gc
import logging
import os
import signal
import socket
import sys
from types import FrameType
from typing import Any

import click

from active_workflow.cli.opening import import_modules, needs_workflows, refuse_memory
from active_workflow.cli.options import duration, with_store
from active_workflow.cli.text import printable
from active_workflow.dsl import registry
from active_workflow.engine import default
from active_workflow.engine.engine import Engine


@click.command("worker")
@click.argument("modules", metavar="MODULE...", nargs=-1, required=True)
@with_store
@click.option("--queues", help="Only steps of these queues: default,slow.")
@click.option("--concurrency", type=click.IntRange(min=1), help="How many steps run at once.")
@click.option(
    "--lease", type=duration, metavar="DURATION", help="How long a claim lasts without being renewed."
)
@click.option(
    "--grace", type=duration, metavar="DURATION", help="How long running steps are given at the end."
)
@click.option("--name", help="The readable part of the worker's name.")
def worker_command(
    *,
    modules: tuple[str, ...],
    store: str | None,
    queues: str | None,
    concurrency: int | None,
    lease: str | None,
    grace: str | None,
    name: str | None,
) -> None:
    """Run the workflows of modules such as app.workflows, from the current folder or PYTHONPATH.

    SIGTERM and Ctrl-C let running steps end within the grace time; a second one ends at once.
    """
    stop = _Stop()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    import_modules(modules)
    needs_workflows(modules)
    workflows = sorted({printable(program.name) for program in registry.programs()})
    given = {
        "queues": None if queues is None else queues.split(","),
        "concurrency": concurrency,
        "lease": lease,
        "grace": grace,
        "worker_name": name,
    }
    engine = _engine(store, {key: value for key, value in given.items() if value is not None})
    refuse_memory(engine)
    settle_collector()
    engine.start_worker()
    click.echo(f"Worker started for {', '.join(workflows)}. Ctrl-C stops it.", err=True)
    stop.wait()
    click.echo("Stopping: running steps may end; once more ends at once.", err=True)
    in_order = engine.drain()
    if not in_order:
        click.echo("The grace time is over: what still ran is left for another worker.", err=True)
    default.close()
    if not in_order:
        _end_at_once()


def settle_collector() -> None:
    """Let the garbage collector of this process, which is a worker and nothing else, run more seldom.

    What is imported stays for good, and steps make many short-lived values and hardly any cycle: with the
    default thresholds a busy worker spends a twelfth of its time on looking for some.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _engine(store: str | None, given: dict[str, Any]) -> Engine:
    """Give the engine that the user's code starts executions with, set up as the command says.

    What the command says counts more than what the code does; the rest stays as the code has it.
    """
    coded = default.configured_engine()
    if coded is None:
        return default.configure(store, **given)
    if store is None and not given:
        return coded
    return default.use(coded.like(store, **given))


def _end_at_once() -> None:
    """End without waiting for threads: Python itself would, for those that steps have begun."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class _Stop:
    """Takes SIGTERM and SIGINT: the first asks for an end, the second is one.

    Python takes a signal between two of its own steps: one that comes just before the main thread falls
    asleep would be taken with the next. So each signal also writes a byte, which ends the sleep.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._told, self._tell = socket.socketpair()
        self._tell.setblocking(False)
        signal.set_wakeup_fd(self._tell.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self._number is not None:
            os._exit(128 + number)
        self._number = number

    def wait(self) -> None:
        """Return when an end is asked for."""
        while self._number is None:
            self._told.recv(1)
