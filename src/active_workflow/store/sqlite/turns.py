"""Whose turn it is to write to a file: writers of one process wait for each other here, not in SQLite."""

import threading


class Turns:
    """A lock whose holder may take it again, and which a step's transaction holds until it has ended.

    Such a transaction may be ended by another thread, when its time is over: then so is its turn.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: int | None = None
        self._depth = 0
        self._step: int | None = None

    def __enter__(self) -> None:
        me = threading.get_ident()
        if self._holder != me:
            self._lock.acquire()
            self._holder = me
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._holder = None
            self._lock.release()

    def take_for_step(self, timeout: float) -> bool:
        """Take a turn for a step's transaction; False when none has come in time (seconds)."""
        taken = self._lock.acquire(timeout=timeout)
        if taken:
            self._step = threading.get_ident()
        return taken

    def end_of_step(self) -> None:
        """End the turn of a step's transaction, from whichever thread."""
        self._step = None
        self._lock.release()

    @property
    def is_steps_own(self) -> bool:
        """Whether this very thread is in a step whose transaction holds the file."""
        return self._step == threading.get_ident()
