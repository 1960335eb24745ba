"""The store's time, counted on monotonically between the store's answers."""

import time
from collections.abc import Callable


class StoreClock:
    """Gives the store's time without asking it each time.

    What the store says at each claim moves the clock on; in between it counts by a clock of this machine
    that nobody sets, so that nobody's wall clock decides about leases and timers. That clock goes on while
    the machine sleeps: whoever wakes up knows that its leases are over. It never goes back while this
    process lives. A configured clock is asked itself each time.
    """

    def __init__(self, now: int, *, fixed: Callable[[], int] | None = None) -> None:
        """Begin at the store's time ``now``; ``fixed`` is a configured clock that decides instead."""
        self._fixed = fixed
        self._offset = now - _monotonic()

    def now(self) -> int:
        """Give the time in microseconds since the epoch."""
        return _monotonic() + self._offset if self._fixed is None else self._fixed()

    def set(self, now: int) -> None:
        """Take the store's word for what time it is; an answer that was long under way changes nothing."""
        self._offset = max(self._offset, now - _monotonic())


_UNSET: int = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", -1))
"""Counts on through a machine's sleep: on Linux the former, on macOS the latter; Windows has but one."""


def _monotonic() -> int:
    return (time.monotonic_ns() if _UNSET < 0 else time.clock_gettime_ns(_UNSET)) // 1000
