"""Server processes of a test run: they listen on a free loopback port and live in a temporary folder.

They are ended by the process id that this run itself started, never by name.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE = 30.0
"""Seconds that a server may take to start or to end."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def unprivileged() -> dict[str, Any]:
    """Arguments of `subprocess` for a server that refuses to run as root; none for anyone else."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def make_folder(name: str, owner: dict[str, Any], within: Path | None = None) -> Path:
    """A new folder that the server's user may enter and write to."""
    folder = Path(tempfile.mkdtemp(prefix=f"active-workflow-{name}-", dir=within or _readable_temp()))
    if owner:
        os.chown(folder, owner["user"], owner["group"])
    return folder


def _readable_temp() -> str | None:
    """The usual place for temporary folders, unless others may not enter it."""
    usual = Path(tempfile.gettempdir())
    return None if usual.stat().st_mode & 0o001 else "/tmp"


class Server:
    """One server process, which can be ended in any way and started again on the same port."""

    def __init__(self, name: str, folder: Path, command: list[str], answers: Callable[[], bool]) -> None:
        self.name = name
        self.folder = folder
        self._command = command
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = unprivileged()

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def run_under(self, command: list[str]) -> None:
        """Have it started by a command that becomes it, such as ``env`` with variables."""
        self._command = [*command, *self._command]

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = (self.folder / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                **self._owner,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} doesn't start:\n{self.log()}")
            time.sleep(0.02)

    def end(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Send its process a signal and wait for its end."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self) -> str:
        """The last of what the server has to say."""
        return (self.folder / "server.log").read_text(errors="replace")[-4000:]

    def remove(self) -> None:
        """End it and remove its folder."""
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
