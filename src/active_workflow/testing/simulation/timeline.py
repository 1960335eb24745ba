"""Virtual time: things that happen at instants, one after the other, and now and then inside each other."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Happening = Callable[[], None]

DEEPEST = 3
"""So many moves may be under way at once, each interrupted in the middle of a store call."""


class Timeline:
    """A queue of happenings, and the clock that they move."""

    def __init__(self, start: int) -> None:
        """Begin at an instant, microseconds."""
        self.now = start
        self.moves = 0
        self._queue: list[tuple[int, int, Happening]] = []
        self._numbers = count()
        self._depth = 0

    def at(self, instant: int, happening: Happening) -> None:
        """Have something happen at an instant, or at once if that is past."""
        heappush(self._queue, (max(instant, self.now), next(self._numbers), happening))

    def after(self, delay: int, happening: Happening) -> None:
        """Have something happen after a delay."""
        heappush(self._queue, (self.now + delay, next(self._numbers), happening))

    def step(self) -> bool:
        """Let the next thing happen; False when nothing is left."""
        if not self._queue:
            return False
        self.now, _, happening = heappop(self._queue)
        self.moves += 1
        happening()
        return True

    def pass_by(self, delay: int) -> None:
        """Let time pass for somebody in the middle of a move: everything else goes on meanwhile."""
        if self._depth >= DEEPEST:
            return
        until = self.now + delay
        self._depth += 1
        try:
            while self._queue and self._queue[0][0] <= until:
                self.step()
        finally:
            self._depth -= 1
        self.now = max(self.now, until)
