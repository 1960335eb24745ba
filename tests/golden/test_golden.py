"""What earlier versions stored is read, shown as it was, and brought to its end by today's code.

``python -m tests.golden.make`` writes the files of a new row format. Those that are here stay as they are: if
one of these tests fails after a change, the change would break users' databases.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from active_workflow.core.plan_data import plan_from_data
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import State, StepState
from active_workflow.store import Store, open_store
from active_workflow.store.base import NewExecution, Query
from active_workflow.store.codec import (
    FIXED,
    FORMAT,
    LOADED,
    MOVED,
    fixed_columns,
    moved_columns,
    read_execution,
)
from active_workflow.store.step_rows import STEP_COLUMNS, step_row
from active_workflow.testing.store_contract.builders import execution
from tests.golden.ending import ACTS, ENDS, finish_all
from tests.golden.kinds import KINDS, SERVERS
from tests.golden.make import folder_of, shown, write
from tests.golden.stories import STORIES, UNUSUAL, Clock, open_engine

FORMATS = sorted(int(folder.name.partition("-")[2]) for folder in Path(__file__).parent.glob("format-*"))
ALL = [
    pytest.param(
        (number, name), marks=[pytest.mark.services] if name in SERVERS else [], id=f"{number}-{name}"
    )
    for number in FORMATS
    for name in KINDS
]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stored(request: pytest.FixtureRequest, clock: Clock) -> Iterator[tuple[int, Store]]:
    """A store made of a golden file, and its format."""
    number, name = request.param
    kind = KINDS[name]
    url = kind.empty(request)
    kind.restore(url, (folder_of(number) / kind.file).read_text(encoding="utf-8"))
    store = open_store(url, clock.micros)
    store.prepare()
    yield number, store
    store.close()


def read_json(number: int, file: str) -> Any:
    return json.loads((folder_of(number) / file).read_text(encoding="utf-8"))


def test_the_present_format_is_on_file() -> None:
    assert FORMATS[-1] == FORMAT, "run: python -m tests.golden.make"
    assert list(range(1, FORMAT + 1)) == FORMATS


def test_what_is_on_file_is_never_written_again() -> None:
    with pytest.raises(SystemExit, match="stays as it is"):
        write(FORMAT, {})


def test_the_stories_reach_every_state() -> None:
    told = read_json(FORMAT, "shown.json")
    assert {it["state"] for it in told} == set(State)
    assert {step["state"] for it in told for step in it["steps"].values()} == set(StepState)
    assert {it["tags"]["story"] for it in told} == set(STORIES)
    assert set(ACTS) | set(ENDS) <= set(STORIES)
    text = (folder_of(FORMAT) / "rows.json").read_text()
    written = set(re.findall(r'\$aw\\*":\\*"([a-z]+)', text))
    assert len(written) >= 11, written  # every kind of value that JSON has no word for
    assert len(UNUSUAL) > len(written)


@pytest.mark.parametrize("stored", ALL, indirect=True)
def test_it_is_shown_as_it_was(stored, clock) -> None:
    number, store = stored
    with open_engine(store, clock) as engine:
        now = shown(engine)
    for earlier, it in zip(read_json(number, "shown.json"), now, strict=True):
        _check_told(earlier, it, earlier["id"])


def _check_told(earlier: Any, now: Any, where: str) -> None:
    """Everything that was told is told today; there may be more."""
    if isinstance(earlier, dict):
        for key, value in earlier.items():
            assert key in now, f"{where}: {key} is gone"
            _check_told(value, now[key], f"{where}.{key}")
    else:
        assert now == earlier, where


@pytest.mark.parametrize("stored", ALL, indirect=True)
def test_find_tells_them_apart(stored, clock) -> None:
    number, store = stored
    told = read_json(number, "shown.json")
    with open_engine(store, clock) as engine:
        for name in STORIES:
            wanted = [it["id"] for it in told if it["tags"]["story"] == name]
            assert [x.id for x in engine.find(tags={"story": name, "é": "😀"})] == wanted
        for state in State:
            assert [x.id for x in engine.find(state=state)] == [i["id"] for i in told if i["state"] == state]


@pytest.mark.parametrize("stored", ALL, indirect=True)
def test_every_one_of_them_ends(stored, clock) -> None:
    _, store = stored
    with open_engine(store, clock) as engine:
        finish_all(engine, clock)


@pytest.mark.parametrize("stored", ALL, indirect=True)
def test_keys_are_held_by_the_last_who_took_them(stored) -> None:
    _, store = stored
    by = {x.tags["story"]: x.id for x in store.find(Query(limit=1000)) if x.parent_id is None}
    keys = {"again": "took_the_key_over", "done": "completed", "k é": "pending"}
    new = [NewExecution(execution(f"y{n}", key=key)) for n, key in enumerate(keys)]
    holders = [answer.holder and answer.holder.id for answer in store.insert(new)]
    assert holders == [by[name] for name in keys.values()]


# --- Rows alone -------------------------------------------------------------------------------------


def _read_rows(number: int) -> list[tuple[Execution, dict[str, Any]]]:
    rows = read_json(number, "rows.json")
    plans = {digest: plan_from_data(json.loads(body)) for digest, body in rows["plans"].items()}
    if number == FORMAT:
        assert (rows["columns"], rows["step_columns"]) == (LOADED, list(STEP_COLUMNS))
    return [
        (read_execution(it["row"], it["steps"], it["signals"], plans[it["row"][1]]), it)
        for it in rows["executions"]
    ]


@pytest.mark.parametrize("stored", ALL, indirect=True)
def test_rows_are_read_alike_from_every_store(stored) -> None:
    number, store = stored
    assert store.find(Query(limit=1000)) == [x for x, _ in _read_rows(number)]


def test_plans_keep_their_hashes() -> None:
    for number in FORMATS:
        for x, it in _read_rows(number):
            assert x.plan.hash == it["row"][1]


def test_today_the_same_is_written() -> None:
    """Else the layout has changed, and needs a new ``FORMAT`` and files of its own."""
    for x, it in _read_rows(FORMAT):
        written = dict(zip((*FIXED, *MOVED), (*fixed_columns(x), *moved_columns(x)), strict=True))
        row = dict(zip(LOADED, it["row"], strict=True))
        assert {key: row[key] for key in row if key in written} == {
            key: written[key] for key in row if key in written
        }
        steps = {row[1]: row for row in it["steps"]}
        for step in x.steps.values():
            if not step.active:
                assert list(step_row(x, step)) == steps[step.name]
