"""The table of legal moves of a step. A move that is not in it raises, and nothing is changed.

Each row says: from this state, this move leads to one of these states. The diagram in the docs is
generated from it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from active_workflow.core.snapshot import Step
from active_workflow.core.states import StepState as S
from active_workflow.errors import IllegalMove


class Move(StrEnum):
    """What can befall a step."""

    START = "start"
    """An attempt is recorded as started."""
    TAKE_BACK = "take back"
    """It was recorded as started and never called."""
    RETURN = "return"
    """The call returned, or an unknown attempt turned out to have landed."""
    FAIL = "fail"
    """The attempt ended with an error."""
    RUN_OUT = "run out"
    """The attempt's time ran out, or the waiting's."""
    LOSE = "lose"
    """The attempt's worker is gone."""
    SKIP = "skip"
    """It is not needed."""
    BEGIN = "begin"
    """A wait, a sleep or a detached step begins."""
    SETTLE = "settle"
    """It turned out what an attempt of unknown outcome did."""
    FINISH = "finish"
    """What it waited for has come."""
    CANCEL = "cancel"
    """The execution goes no further forward."""
    RETRY = "retry"
    """An operator has it tried again."""
    START_UNDO = "start undo"
    """An attempt of its undo is recorded as started."""
    TAKE_BACK_UNDO = "take back undo"
    """That was recorded as started and never called."""
    END_UNDO = "end undo"
    """Its undo returned, or an operator undid it by hand."""
    FAIL_UNDO = "fail undo"
    """An attempt of its undo ended badly."""
    PASS_BY = "pass by"
    """An operator says that there is nothing to undo."""


MOVES: Mapping[S, Mapping[Move, frozenset[S]]] = {
    S.PENDING: {
        Move.START: frozenset({S.RUNNING}),
        Move.BEGIN: frozenset({S.WAITING, S.COMPLETED}),
        Move.SKIP: frozenset({S.SKIPPED}),
        Move.RETURN: frozenset({S.COMPLETED, S.WAITING, S.FAILED}),  # late, or verified
        Move.FAIL: frozenset({S.PENDING, S.FAILED}),  # a late error, a failing condition or verify
        Move.SETTLE: frozenset({S.PENDING, S.FAILED, S.TIMED_OUT, S.IN_DOUBT}),
        Move.FINISH: frozenset({S.COMPLETED, S.FAILED}),  # a completion ends a retry delay
        Move.CANCEL: frozenset({S.CANCELLED}),
    },
    S.RUNNING: {
        Move.TAKE_BACK: frozenset({S.PENDING, S.FAILED, S.TIMED_OUT, S.CANCELLED}),
        Move.RETURN: frozenset({S.COMPLETED, S.WAITING, S.FAILED, S.CANCELLED}),
        Move.FAIL: frozenset({S.PENDING, S.FAILED, S.CANCELLED}),
        Move.RUN_OUT: frozenset({S.PENDING, S.TIMED_OUT, S.CANCELLED, S.IN_DOUBT}),
        Move.LOSE: frozenset({S.PENDING, S.FAILED, S.CANCELLED, S.IN_DOUBT}),
        Move.SKIP: frozenset({S.SKIPPED, S.IN_DOUBT}),  # in doubt: it was to settle an unknown attempt
        Move.FINISH: frozenset({S.COMPLETED, S.FAILED}),  # kept while it ran, used as the call broke
    },
    S.WAITING: {
        Move.FINISH: frozenset({S.COMPLETED, S.FAILED}),
        Move.FAIL: frozenset({S.PENDING, S.FAILED}),
        Move.RUN_OUT: frozenset({S.TIMED_OUT}),  # one that is initiated again has failed
        Move.CANCEL: frozenset({S.CANCELLED}),
    },
    S.IN_DOUBT: {
        Move.RETURN: frozenset({S.COMPLETED, S.WAITING, S.FAILED, S.CANCELLED}),
        Move.FAIL: frozenset({S.PENDING, S.FAILED}),
        Move.SETTLE: frozenset({S.PENDING}),
        Move.FINISH: frozenset({S.COMPLETED, S.FAILED}),
        Move.SKIP: frozenset({S.SKIPPED}),
        Move.CANCEL: frozenset({S.CANCELLED}),
        Move.PASS_BY: frozenset({S.CANCELLED}),
    },
    S.COMPLETED: {
        Move.START_UNDO: frozenset({S.COMPENSATING}),
    },
    S.SKIPPED: {
        Move.CANCEL: frozenset({S.CANCELLED}),  # an attempt before the one that was skipped is to be undone
    },
    S.FAILED: {
        Move.START: frozenset({S.RUNNING}),  # while undoing: once more, to learn if it landed
        Move.RETURN: frozenset({S.FAILED}),  # what it did is known after all; that it failed stays
        Move.FAIL: frozenset({S.FAILED}),
        Move.SETTLE: frozenset({S.FAILED, S.IN_DOUBT}),
        Move.SKIP: frozenset({S.SKIPPED}),
        Move.RETRY: frozenset({S.PENDING}),
        Move.START_UNDO: frozenset({S.COMPENSATING}),
    },
    S.TIMED_OUT: {
        Move.START: frozenset({S.RUNNING}),
        Move.RETURN: frozenset({S.TIMED_OUT}),
        Move.FAIL: frozenset({S.TIMED_OUT}),
        Move.SETTLE: frozenset({S.TIMED_OUT, S.IN_DOUBT}),
        Move.SKIP: frozenset({S.SKIPPED}),
        Move.RETRY: frozenset({S.PENDING}),
        Move.START_UNDO: frozenset({S.COMPENSATING}),
    },
    S.CANCELLED: {
        Move.START: frozenset({S.RUNNING}),
        Move.RETURN: frozenset({S.CANCELLED}),
        Move.FAIL: frozenset({S.CANCELLED}),
        Move.SETTLE: frozenset({S.CANCELLED, S.IN_DOUBT}),
        Move.START_UNDO: frozenset({S.COMPENSATING}),
    },
    S.COMPENSATING: {
        Move.START_UNDO: frozenset({S.COMPENSATING}),
        Move.TAKE_BACK_UNDO: frozenset({S.COMPENSATING}),
        Move.END_UNDO: frozenset({S.COMPENSATING, S.COMPENSATED}),
        Move.FAIL_UNDO: frozenset({S.COMPENSATING, S.COMPENSATION_FAILED}),
    },
    S.COMPENSATED: {},
    S.COMPENSATION_FAILED: {
        Move.RETRY: frozenset({S.COMPENSATING}),
        Move.END_UNDO: frozenset({S.COMPENSATING, S.COMPENSATED}),  # by hand, or it returned late
    },
}


def moved(step: Step, move: Move, to: S, changes: dict[str, Any] | None = None, /, **named: Any) -> Step:
    """Give the step after a move, with the named fields changed, or those of a dict.

    Raises:
        IllegalMove: The table doesn't have it.
    """
    if to not in MOVES[step.state].get(move, ()):
        raise IllegalMove(f"step {step.name!r} is {step.state}: {move!s} can't make it {to}")
    changed = named if changes is None else changes
    changed["state"] = to
    return step.evolve(changed)
