"""The store's time, counted on monotonically between the store's answers."""

import time
from collections.abc import Callable

MICROSECOND = 1_000_000


class StoreClock:
    """Gives the store's time without asking it each time.

    Each answer of the store that carries its time sets the clock; in between it goes on by this
    machine's monotonic clock, so that nobody's wall clock decides about leases and timers. It never goes
    back while this process lives. A configured clock is asked itself each time.
    """

    def __init__(self, now: int, *, fixed: Callable[[], int] | None = None) -> None:
        """Begin at the store's time ``now``; ``fixed`` is a configured clock that decides instead."""
        self._fixed = fixed
        self._offset = now - _monotonic()
        self._latest = now

    def now(self) -> int:
        """Give the time in microseconds since the epoch."""
        if self._fixed is not None:
            return self._fixed()
        self._latest = max(self._latest, _monotonic() + self._offset)
        return self._latest

    def set(self, now: int) -> None:
        """Take the store's word for what time it is."""
        self._offset = now - _monotonic()


def _monotonic() -> int:
    return time.monotonic_ns() // 1000
