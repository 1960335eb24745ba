"""Hints for SQLite: a thread looks at the write-ahead log's size and time, which costs next to nothing."""

import logging
import os
import threading
import time
from collections.abc import Callable

from active_workflow.errors import StoreError

INTERVAL = 0.01
"""Seconds between two looks."""
LONGEST_TICK = 50_000_000
"""Nanoseconds: by as much a file's time may lag behind."""
_log = logging.getLogger("active_workflow.store")


def watch(path: str, data_version: Callable[[], int], hint: Callable[[], None]) -> Callable[[], None]:
    """Call ``hint`` when the file was changed by another connection than the store's own.

    Args:
        path: The file.
        data_version: Gives a number that others' commits change, and the store's own don't.
        hint: What to call.

    Returns:
        A function that stops the thread and waits for its end.
    """
    stop = threading.Event()
    look = _Look(path, data_version, hint)
    thread = threading.Thread(
        target=look.until, args=(stop,), name="active_workflow-sqlite-watch", daemon=True
    )
    thread.start()

    def stop_watching() -> None:
        stop.set()
        if thread is not threading.current_thread():
            thread.join()

    return stop_watching


class _Look:
    """What was seen of a file so far."""

    def __init__(self, path: str, data_version: Callable[[], int], hint: Callable[[], None]) -> None:
        self._path = path
        self._log = f"{path}-wal"
        self._data_version = data_version
        self._hint = hint
        self._seen = self._stamp()
        self._young = True
        self._version = data_version()

    def until(self, stop: threading.Event) -> None:
        """Look until told to stop.

        A file's time moves in ticks of some milliseconds, and the log is overwritten from its start now and
        then: a second change within a tick shows in neither time nor size. So a stamp is trusted only once it
        is older than any tick.
        """
        while not stop.wait(INTERVAL):
            stamp = self._stamp()
            if stamp != self._seen or self._young:
                self._seen = stamp
                self._young = time.time_ns() - stamp[0] < LONGEST_TICK
                self._ask()

    def _ask(self) -> None:
        """Find out whether it was another connection that changed the file."""
        try:
            version = self._data_version()
        except StoreError as error:
            _log.debug("looking for changes of %s failed, trying again: %s", self._path, error)
            self._seen = _NEVER
            return
        if version != self._version:
            self._version = version
            self._hint()

    def _stamp(self) -> tuple[int, int]:
        """Give what changes with each commit: the log's time, and its size in case the clock is coarse."""
        try:
            found = os.stat(self._log)  # noqa: PTH116 - a hundred times a second: no Path is made
        except FileNotFoundError:
            return _NEVER
        return (found.st_mtime_ns, found.st_size)


_NEVER = (0, 0)
