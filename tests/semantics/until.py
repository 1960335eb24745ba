"""Waiting for what another thread does, with an end."""

import threading
import time
from collections.abc import Callable

LONGEST = 20.0


def until(condition: Callable[[], object]) -> None:
    """Come back as soon as a condition holds; fail when it does not come to hold."""
    deadline = time.monotonic() + LONGEST
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(0.002)
