"""Instants at which something has to be looked at again."""

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_SLACK = 64
"""So many entries that no longer count are kept before they are cleared away."""


class Alarms(Generic[Key]):
    """A heap of instants in which each key has one at most.

    Keys go and instants move far more often than alarms ring, so entries that no longer count stay in
    the heap until they come up, or until they outnumber those that do.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._at: dict[Key, int] = {}
        self._heap: list[tuple[int, int, Key]] = []
        self._numbers = count()

    def set(self, key: Key, at: int | None) -> None:
        """Let a key's alarm ring at an instant, or (None) not at all, whatever was set before."""
        if self._at.get(key) == at:
            return
        if at is None:
            del self._at[key]
            return
        self._at[key] = at
        heappush(self._heap, (at, next(self._numbers), key))
        if len(self._heap) > _SLACK + 2 * len(self._at):
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapify(self._heap)

    def ring(self, now: int) -> list[Key]:
        """Give the keys whose instant has come, the earliest first; their alarms are over."""
        rung = []
        while self._heap and self._heap[0][0] <= now:
            entry = heappop(self._heap)
            if self._counts(entry):
                del self._at[entry[2]]
                rung.append(entry[2])
        return rung

    def next(self) -> int | None:
        """Tell when the next one rings."""
        while self._heap and not self._counts(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _counts(self, entry: tuple[int, int, Key]) -> bool:
        return self._at.get(entry[2]) == entry[0]
