"""The judge can say no: a sound story is taken for sound, and each planted violation is told by its kind."""

from dataclasses import replace

import pytest

import active_workflow as aw
from active_workflow.core.states import Phase, State, StepState
from active_workflow.testing import run_until_idle
from tests.chaos.judge import PARTNERS_ERROR, Kind, Lenience, Record, judge
from tests.ledger import Entry, Ledger

STRICT = Lenience()
LENIENT = Lenience(late=True, shared=True)


@pytest.fixture
def flows(monkeypatch, tmp_path):
    monkeypatch.setenv("CHAOS_LEDGER", str(tmp_path / "unused"))
    from tests.chaos import flows  # noqa: PLC0415 - it asks the environment where its ledger is

    monkeypatch.setattr(flows, "ledger", Ledger(tmp_path / "ledger"))
    monkeypatch.setattr(flows, "PACE", 0.0)
    return flows


@pytest.fixture
def story(flows, tmp_path):
    """Run a workflow for real, and give what the ledger and the store have of it."""

    def play(name, *, fails=False, between=lambda engine, id: None):
        with aw.Engine("memory://", embedded=False) as engine:
            x = engine.start(getattr(flows, name), {"fails": fails})
            run_until_idle(engine)
            between(engine, x.id)
            run_until_idle(engine)
            records = [
                Record(engine.load(y.id), fails and y.id == x.id, int(name == "Detached" and y.id == x.id))
                for y in engine.find()
            ]
            return list(Ledger(tmp_path / "ledger").entries()), records

    return play


def found(entries, records, lenience=STRICT):
    return {(violation.kind, violation.told) for violation in judge(entries, records, lenience).violations}


def kinds(entries, records, lenience=STRICT):
    return {kind for kind, _ in found(entries, records, lenience)}


def at(entries, step, phase):
    """Give the place of the first line of a step."""
    return next(n for n, e in enumerate(entries) if (e.step, e.phase) == (step, phase))


def said(id, step, what, payload, *answers):
    return [
        Entry(id, step, 0, 1, "say", {what: payload}),
        *(Entry(id, step, 0, 1, answer, {what: ""}) for answer in answers),
    ]


# --- Sound stories --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lenience", [STRICT, LENIENT])
@pytest.mark.parametrize(
    ("name", "fails"),
    [
        *(("Five", False), ("Five", True), ("Wide", True), ("Detached", False)),
        *(("Looked", True), ("Once", False), ("Point", False)),
    ],
)
def test_a_sound_story_is_sound(story, name, fails, lenience, monkeypatch):
    monkeypatch.setattr("tests.chaos.flows.share", lambda _text: 0.9)  # nothing is flaky
    assert found(*story(name, fails=fails), lenience) == set()


def test_a_sound_delivery_is_sound(story):
    entries, records = story(
        "Outside", between=lambda engine, id: engine.complete_step(id, "delivery", "tok-delivery")
    )
    entries += said(records[0].snapshot.id, "delivery", "delivery", "tok-delivery", "yes", "no")
    assert found(entries, records) == set()


def test_the_word_of_a_partner_who_fails_it_counts_beside_a_cancel_too(story):
    def fail_and_cancel(engine, id):
        engine.fail_step(id, "delivery", error_class=PARTNERS_ERROR)
        engine.cancel(id)

    entries, records = story("Outside", between=fail_and_cancel)
    x = records[0].snapshot
    entries += said(x.id, "delivery", "delivery_failed", "", "yes")
    step = x.steps["delivery"]
    cancelled = x.with_step(step.evolve(state=StepState.CANCELLED))
    assert not lost(entries, cancelled)
    unsaid = step.run.evolve(errors=())
    assert lost(entries, x.with_step(step.evolve(state=StepState.CANCELLED, run=unsaid)))


def lost(entries, x):
    return any("delivery did is not undone" in told for _, told in found(entries, [Record(x, True, 0)]))


# --- Planted violations ---------------------------------------------------------------------------------


def test_a_lost_execution(story):
    entries, records = story("Five")
    assert Kind.LOST in kinds(entries, [])
    unfinished = records[0].snapshot.evolve(phase=Phase.FORWARD, steps={})
    assert Kind.LOST in kinds(entries, [replace(records[0], snapshot=unfinished)])


def test_a_lost_outcome(story):
    entries, records = story("Five")
    x = records[0].snapshot
    lost = x.evolve(ctx={key: text for key, text in x.ctx.items() if key != "third"})
    assert Kind.LOST in kinds(entries, [replace(records[0], snapshot=lost)])


def test_an_outcome_that_nobody_made(story):
    entries, records = story("Five")
    x = records[0].snapshot
    other = x.evolve(ctx={**x.ctx, "fifth": '"tok-none"'})
    assert kinds(entries, [replace(records[0], snapshot=other)]) == {Kind.WRONG}


def test_an_outcome_recorded_twice(story):
    entries, records = story("Five")
    x = records[0].snapshot
    other = x.evolve(ctx={**x.ctx, "third": '"tok-other"'})
    third = at(entries, "third", "end")
    again = replace(entries[third], seen={"third": "tok-other"})
    entries.insert(third, again)
    assert Kind.TWICE in kinds(entries, [replace(records[0], snapshot=other)], LENIENT)


def test_a_recorded_step_that_ran_again(story):
    entries, records = story("Five")
    begin = entries[at(entries, "second", "begin")]
    assert Kind.TWICE in kinds([*entries, replace(begin, attempt=2)], records, LENIENT)
    assert Kind.TWICE in kinds([*entries, begin], records, LENIENT)


