"""The wall clock of a worker process, which others can set: it reads how far off it is from a file.

Only the wall clock jumps, as when somebody sets a machine's time; the monotonic one goes on. Faking it here
is exact; `libfaketime` under a threaded Python makes waits hang, but does well under a server (`sites.py`).
"""

import os
import time
from pathlib import Path

WIDTH = 12
VARIABLE = "CHAOS_CLOCK"


def set_clock(file: Path, seconds: int) -> None:
    """Set how far the clocks that read a file are off; a reader sees the old text or the new one."""
    beside = file.with_suffix(".new")
    beside.write_text(str(seconds))
    beside.replace(file)


def obey(file: Path) -> None:
    """Let this process's wall clock obey a file from now on."""
    real = time.time_ns
    path = os.fspath(file)

    def off() -> int:
        handle = os.open(path, os.O_RDONLY)
        try:
            return int(os.read(handle, WIDTH) or b"0")
        finally:
            os.close(handle)

    time.time_ns = lambda: real() + off() * 1_000_000_000
    time.time = lambda: time.time_ns() / 1e9


if VARIABLE in os.environ:
    obey(Path(os.environ[VARIABLE]))
