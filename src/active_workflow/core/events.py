"""What happened: frozen facts that the law is told. Time and chance come with them.

Reports of a runner name step and attempt, so that one which comes late or twice changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from active_workflow.core.attempts import Failure
from active_workflow.core.snapshot import BlockKind

# --- Reports of the runner that owns the execution --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """The next attempt of a step, or of its undo, begins with the commit that records this.

    Attributes:
        step: Which step.
        undo: Whether it is an attempt of its undo.
        attempt: The number that the attempt gets, so that telling it twice starts nothing twice; None is
            whichever is next.
    """

    step: str
    undo: bool = False
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class NotCalled:
    """An attempt was recorded as started and never called (a drain): it is taken back."""

    step: str
    attempt: int
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Returned:
    """The call returned: ``result`` is its encoded value (None: no value), ``patch`` what it did to ctx."""

    step: str
    attempt: int
    result: str | None = None
    patch: Mapping[str, str | None] = field(default_factory=dict)
    correlation_id: str | None = None
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The call raised. With ``returned`` it did return, but what it returned can't be recorded.

    With ``decided`` the step's condition had said yes: the next attempt need not ask it again.
    """

    step: str
    attempt: int
    error: Failure
    roll: float = 0.5
    returned: bool = False
    undo: bool = False
    decided: bool = False


@dataclass(frozen=True, slots=True)
class RanOut:
    """A running attempt's time is over. ``stopped``: its code no longer runs (a coroutine).

    With ``decided`` the step's condition had said yes: the next attempt need not ask it again.
    """

    step: str
    attempt: int
    roll: float = 0.5
    stopped: bool = False
    undo: bool = False
    decided: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """The condition of a called step said that it is not needed."""

    step: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Verified:
    """``verify`` answered for an attempt of unknown outcome: landed, not landed, or (None) unknown.

    Where it landed, the rest is what the attempt would have returned.
    """

    step: str
    attempt: int
    landed: bool | None
    result: str | None = None
    patch: Mapping[str, str | None] = field(default_factory=dict)
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyFailed:
    """``verify`` itself raised.

    Attributes:
        step: Which step.
        attempt: The attempt that it was asked about.
        error: What it raised.
        roll: Chance, for the delay.
        doubts: How often it had raised before (``Run.doubts``), so that telling it twice counts once; None
            is as often as is recorded.
    """

    step: str
    attempt: int
    error: Failure
    roll: float = 0.5
    doubts: int | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """The condition of a wait answered; for a sleep ``until`` is when it ends."""

    step: str
    go: bool
    until: int | None = None


@dataclass(frozen=True, slots=True)
class DecideFailed:
    """The condition of a wait raised: asked again by the step's retry policy, else the step has failed."""

    step: str
    error: Failure
    roll: float = 0.5


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """Whoever ran the attempts recorded as running is gone: a new owner has taken the lease.

    Attributes:
        attempts: Which ones, as (step, undo, attempt), so that telling it twice can't strike a later
            attempt; None is every one that is recorded as running.
    """

    attempts: frozenset[tuple[str, bool, int]] | None = None

    def concerns(self, step: str, attempt: int, *, undo: bool = False) -> bool:
        """Tell whether an attempt is among those that were lost."""
        return self.attempts is None or (step, undo, attempt) in self.attempts


@dataclass(frozen=True, slots=True)
class Wake:
    """Time has passed: every timer that is due fires."""

    roll: float = 0.5


@dataclass(frozen=True, slots=True)
class CodeMissing:
    """The code of this worker can't serve the execution's plan."""

    reason: str
    kind: BlockKind = BlockKind.CODE


@dataclass(frozen=True, slots=True)
class CodeFound:
    """A worker that can serve the plan has it now."""


# --- From outside -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Completed:
    """An external step (or an external undo) was completed from outside."""

    step: str
    payload: str
    key: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An external step was failed from outside."""

    step: str
    error: Failure
    key: str | None = None
    correlation_id: str | None = None
    roll: float = 0.5


@dataclass(frozen=True, slots=True)
class Extended:
    """The waiting of a step is to end later by so many microseconds."""

    step: str
    by: int


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal came."""

    name: str
    payload: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants the execution undone and over."""

    reason: str | None = None


# --- From an operator -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Paused:
    """Start nothing more and fire no timer until resumed."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Go on."""


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """Try again what blocks the execution or what failed to be undone."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """An operator found out about a step in doubt, a step that blocks, or an undo that failed.

    Exactly one of ``landed`` (not None), ``skip`` and ``undone`` is said.
    """

    step: str
    landed: bool | None = None
    skip: bool = False
    undone: bool = False
    result: str | None = None
    patch: Mapping[str, str | None] = field(default_factory=dict)


Event = (
    Started
    | NotCalled
    | Returned
    | Failed
    | RanOut
    | Skipped
    | Verified
    | VerifyFailed
    | Decided
    | DecideFailed
    | WorkerLost
    | Wake
    | CodeMissing
    | CodeFound
    | Completed
    | Rejected
    | Extended
    | Signalled
    | CancelRequested
    | Paused
    | Resumed
    | RetryRequested
    | Resolved
)
