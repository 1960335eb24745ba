"""The states, with a sentence on each."""

from enum import StrEnum


class State(StrEnum):
    """The state of an execution, derived from its phase and its marks."""

    PENDING = "pending"
    """Accepted; no step has started yet."""
    RUNNING = "running"
    """A step runs, or is ready to."""
    WAITING = "waiting"
    """For an outside event, a timer or a retry; nothing is held meanwhile."""
    COMPENSATING = "compensating"
    """What was done is being undone."""
    PAUSED = "paused"
    """Held by an operator until ``resume``."""
    BLOCKED = "blocked"
    """Only an operator or a deploy can move it on; the reason says why."""
    COMPENSATION_FAILED = "compensation_failed"
    """Some undo failed for good or a step is in doubt: an operator has to ``retry`` or ``resolve``."""
    COMPLETED = "completed"
    """Every step is done."""
    FAILED = "failed"
    """A step failed for good or time ran out, and everything is undone."""
    CANCELLED = "cancelled"
    """Cancelled, and everything is undone."""

    @property
    def terminal(self) -> bool:
        """Whether nothing will ever change again."""
        return self in _TERMINAL


_TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})

STALLED = frozenset({State.PAUSED, State.BLOCKED, State.COMPENSATION_FAILED})
"""States out of which only an operator (or a deploy) leads."""


class StepState(StrEnum):
    """The state of a step."""

    PENDING = "pending"
    """Not started, or between two attempts (then ``attempts > 0``)."""
    RUNNING = "running"
    """An attempt is recorded as started."""
    WAITING = "waiting"
    """Begun; waits for a completion, a signal or a time."""
    COMPLETED = "completed"
    """Done; its outcome never changes."""
    FAILED = "failed"
    """Failed for good."""
    TIMED_OUT = "timed_out"
    """Its time ran out for good."""
    CANCELLED = "cancelled"
    """The execution ended before the step did."""
    SKIPPED = "skipped"
    """Its condition said no, or an operator passed it over."""
    IN_DOUBT = "in_doubt"
    """Nobody knows whether its last attempt had an effect: an operator has to ``resolve`` it."""
    COMPENSATING = "compensating"
    """Its undo has started and is not over."""
    COMPENSATED = "compensated"
    """Undone."""
    COMPENSATION_FAILED = "compensation_failed"
    """Its undo failed for good."""


class Phase(StrEnum):
    """Which way an execution goes."""

    FORWARD = "forward"
    UNDOING = "undoing"
    OVER = "over"


class Effect(StrEnum):
    """What is known of a step's effect on the world: this, not its state, decides about undo."""

    NONE = "none"
    """Nothing happened, as far as an error tells."""
    UNKNOWN = "unknown"
    """The last attempt ended without an answer."""
    LANDED = "landed"
    """It happened."""
    UNDONE = "undone"
    """It happened and was undone."""


UNFINISHED = frozenset({StepState.PENDING, StepState.WAITING})
"""States of a step that is cancelled when its execution turns round."""
