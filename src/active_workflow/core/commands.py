"""What to do next: the law's answer to ``next_commands``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunStep:
    """Record the next attempt of a step as started, then call it."""

    step: str


@dataclass(frozen=True, slots=True)
class Verify:
    """Ask the step's ``verify`` what became of its last attempt."""

    step: str


@dataclass(frozen=True, slots=True)
class Decide:
    """Ask the condition (and, of a sleep, the end) of a wait."""

    step: str


@dataclass(frozen=True, slots=True)
class Compensate:
    """Record the next attempt of a step's undo as started, then call it."""

    step: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing to do before this instant, or (None) before something comes from outside."""

    due_at: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """The execution is over."""


Command = RunStep | Verify | Decide | Compensate | WaitUntil | Done
