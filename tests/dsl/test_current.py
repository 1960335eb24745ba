import asyncio

import pytest

from active_workflow.dsl.current import Running, StepInfo, current, enter, leave, running
from active_workflow.dsl.verdict import NOT_LANDED, UNKNOWN, Landed, settled
from active_workflow.errors import MisuseError

INFO = StepInfo("e1", "charge", 2)


def test_current_tells_what_runs() -> None:
    token = enter(INFO)
    try:
        now = current()
        assert (now.execution_id, now.step_name, now.attempt, now.step_key) == (
            "e1",
            "charge",
            2,
            "e1:charge",
        )
    finally:
        leave(token)
    assert running() is None
    with pytest.raises(MisuseError, match="no step runs here"):
        current()


def test_tasks_don_t_see_each_other() -> None:
    async def step(name: str) -> str:
        token = enter(StepInfo("e1", name, 1))
        await asyncio.sleep(0)
        seen = current().step_name
        leave(token)
        return seen

    async def both() -> list[str]:
        return await asyncio.gather(step("a"), step("b"))

    assert asyncio.run(both()) == ["a", "b"]


def test_children_are_numbered_by_workflow_and_attempt() -> None:
    first = Running(INFO)
    keys = [first.child_key("Ship"), first.child_key("Bill"), first.child_key("Ship")]
    assert keys == ["e1:charge:Ship:1", "e1:charge:Bill:1", "e1:charge:Ship:2"]
    assert Running(INFO).child_key("Ship") == keys[0]


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        (Landed({"id": 1}), (True, {"id": 1})),
        (Landed(), (True, None)),
        (NOT_LANDED, (False, None)),
        (UNKNOWN, (None, None)),
        (True, (True, None)),
        (False, (False, None)),
        (None, (None, None)),
    ],
)
def test_what_verify_may_answer(answer: object, means: object) -> None:
    assert settled(answer) == means


def test_verify_may_answer_nothing_else() -> None:
    with pytest.raises(TypeError, match=r"return Landed\(result\), NOT_LANDED or UNKNOWN"):
        settled({"id": 1})
    assert (repr(NOT_LANDED), repr(UNKNOWN)) == ("NOT_LANDED", "UNKNOWN")
