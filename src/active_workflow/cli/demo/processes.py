"""The demo's own processes: the shop and the workers. Each ends with the demo; no other is ever touched."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Self

from active_workflow.cli.demo import shop
from active_workflow.engine.settings import PREFIX
from active_workflow.errors import ActiveWorkflowError

_ROOT = Path(__file__).parents[3]
_PATIENCE = 15.0
"""Seconds that a process is given to end in order."""


class DemoTrouble(ActiveWorkflowError):
    """The demo itself can't go on."""


class Process:
    """A Python module that runs as a process of its own.

    Args:
        name: What it is called.
        folder: Where it works and writes its log.
        arguments: The module and its arguments.
        more: Environment variables of its own.
    """

    def __init__(self, name: str, folder: Path, arguments: list[str], more: dict[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name.replace(' ', '-')}.log"
        # Settings of the surroundings are for the user's own work; Ctrl-C is for the demo, which ends them.
        env = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        paths = [str(_ROOT), *filter(None, [env.get("PYTHONPATH")])]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *arguments],
                cwd=folder,
                env={**env, **more, "PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if arguments[0].endswith("service") else log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def kill(self) -> None:
        """End it as a power cut would: it gets no chance to do or say anything more."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        _close(self.process.stdin)  # which is what it ends with
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
        _close(self.process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()


def start_shop(folder: Path, *, delay: float, stock: int) -> tuple[Process, Path]:
    """Start the payment, stock and courier service; give it and its ledger's path.

    The clients of this process are told its address, too.
    """
    ledger = folder / "ledger.jsonl"
    arguments = ["active_workflow.cli.demo.service", str(ledger), f"--delay={delay}", f"--stock={stock}"]
    process = Process("shop", folder, arguments, {})
    out = process.process.stdout
    url = out.readline().decode().strip() if out else ""
    if not url:
        process.stop()
        raise DemoTrouble(f"the shop did not start: {process.log.read_text(encoding='utf-8').strip()}")
    os.environ[shop.URL] = url
    return process, ledger


def start_worker(name: str, folder: Path, store: str, *, lease: str = "30s") -> Process:
    """Start a worker for the demo's workflow."""
    arguments = ["active_workflow.cli.demo.hand", "worker", "active_workflow.cli.demo.workflow"]
    options = [f"--store={store}", f"--name={name.replace(' ', '-')}", f"--lease={lease}"]
    return Process(name, folder, [*arguments, *options], {shop.URL: os.environ[shop.URL]})
