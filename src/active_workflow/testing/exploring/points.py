"""How a fake of the outside says that something changes there: each such place can be crashed at."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Crashed(BaseException):
    """The process in which the saga runs is dead: nothing in it goes on."""


class Watcher(Protocol):
    """Whoever runs the saga and may crash it."""

    def effect(self, what: str, *, first_counts: bool) -> None:
        """Something is about to change outside; raises Crashed where the process is dead.

        Args:
            what: What changes, for people.
            first_counts: Whether a crash before the first effect of a call differs from one before the call.
        """


class _Slot:
    watcher: Watcher | None = None


def crash_point(what: str) -> None:
    """Say, in a fake of the outside or between two effects of a step, that a crash here is worth a try.

    ``Ledger`` does so for its own effects. Outside of ``explore`` it does nothing.

    Args:
        what: What is about to happen, in words for the timeline: ``"the letter is printed"``.
    """
    if _Slot.watcher is not None:
        _Slot.watcher.effect(what, first_counts=True)


def effect(what: str) -> None:
    """Say the same of an effect before which nothing else has changed since the call began, or was said."""
    if _Slot.watcher is not None:
        _Slot.watcher.effect(what, first_counts=False)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Have somebody told of each crash point, in whichever thread it is."""
    before, _Slot.watcher = _Slot.watcher, watcher
    try:
        yield
    finally:
        _Slot.watcher = before
