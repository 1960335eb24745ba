"""What is written into rows, pinned: rows of every release must be readable by all later ones."""

import json
from contextlib import suppress
from dataclasses import fields

import pytest

from active_workflow.core.attempts import Completion, Failure, Run
from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.plan_data import sealed
from active_workflow.core.snapshot import Ending, Execution, Signal, Step
from active_workflow.core.states import Effect, Phase, State, StepState
from active_workflow.errors import CorruptRow
from active_workflow.store.codec import FORMAT, fixed_columns, moved_columns, read_execution
from active_workflow.store.plans import Plans
from active_workflow.store.queues import queue_of
from active_workflow.store.step_rows import read_step_row, step_row
from active_workflow.testing.store_contract import builders as make

PLAN = make.PLAN


def row_of(it: Execution) -> tuple[object, ...]:
    """Give the columns that are loaded, as the store would keep them."""
    (id, _, _, plan, parent_id, key, begun, *more) = fixed_columns(it)
    input_hash, tags, created_at, run_at, row_format = more
    _, _, active, marks, seq, started_at, completed_at = moved_columns(it)
    head = (id, plan, key, parent_id, begun, input_hash, tags, active, marks, seq, it.revision, it.token)
    return (*head, created_at, run_at, started_at, completed_at, row_format)


GOLDEN_STEP = (
    "x1",
    "charge",
    1,
    "failed",
    3,
    2,
    None,
    '{"a":1,"b":{"$aw":"gone"}}',
    '{"type":"Declined","message":"no \\ud800"}',
    10,
    30,
    None,
    None,
    None,
    None,
    None,
    (
        '{"effect":"unknown","run":{"failures":1,"errors":[{"number":2,"ended_at":30,"error":{"retryable":false,'
        '"type":"Declined","message":"no \\ud800"}}],"attempt_at":20}}'
    ),
)


def test_a_golden_step_row() -> None:
    failure = Failure("Declined", "no \ud800", retryable=False)
    run = Run(2, 1, started_at=10, attempt_at=20, errors=(make.Attempt(2, 30, failure),))
    step = Step(
        "charge", StepState.FAILED, Effect.UNKNOWN, run, seq=3, patch={"a": "1", "b": None}, finished_at=30
    )
    assert step_row(make.execution("x1"), step) == GOLDEN_STEP
    assert read_step_row(GOLDEN_STEP) == step


GOLDEN_ROW = (
    *("x1", PLAN.hash, "k", "p", '{"order_id":42,"name":"Ada"}', "h1", '{"team": "é"}'),
    (
        '{"charge":{"state":"running","run":{"attempts":1,"running":true,"started_at":7,"attempt_at":7}},'
        '"fulfil":{"early":{"payload":"1"}}}'
    ),
    (
        '{"phase":"undoing","ending":{"outcome":"failed","error":{"type":"E","message":"m"},"step":"charge","at":9},'
        '"signal_count":2,"signal_keys":["s"],"paused_at":8}'
    ),
    *(4, 5, 6, 1, 2, 3, None, 1),
)


def test_a_golden_execution_row() -> None:
    it = make.execution("x1", input={"order_id": "42", "name": '"Ada"'}, created_at=1, run_at=2)
    it = it.evolve(key="k", parent_id="p", tags={"team": "é"}, seq=4, revision=5, token=6, started_at=3)
    it = make.started(it, "charge", 7).with_step(Step("fulfil", early=Completion("1", None)))
    it = it.evolve(phase=Phase.UNDOING, ending=Ending(State.FAILED, Failure("E", "m"), "charge", 9))
    it = it.evolve(paused_at=8, signal_count=2, signal_keys=("s",), signals=(Signal(2, "n", "1", None, 5),))
    assert row_of(it) == GOLDEN_ROW
    assert read_execution(GOLDEN_ROW, [], [(2, "n", "1", None, 5)], PLAN) == it
    assert FORMAT == 1


def test_a_step_that_went_well_at_once_has_no_story() -> None:
    it = make.completed(make.started(make.execution("x1"), "reserve"), "reserve")
    assert step_row(it, it.steps["reserve"])[-1] is None


