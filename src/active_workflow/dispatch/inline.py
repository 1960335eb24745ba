"""Runs what is due at once, in the thread of whoever recorded it: for tests and scripts."""

import threading
from collections.abc import Callable, Sequence


class InlineDispatcher:
    """Has everything that is due run before ``start``, ``signal``, ``complete_step``, … return.

    What a step starts meanwhile is run by the same call that runs the step.
    """

    def __init__(self) -> None:
        self._run_due: Callable[[], object] | None = None
        self._here = threading.local()

    def bind(self, run_due: Callable[[], object]) -> None:
        """Take what runs everything that is due."""
        self._run_due = run_due

    def wake(self, ids: Sequence[str]) -> None:  # noqa: ARG002 - whatever is due is run
        """Run it now, unless this thread is at it already."""
        if self._run_due is None or getattr(self._here, "running", False):
            return
        self._here.running = True
        try:
            self._run_due()
        finally:
            self._here.running = False
