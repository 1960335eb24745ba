"""What faults are made with: a disk of its own, a foreign process, a clock that can be set."""

import atexit
import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Disk:
    """A small file system in memory, mounted for the time of a run; needs root."""

    def __init__(self, megabytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="active-workflow-disk-", dir="/tmp"))
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", self.folder], check=True
        )
        atexit.register(self.remove)

    @staticmethod
    def missing() -> str | None:
        if os.geteuid() != 0 or shutil.which("mount") is None:
            return "a full disk needs a file system of its own, which only root can mount"
        return None

    def fill(self) -> None:
        """Leave no room at all."""
        file = os.open(self.folder / "ballast", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            for size in (1 << 20, 4096, 1):
                with suppress(OSError):
                    while os.write(file, b"\0" * size):
                        pass
        finally:
            os.close(file)

    def free(self) -> None:
        """Make room."""
        (self.folder / "ballast").unlink(missing_ok=True)

    def remove(self) -> None:
        atexit.unregister(self.remove)
        if self.folder.exists():
            subprocess.run(["umount", "--lazy", self.folder], check=False, capture_output=True)
            shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def foreign(command: list[str]) -> Iterator[bool]:
    """Have a process that holds a lock, from its first line until its standard input is closed.

    Gives whether it got the lock.
    """
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline() != b""  # it ends without a word where the server is down
        finally:
            process.communicate()


def faketime_library() -> str | None:
    found = sorted(glob.glob("/usr/lib/*/faketime/libfaketime.so.1"))  # noqa: PTH207 - an absolute pattern
    return found[0] if found else None


def faketime(clock: Path) -> list[str]:
    return [
        "env",
        f"LD_PRELOAD={faketime_library()}",
        f"FAKETIME_TIMESTAMP_FILE={clock}",
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]
