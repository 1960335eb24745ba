"""The machine's clock, as stores read it."""

import time


def system_clock() -> int:
    """Give the time in microseconds since the epoch."""
    return time.time_ns() // 1000