def test_a_late_call_is_legitimate_only_where_a_worker_stood_still(story):
    entries, records = story("Five")
    x = records[0].snapshot
    step = x.steps["second"]
    twice = x.with_step(step.evolve(run=step.run.evolve(attempts=2)))
    place = at(entries, "second", "begin")
    late = [*entries, entries[place], entries[place + 1]]
    late[place : place + 2] = [replace(line, attempt=2) for line in late[place : place + 2]]
    records = [replace(records[0], snapshot=twice)]
    assert found(late, records, LENIENT) == set()
    assert kinds(late, records, STRICT) == {Kind.TWICE, Kind.WRONG}


def test_a_step_that_began_too_early(story):
    entries, records = story("Five")
    first, third = at(entries, "first", "begin"), at(entries, "third", "begin")
    entries[third] = replace(entries[third], seen=entries[first].seen)
    assert kinds(entries, records) == {Kind.WRONG}


@pytest.mark.parametrize("lenience", [STRICT, LENIENT])
def test_an_undo_that_is_missing(story, lenience):
    entries, records = story("Five", fails=True)
    entries = [e for e in entries if not (e.step == "second" and e.phase.startswith("undo"))]
    assert Kind.LOST in kinds(entries, records, lenience)


def test_an_undo_out_of_order(story):
    entries, records = story("Five", fails=True)
    a, b = at(entries, "third", "undo-begin"), at(entries, "second", "undo-begin")
    entries[a : a + 2], entries[b : b + 2] = entries[b : b + 2], entries[a : a + 2]
    assert kinds(entries, records) == {Kind.WRONG}


def test_an_undo_of_something_else(story):
    entries, records = story("Five", fails=True)
    place = at(entries, "third", "undo-begin")
    entries[place] = replace(entries[place], seen={"third": "tok-other"})
    assert Kind.TWICE in kinds(entries, records)
    entries[place] = replace(entries[place], seen={})
    assert Kind.WRONG in kinds(entries, records)


def test_an_undo_though_nothing_failed(story):
    entries, records = story("Point")
    load = entries[at(entries, "load", "end")]
    assert Kind.WRONG in kinds([*entries, replace(load, phase="undo-begin")], records)


def test_a_step_that_began_after_the_undo(story):
    entries, records = story("Five", fails=True)
    begin = entries.pop(at(entries, "fifth", "begin"))
    assert kinds([*entries, begin], records) == {Kind.WRONG}


def test_a_cancel_that_was_answered_and_came_to_nothing(story):
    entries, records = story("Five")
    entries += said(records[0].snapshot.id, "cancel", "cancel", "", "yes")
    assert kinds(entries, records) == {Kind.WRONG}


def test_a_failure_that_nobody_asked_for(story):
    entries, records = story("Five", fails=True)
    assert kinds(entries, [replace(records[0], fails=False)]) == {Kind.WRONG}
    assert records[0].snapshot.state is State.FAILED


def test_a_completion_used_twice_or_lost(story):
    entries, records = story(
        "Outside", between=lambda engine, id: engine.complete_step(id, "delivery", "tok-delivery")
    )
    id = records[0].snapshot.id
    twice = [*entries, *said(id, "delivery", "delivery", "tok-delivery", "yes", "yes")]
    assert Kind.TWICE in kinds(twice, records)
    x = records[0].snapshot
    lost = x.evolve(ctx={key: text for key, text in x.ctx.items() if key != "delivery"})
    once = [*entries, *said(id, "delivery", "delivery", "tok-delivery", "yes")]
    assert Kind.LOST in kinds(once, [replace(records[0], snapshot=lost)])


def test_signals_out_of_order(story):
    def talk(engine, id):
        for number in (2, 1, 3):
            engine.signal(id, "word", f"tok-word-{number}")

    entries, records = story("Talk", between=talk)
    entries += said(records[0].snapshot.id, "word", "word_1", "tok-word-1", "yes")
    assert any("signals were taken" in told for _, told in found(entries, records))


def test_a_letter_sent_twice_and_a_charge_made_twice(story):
    entries, records = story("Once")
    begin = entries[at(entries, "letter", "begin")]
    assert Kind.TWICE in kinds([*entries, replace(begin, attempt=2)], records, LENIENT)
    entries, records = story("Looked")
    place = at(entries, "charge", "end")
    again = replace(entries[place], seen={"charge": "tok-other"})
    assert Kind.TWICE in kinds([*entries[:place], again, *entries[place:]], records)


def test_a_detached_step_that_was_lost_or_made_twice(story):
    entries, records = story("Detached")
    parent = next(record for record in records if record.children)
    rest = [record for record in records if record is not parent]
    assert Kind.LOST in kinds(entries, [*rest, replace(parent, children=0)])
    assert Kind.TWICE in kinds(entries, [*rest, replace(parent, children=2)])


def test_a_step_that_kills_without_end(story):
    entries, records = story("Five")
    entries = [entry for entry in entries if entry.step != "fifth"]
    first = entries[0]
    more = [Entry(first.execution, "deadly", number, number, "begin", {}) for number in range(1, 12)]
    plan = records[0].snapshot.plan
    deadly = replace(plan.by_name["fifth"], name="deadly")
    poisoned = replace(plan, steps=(*plan.steps[:4], deadly))
    poisoned = replace(records[0], snapshot=records[0].snapshot.evolve(plan=poisoned))
    assert any("deadly killed" in told for _, told in found([*entries, *more], [poisoned]))


def test_repeats_are_counted(story):
    entries, records = story("Five")
    assert judge(entries, records, STRICT).repeats == 0
    again = replace(entries[0], attempt=0)
    assert judge([again, *entries], records, STRICT).repeats == 1
