"""The broken sagas are caught, each for what is wrong with it; their mended twins hold."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from active_workflow.testing import Ledger, explore

BROKEN = Path(__file__).parents[2] / "examples" / "broken"
CASES = {
    "forgotten_key": ("ForgottenKey", "RememberedKey", "charge_card did charge 2 times", "crash 2"),
    "missing_undo": ("MissingUndo", "WithUndo", "what reserve_stock did is not undone", "fail book_courier"),
    "undo_twice": ("UndoTwice", "UndoOnce", "refund -99 (no key), refund -99", "fail book_courier; crash 6"),
    "key_from_later": ("KeyFromLater", "KeyOfItsOwn", "ctx has no key 'parcel'", "fail book_courier"),
    "two_effects": ("TwoEffects", "OneEffectEach", "completed, and the books say charge +99", "crash 2"),
}
"""Of each file: the broken saga, its twin, what is told of it, and by which schedule."""


def load(name):
    spec = importlib.util.spec_from_file_location(f"broken_{name}", BROKEN / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prove(module, name, **more):
    ledger = getattr(module, "bank", None) or module.shop
    invariant = getattr(module, "who_has_paid_gets_a_parcel", Ledger.all_or_nothing)
    return explore(getattr(module, name), {"total": 99}, world=ledger.reset, invariant=invariant, **more)


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return (load(request.param), *CASES[request.param])


def test_the_broken_one_is_caught_by_its_name(case):
    module, broken, _, told, schedule = case
    with pytest.raises(AssertionError) as caught:
        prove(module, broken)
    message = str(caught.value)
    assert message.startswith(f"{broken} breaks the invariant: ")
    assert told in message
    assert f'explore({broken}, …, replay="{schedule}")' in message


def test_the_schedule_that_it_names_breaks_it_alone(case):
    module, broken, _, told, schedule = case
    with pytest.raises(AssertionError, match="the first that was tried") as caught:
        prove(module, broken, replay=schedule)
    assert told in str(caught.value)


def test_its_twin_holds(case):
    module, _, mended, *_ = case
    found = prove(module, mended)
    assert found.complete
    assert set(found.ends) == {"completed", "failed", "cancelled"}


def test_a_twin_holds_even_with_two_crashes():
    found = prove(load("undo_twice"), "UndoOnce", max_crashes=2, cancel=False)
    assert found.crashes[2] > found.crashes[1] > found.crashes[0]
    assert sum(found.crashes.values()) == found.schedules


def test_there_is_a_case_for_each_file():
    assert {path.stem for path in BROKEN.glob("*.py")} == {*CASES, "sound"}


def test_a_sound_checkout_holds():
    found = load("sound").prove()
    assert found.schedules > 300
    assert set(found.ends) == {"completed", "failed", "cancelled"}


def test_they_run_as_scripts():
    command = [sys.executable, str(BROKEN / "undo_twice.py")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "schedules (" in ran.stdout
    assert "dies before it records: charge_card undone" in ran.stderr
