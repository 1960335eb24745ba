"""What is done to one run of the saga: which way it goes, and what happens to its workers where."""

from dataclasses import dataclass, field
from enum import StrEnum

from active_workflow.core.plan import Plan, StepKind, StepPlan


class Turn(StrEnum):
    """What makes a run go another way than the happy one."""

    FAIL = "fail"
    """A step fails for good, before its effect."""
    FAIL_LATE = "fail-late"
    """A step fails for good after its effect: only where ``compensate_on="attempted"`` says it may."""
    REJECT = "reject"
    """An external step's partner fails it, each time."""
    SILENCE = "silence"
    """Nothing comes for an external step or a wait, until its time runs out."""
    CANCEL = "cancel"
    """Somebody cancels the execution, at a place."""


class Blow(StrEnum):
    """What happens to a worker."""

    CRASH = "crash"
    """It dies."""
    STALL = "stall"
    """It makes the call, and reports only after it has lost its lease and a second worker has gone on."""
    OVERTIME = "overtime"
    """It makes the call, and the step's timeout runs out before the report."""


@dataclass(frozen=True, slots=True)
class Way:
    """Which way a run goes. ``target`` is a step, or (CANCEL) the number of a place."""

    turn: Turn
    target: str

    def __str__(self) -> str:
        return f"{self.turn} {self.target}"


@dataclass(frozen=True, slots=True)
class Move:
    """A blow at a place."""

    place: int
    blow: Blow

    def __str__(self) -> str:
        return f"{self.blow} {self.place}"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a run: before which operation, and what can be done there.

    Attributes:
        number: Counted from 0 over the whole run.
        blows: What can happen to the worker there.
        cancels: Whether a cancel there is worth a try.
    """

    number: int
    blows: tuple[Blow, ...]
    cancels: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """One run's schedule; its text replays it."""

    way: Way | None = None
    moves: tuple[Move, ...] = ()
    at: dict[int, Blow] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", {move.place: move.blow for move in self.moves})

    def __str__(self) -> str:
        parts = [*([self.way] if self.way else []), *self.moves]
        return "; ".join(map(str, parts)) or "nothing"

    def and_then(self, place: int, blow: Blow) -> "Schedule":
        """Give the schedule with one more blow."""
        return Schedule(self.way, (*self.moves, Move(place, blow)))

    @property
    def cancel_at(self) -> int | None:
        """The place at which somebody cancels, if anybody does."""
        return int(self.way.target) if self.way is not None and self.way.turn is Turn.CANCEL else None

    def turns(self, turn: Turn, step: str) -> bool:
        """Tell whether this is the way that a step goes."""
        return self.way is not None and self.way.turn is turn and self.way.target == step


def parse(text: str) -> Schedule:
    """Read a schedule as an error message prints it.

    Raises:
        ValueError: It is none.
    """
    way, moves = None, []
    for part in [] if text.strip() == "nothing" else text.split(";"):
        word, _, target = part.strip().partition(" ")
        if word in set(Blow):
            moves.append(Move(int(target), Blow(word)))
        elif word in set(Turn):
            way = Way(Turn(word), target)
        else:
            words = ", ".join([*Turn, *Blow])
            raise ValueError(f'{part!r} is no part of a schedule: write one of {words}, as in "crash 3"')
    return Schedule(way, tuple(moves))


def ways(plan: Plan) -> list[Way]:
    """Give the ways that a plan may go beside the happy one; cancels are found by running it."""
    return [
        Way(turn, step.name) for step in plan.steps for turn in _turns(step, timed=plan.timeout is not None)
    ]


def _turns(step: StepPlan, *, timed: bool) -> list[Turn]:
    endless = any(policy.max is None for policy in step.retry)
    waits = step.timeout is not None or step.heartbeat_timeout is not None or timed
    turns = []
    if step.kind.calls or step.kind is StepKind.DETACHED:
        turns.append(Turn.FAIL)
    if step.undone_if_attempted:
        turns.append(Turn.FAIL_LATE)
    if step.kind is StepKind.EXTERNAL and not endless:
        turns.append(Turn.REJECT)
    if step.kind in {StepKind.EXTERNAL, StepKind.SIGNAL} and waits and not endless:
        turns.append(Turn.SILENCE)
    return turns