def test_every_field_of_a_snapshot_has_a_place() -> None:
    """A new field in the law must get a column or a place in the JSON: else it would be lost silently."""
    columns = {"name", "state", "seq", "result", "patch", "finished_at", "waiting_since", "timeout_at"}
    columns |= {"correlation_id", "heartbeat_at", "heartbeat", "run", "effect"}
    rest = {"undo", "undo_seq", "undo_patch", "keys", "payload", "early", "decided", "undo_waiting_since"}
    rest |= {"undone_at"}
    assert {item.name for item in fields(Step)} == columns | rest
    known = {"id", "plan", "input", "ctx", "input_hash", "created_at", "run_at", "tags", "key", "parent_id"}
    known |= {"steps", "seq", "signals", "revision", "token", "started_at", "completed_at"}
    marks = {"phase", "ending", "signal_count", "signal_keys", "paused_at", "blocked", "elsewhere", "overdue"}
    marks |= {"asked_under"}
    assert {item.name for item in fields(Execution)} == known | marks | {"cancel_requested_at"}
    assert len(fields(Run)) == 15


@pytest.mark.parametrize("column", [4, 6, 7, 8])
@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", '{"x":', '{"phase":"sideways"}', '{"charge":{"odd":1}}', None]
)
def test_a_row_that_cant_be_read_says_so(column: int, text: str | None) -> None:
    row = [*GOLDEN_ROW]
    row[column] = text
    with suppress(CorruptRow):  # and no other error
        read_execution(row, [], [], PLAN)


def test_a_step_that_the_plan_doesnt_have_is_corrupt() -> None:
    with pytest.raises(CorruptRow, match="x1"):
        read_execution(GOLDEN_ROW, [("x1", "unheard-of", *GOLDEN_STEP[2:])], [], PLAN)


def test_ctx_is_folded_in_the_order_of_outcomes() -> None:
    it = make.execution("x1", input={"a": "0"})
    it = make.completed(make.started(it, "charge"), "charge", {"a": "1", "b": "1"})
    it = make.completed(make.started(it, "reserve"), "reserve", {"a": "2"})
    it = make.waiting(make.started(it, "fulfil"), "fulfil", {"b": None, "c": "3"})
    it = make.undone(make.undone(it, "reserve", {"a": "8"}), "charge", {"a": "9"})
    rows = [step_row(it, it.steps[name]) for name in ("fulfil", "charge", "reserve")]
    back = read_execution(row_of(it), rows, [], PLAN)
    assert back.ctx == it.ctx == {"a": "9", "c": "3"}


# --- Queues and plans -----------------------------------------------------------------------------------

TWO_QUEUES = sealed(
    Plan(
        "Two",
        (
            StepPlan("nap", StepKind.SLEEP),
            StepPlan("one", after=("nap",), queue="a", compensates=True),
            StepPlan("two", after=("one",), queue="b", compensates=True),
        ),
    )
)


def test_the_queue_is_that_of_the_next_call() -> None:
    it = make.execution("x1", plan=TWO_QUEUES)
    assert queue_of(make.started(it, "one")) == "a"
    it = make.completed(make.started(it, "nap"), "nap")
    assert queue_of(it) == "a"
    it = make.completed(make.started(it, "one"), "one")
    assert queue_of(it) == "b"
    it = make.started(it, "two")
    assert queue_of(it) == "b"
    it = make.undoing(make.completed(it, "two"))
    assert queue_of(it) == "b"
    it = make.undone(it, "two")
    assert queue_of(it) == "a"
    assert queue_of(make.ended(make.undone(it, "one"))) in {"a", "b"}


def test_plans_are_read_once_and_broken_ones_stay_unknown() -> None:
    known, other = Plans(), Plans()
    body = known.body(PLAN)
    asked: list[list[str]] = []

    def fetch(hashes: list[str]) -> list[tuple[str, str]]:
        asked.append(hashes)
        return [(PLAN.hash, body), ("broken", "{"), ("later", json.dumps({"format": 99}))]

    for _ in range(2):
        other.learn([PLAN.hash, "broken"], fetch)
    assert asked == [sorted([PLAN.hash, "broken"]), ["broken"]]
    assert other.get(PLAN.hash) == PLAN
    assert other.get("broken") is None
    assert other.get("later") is None
