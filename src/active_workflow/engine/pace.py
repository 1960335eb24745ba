"""How many steps may be started: as many as the slots get through in a moment, never more than that."""

AHEAD = 50_000
"""Microseconds of work that may be recorded as started and still wait for a slot."""
MOST_AHEAD = 400
_WEIGHT = 0.05


class Pace:
    """Counts the slots in use and measures how long calls take.

    A step recorded as started saves a commit when its slot is free soon; when steps are slow, it would
    only be interrupted needlessly should the process die. So the number started ahead follows the
    measured duration of calls, and is zero until that is known.

    Attributes:
        slots: How many calls run at once.
        in_use: Calls that were asked for and whose code has not ended.
        limit: How many calls may be asked for in all, running ones included.
        planned: Calls that will be asked for once a commit under way has recorded them.
    """

    def __init__(self, slots: int) -> None:
        """Begin with all slots free and nothing measured."""
        self.slots = slots
        self.in_use = 0
        self.planned = 0
        self._planned_for: dict[str, int] = {}
        self.limit = slots
        self._mean = float(AHEAD)

    def plan(self, id: str) -> None:
        """Keep room for a call of an execution until its start is recorded."""
        self.planned += 1
        self._planned_for[id] = self._planned_for.get(id, 0) + 1

    def unplan(self, id: str) -> None:
        """Keep no more room for an execution: its calls are asked for now, or will not be."""
        self.planned -= self._planned_for.pop(id, 0)

    def measure(self, duration: int) -> None:
        """Take a finished call's duration (microseconds) into the mean."""
        self._mean += _WEIGHT * (duration - self._mean)

    def adapt(self) -> None:
        """Let the limit follow what was measured until now."""
        ahead = int(self.slots * AHEAD / max(self._mean, 1.0))
        self.limit = self.slots + min(ahead if ahead > self.slots else 0, MOST_AHEAD)

    @property
    def room(self) -> int:
        """How many more calls may be asked for now, those that wait for a slot included."""
        return max(0, self.limit - self.in_use - self.planned)

    @property
    def free(self) -> int:
        """How many slots are free now."""
        return max(0, self.slots - self.in_use - self.planned)
