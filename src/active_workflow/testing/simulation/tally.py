"""How often everything has happened that can: a simulation in which something never does proves little."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, get_args

from active_workflow.core import events, forward, machine, moves
from active_workflow.core.moves import Move
from active_workflow.core.states import State, StepState

What = tuple[str, str]
"""Of which sort it is, and what: ``("move", "running: return -> completed")``."""

STORE_FAULTS = ("slow", "answer is late", "fails before", "answer is lost", "dies before", "dies after")
FAULTY_CALLS = ("insert", "load", "commit", "claim", "renew")
BLOWS = (
    *("kill", "drain", "freeze", "starve", "dies in a call", "is poisoned"),
    *("has other code", "has one queue", "is skewed", "is not told"),
)
FROM_OUTSIDE = (
    *(events.Completed, events.Rejected, events.Extended, events.Signalled, events.CancelRequested),
    *(events.Paused, events.Resumed, events.RetryRequested, events.Resolved),
)


class Tally(Counter[What]):
    """Counts of what has happened, over any number of seeds."""

    def missing(self) -> list[str]:
        """Give what can happen and never did."""
        return [f"{sort}: {what}" for sort, what in expected() if not self[sort, what]]

    def __str__(self) -> str:
        lines: list[str] = []
        for sort in dict.fromkeys(sort for sort, _ in expected()):
            lines += ["", sort]
            lines += [f"  {self[of, what]:9}  {what}" for of, what in expected() if of == sort]
        return "\n".join(lines[1:])


def expected() -> Iterator[What]:
    """Give everything that can happen: each move of the law's table, each event, each fault, each end."""
    for before, row in moves.MOVES.items():
        yield from (("move", _worded(before, move, to)) for move, tos in row.items() for to in sorted(tos))
    yield from (("event", kind.__name__) for kind in get_args(events.Event))
    yield from (("from outside", kind.__name__) for kind in FROM_OUTSIDE)
    yield from (("fault", f"{call} {fault}") for call in FAULTY_CALLS for fault in STORE_FAULTS)
    yield from (("answer", verdict) for verdict in ("applied", "refused", "rejected"))
    yield from (("blow", what) for what in BLOWS)
    yield from (("end", state) for state in State if state.terminal or state in _STUCK)


_STUCK = (State.BLOCKED, State.COMPENSATION_FAILED)


def _worded(before: StepState, move: Move, to: StepState) -> str:
    return f"{before}: {move} -> {to}"


@contextmanager
def counted_law(tally: Tally) -> Iterator[None]:
    """Count every event that the law is told meanwhile, and every move that it makes."""
    table, handlers = moves.MOVES, machine.HANDLERS
    moves.MOVES = {
        before: {move: _Counting(tos, before, move, tally) for move, tos in row.items()}
        for before, row in table.items()
    }
    machine.HANDLERS = _counting(handlers, tally)
    forward.first_attempt.cache_clear()  # what was made before was not counted
    try:
        yield
    finally:
        moves.MOVES, machine.HANDLERS = table, handlers


class _Counting(frozenset[StepState]):
    """States that a move may lead to, which count when they are asked for."""

    def __new__(cls, tos: frozenset[StepState], *_: object) -> Self:
        return super().__new__(cls, tos)

    def __init__(self, _: frozenset[StepState], before: StepState, move: Move, tally: Tally) -> None:
        self._before, self._move, self._tally = before, move, tally

    def __contains__(self, to: object) -> bool:
        holds = super().__contains__(to)
        if holds and isinstance(to, StepState):
            self._tally["move", _worded(self._before, self._move, to)] += 1
        return holds


def _counting(handlers: Mapping[type, machine.Handler], tally: Tally) -> Mapping[type, machine.Handler]:
    def counting(kind: type, handler: machine.Handler) -> machine.Handler:
        def counted(x: Any, event: Any, now: int) -> Any:
            tally["event", kind.__name__] += 1
            return handler(x, event, now)

        return counted

    return {kind: counting(kind, handler) for kind, handler in handlers.items()}
