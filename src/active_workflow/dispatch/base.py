"""What every dispatcher does."""

from collections.abc import Callable, Sequence
from typing import Protocol


class Dispatcher(Protocol):
    """Tells somebody that executions are due. It never runs one itself: it is given what does.

    A hint may be early, late, repeated or lost: the runner checks what is due, and any worker's sweep finds
    what was missed.
    """

    def bind(self, run_due: Callable[[], object]) -> None:
        """Take what runs everything that is due in this process."""

    def wake(self, ids: Sequence[str]) -> None:
        """Have these executions looked at soon: something has just been recorded of them."""
