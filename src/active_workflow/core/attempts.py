"""The attempts of a step, and its errors, as frozen values."""

from dataclasses import dataclass
from typing import Any, Self

KEPT_ERRORS = 3
"""How many errors of a run's attempts are kept: the newest ones."""


class Evolvable:
    """Makes changed copies, ten times faster than ``dataclasses.replace``, which runs ``__init__`` again.

    The values are frozen like any frozen dataclass; they have no slots, so that a copy is one dict merge.
    """

    def evolve(self, changes: dict[str, Any] | None = None, /, **named: Any) -> Self:
        """Give a copy with the named fields changed, or (one call less) those of a dict."""
        fields = self.__dict__
        copied = fields | (named if changes is None else changes)
        assert len(copied) == len(fields), copied.keys() - fields.keys()  # noqa: S101 - a field misspelt
        copy = _new(type(self))
        _set(copy, "__dict__", copied)
        return copy


_new = object.__new__
_set = object.__setattr__  # the only way into a frozen value


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as data.

    Attributes:
        type: The error class's name, as users know it.
        message: Its text.
        names: Qualified names along its MRO, for ``Retry(on=)``.
        details: Encoded value, or None.
        traceback: Text for people.
        retryable: False forbids another attempt.
        retry_after: Microseconds that replace the policy's delay.
    """

    type: str
    message: str
    names: tuple[str, ...] = ()
    details: str | None = None
    traceback: str | None = None
    retryable: bool = True
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The error of one attempt that ended badly."""

    number: int
    ended_at: int
    error: Failure


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion (or failure) that came early: while the first call of its step still ran."""

    payload: str | None
    key: str | None
    correlation_id: str | None = None
    error: Failure | None = None


@dataclass(frozen=True)
class Run(Evolvable):
    """The attempts of one direction of a step: doing it, or undoing it.

    Attributes:
        attempts: Attempts started, interrupted ones included.
        failures: Attempts that ended by an error, a timeout or ``fail_step``: what ``Retry.max`` bounds.
        interruptions: Attempts in a row whose worker was lost; two make the step a suspect.
        strikes: Interruptions while it ran as a suspect.
        running: Whether an attempt is recorded as started and not over.
        suspect: Whether the running attempt was started as a suspect's.
        started_at: When the first attempt started.
        attempt_at: When the newest attempt started.
        retry_at: Not before this instant does the next attempt start.
        unknown: Whether the newest attempt ended without an answer, and nobody has said yet what it did.
        doubts: How often in a row ``verify`` itself failed.
        lingering: Number of a timed-out attempt whose thread still runs here, or None.
        abandon_at: When the lingering attempt no longer holds up what follows; None once that has passed.
        errors: The newest errors, newest last.
        lost: Attempts in all whose worker was lost.
    """

    attempts: int = 0
    failures: int = 0
    interruptions: int = 0
    strikes: int = 0
    running: bool = False
    suspect: bool = False
    started_at: int | None = None
    attempt_at: int | None = None
    retry_at: int | None = None
    unknown: bool = False
    doubts: int = 0
    lingering: int | None = None
    abandon_at: int | None = None
    errors: tuple[Attempt, ...] = ()
    lost: int = 0

    @property
    def error(self) -> Failure | None:
        """The newest error."""
        return self.errors[-1].error if self.errors else None

    @property
    def is_suspect(self) -> bool:
        """Whether it lost its worker twice in a row: it then runs alone, by a commit of its own."""
        return self.interruptions > 1

    @property
    def lingers_until(self) -> int:
        """Until when a timed-out attempt, whose thread may still be at it, holds up what follows."""
        return 0 if self.lingering is None else self.abandon_at or 0

    def held_until(self) -> int:
        """The instant before which no further attempt may start."""
        return max(self.retry_at or 0, self.lingers_until)


NOT_RUN = Run()
