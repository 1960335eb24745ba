"""The table of moves, walked from end to end."""

import re
from itertools import product
from pathlib import Path

import pytest

from active_workflow.core import machine
from active_workflow.core.moves import MOVES, Move, moved
from active_workflow.core.snapshot import Step
from active_workflow.core.states import StepState as S
from active_workflow.errors import CompletionConflict, CorrelationMismatch, IllegalMove, UnknownStep
from tests.core.adversary import likely, troubles, unlikely
from tests.core.situations import SITUATIONS

REFUSALS = (IllegalMove, UnknownStep, CompletionConflict, CorrelationMismatch)


@pytest.mark.parametrize("state", S)
def test_a_step_goes_where_the_table_says_and_nowhere_else(state: S) -> None:
    step = Step("a", state=state)
    for move, to in product(Move, S):
        if to in MOVES[state].get(move, ()):
            assert moved(step, move, to).state is to
        else:
            with pytest.raises(IllegalMove, match=f"'a' is {state}"):
                moved(step, move, to)
            assert step == Step("a", state=state)


def test_every_state_can_be_reached_and_left_but_for_the_ends() -> None:
    reached = {to for moves in MOVES.values() for targets in moves.values() for to in targets}
    assert reached | {S.PENDING} == set(S)
    assert {state for state, moves in MOVES.items() if not moves} == {S.COMPENSATED}
    assert {move for moves in MOVES.values() for move in moves} == set(Move)


def test_states_are_changed_by_moves_alone() -> None:
    core = Path(machine.__file__).parent
    offenders = [
        file.name for file in core.glob("*.py")
        if file.name != "moves.py" and re.search(r"evolve\([^)]*\bstate=", file.read_text(encoding="utf-8"))
    ]  # fmt: skip
    assert not offenders


def test_the_situations_know_every_state_of_a_step() -> None:
    seen = {step.state for make in SITUATIONS.values() for step in make().x.steps.values()}
    assert seen == set(S)


@pytest.mark.parametrize("name", SITUATIONS)
def test_whatever_befalls_it_is_a_move_a_repeat_or_refused(name: str) -> None:
    story = SITUATIONS[name]()
    x = story.x
    steps, ctx = dict(x.steps), dict(x.ctx)
    for pick in range(6):
        for event in (*likely(x, story.now, pick), *troubles(x, pick), *unlikely(x, pick)):
            try:
                machine.apply(x, event, story.now)
            except REFUSALS as error:
                assert str(error)  # noqa: PT017 - a refusal says why; most events are not refused
            assert (dict(x.steps), dict(x.ctx)) == (steps, ctx)
