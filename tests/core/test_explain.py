"""Executions in plain words, and what a cancel would undo."""

import pytest

from active_workflow.core import events as ev
from active_workflow.core.explain import PlannedUndo, UndoHow, explain, plan_cancel
from active_workflow.core.instants import DAY, HOUR, MINUTE, span, utc, when
from active_workflow.core.retry import SECOND
from tests.core.making import ERROR, Story, call, chain, external, plan, signal, sleep, times
from tests.core.situations import SITUATIONS


def said(story: Story, lease: tuple[str, int] | None = None) -> str:
    return explain(story.x, story.now, lease)


@pytest.mark.parametrize("name", SITUATIONS)
def test_there_is_something_to_say_in_every_situation(name: str) -> None:
    story = SITUATIONS[name]()
    lines = said(story).splitlines()
    assert lines[0] == f"Flow x is {story.state}."
    assert all(line.endswith(".") and "None" not in line for line in lines[1:])
    assert all(isinstance(item, PlannedUndo) and item.reason for item in plan_cancel(story.x))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("new", ["'a' is ready to start", "nothing to undo", "No worker holds it", "It has been due"]),
        ("scheduled", ["'a' starts at 1970-01-01 00:00:09 UTC (in 9 s)"]),
        ("running", ["'a' runs: attempt 1, started at 1970-01-01 00:00:00 UTC"]),
        ("between attempts", ["attempt 2 at 1970-01-01 00:00:01 UTC (in 1 s) after Boom: it broke"]),
        ("interrupted", ["attempt 2 as soon as a worker has room after it lost its worker 1 times"]),
        ("to verify", ["Nobody knows what attempt 1 of 'a' did: verify is asked next"]),
        ("in doubt", ["resolve it with landed=True or False", "It is blocked"]),
        ("waits", ["waits for complete_step; its time is over at 1970-01-01 00:00:01 UTC"]),
        ("waits for a signal", ["waits for the signal 'go'"]),
        ("sleeps", ["'nap' sleeps until 1970-01-01 00:00:10 UTC (in 10 s)", "looks at it again"]),
        ("cancel requested", ["It will end cancelled", "What runs is left to report"]),
        (
            "undoing",
            ["The undo of 'a' comes next", "Still to undo: a (undo: it is completed)", "will end failed"],
        ),
        ("undo runs", ["The undo of 'a' runs: attempt 1"]),
        ("undo between attempts", ["comes next at 1970-01-01 00:00:03 UTC (in 3 s)"]),
        ("undo waits", ["The undo of 'a' waits for complete_step; its time is over at"]),
        ("undo failed", ["The undo of 'a' failed for good with NonRetryable: no use", "a (stuck:"]),
        ("paused", ["An operator paused it at 1970-01-01 00:00:00 UTC"]),
        ("blocked past its pivot", ["A cancel now would be refused: 'p' is the point of no return"]),
        ("completed", ["It was over at 1970-01-01 00:00:00 UTC"]),
        ("cancelled", ["It was cancelled: changed my mind"]),
        ("undone", ["Step 'b' failed with NonRetryable: no use"]),
    ],
)
def test_what_is_said(name: str, words: list[str]) -> None:
    text = said(SITUATIONS[name]())
    assert [word for word in words if word not in text] == [], text


def test_who_holds_it_and_how_its_time_stands() -> None:
    story = Story(chain("a", signal("go"), timeout=9 * SECOND)).does("a")
    text = said(story, ("worker-1", 5 * SECOND))
    assert "Worker worker-1 holds it, its lease is good until 1970-01-01 00:00:05 UTC (in 5 s)." in text
    assert "The flow's own time is over at 1970-01-01 00:00:09 UTC (in 9 s)." in text
    late = Story(chain(call("p", pivot=True), signal("go"), timeout=SECOND)).does("p").wake(2)
    assert "The flow's own time was over at 1970-01-01 00:00:01 UTC (1 s ago)." in said(late)
    assert "No timer is set" in said(late)


def test_whoever_holds_it_sees_to_it_and_nobody_is_said_to_be_late() -> None:
    story = Story(chain("a", "b")).start("a")
    assert "has been due" not in said(story, ("worker-1", 5 * SECOND))


def test_why_it_is_blocked_by_its_code_or_ended_by_its_own_time() -> None:
    blocked = Story(chain("a")).tell(ev.CodeMissing("step 'a' is gone"))
    assert "Step 'a' is held up by that" in said(blocked)
    assert "It goes on when a worker has the code for it." in said(blocked)
    late = Story(chain("a", signal("go"), timeout=SECOND)).does("a").wake(2)
    assert "The cause is TimeoutError: " in said(late)


def test_heartbeats_and_correlation_ids_are_told() -> None:
    story = (
        Story(chain(external("a", heartbeat_timeout=5 * SECOND)))
        .start("a")
        .tell(ev.Returned("a", 1, None, {}, "c1"))
    )
    text = said(story)
    assert "(correlation id c1); it needs a heartbeat before 1970-01-01 00:00:05 UTC" in text


def test_an_error_without_words_and_undos_that_wait_for_ever() -> None:
    story = Story(chain(call("a", undo_external=True), "b")).does("a").start("b").fails("b").undo_starts("a")
    assert "waits for complete_step." in said(story.undo_returns("a"))
    quiet = Story(chain("a", call("b", retry=times(2)))).does("a").start("b")
    assert "after Boom." in said(quiet.fails("b", ev.Failure("Boom", "")))
    failed = Story(chain("a", "b")).does("a").cancel().undo_starts("a").undo_fails("a")
    failed.x = failed.x.with_step(failed["a"].evolve(undo=failed["a"].undo.evolve(errors=())))
    assert "failed for good: retry" in said(failed)


# --- Before the button is pressed -------------------------------------------------------------------


def planned(story: Story) -> list[tuple[str, UndoHow]]:
    return [(item.step, item.how) for item in plan_cancel(story.x)]


def test_what_a_cancel_would_undo_in_order() -> None:
    flow = chain(
        "a",
        call("b", no_undo="it is only a read", compensates=False),
        call("c", compensates=False),
        external("d"),
    )
    story = Story(flow).does("a", "b", "c", "d")
    assert planned(story) == [
        ("d", UndoHow.UNDO), ("a", UndoHow.UNDO), ("b", UndoHow.NOTHING), ("c", UndoHow.NOTHING),
    ]  # fmt: skip
    assert [item.reason for item in plan_cancel(story.x)] == [
        "it was begun elsewhere and is not over", "it is completed",
        "needs no compensation: it is only a read", "it has no compensation",
    ]  # fmt: skip


def test_what_is_found_out_first() -> None:
    flow = plan(
        call("a"),
        call("b", compensates=False),
        call("c"),
        call("d", verifies=True),
        call("e", at_most_once=True),
    )
    story = Story(flow).start("c", "d", "e").loses_worker().start("a", "b")
    assert planned(story) == [
        ("a", UndoHow.SETTLE_FIRST), ("b", UndoHow.NOTHING), ("c", UndoHow.SETTLE_FIRST),
        ("d", UndoHow.SETTLE_FIRST), ("e", UndoHow.IN_DOUBT),
    ]  # fmt: skip
    reasons = [item.reason for item in plan_cancel(story.x)]
    assert "once more with the same step_key" in reasons[2]
    assert "its verify is asked" in reasons[3]


def test_an_attempt_is_undone_where_the_plan_says_so() -> None:
    story = Story(chain(call("a", compensate_on="attempted", retry=times(2)))).start("a").fails("a", ERROR)
    assert [item.reason for item in plan_cancel(story.x)] == ["it was attempted"]


def test_what_is_still_to_come_once_it_undoes() -> None:
    assert [i.reason for i in plan_cancel(SITUATIONS["undo runs"]().x)] == ["its compensation is under way"]
    assert planned(SITUATIONS["settling"]()) == [("a", UndoHow.SETTLE_FIRST)]


def test_nothing_of_one_that_is_over_or_has_only_waited() -> None:
    assert planned(Story(chain("a")).does("a")) == []
    assert planned(Story(chain(sleep("nap"), "a"))) == []


def test_asking_changes_nothing() -> None:
    story = Story(chain("a", "b")).does("a")
    before = dict(story.x.steps)
    plan_cancel(story.x)
    assert story.x.steps == before


# --- Instants ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "words"),
    [
        (0, "1970-01-01 00:00:00 UTC"),
        (-1, "1969-12-31 23:59:59 UTC"),
        (1_709_210_096 * SECOND, "2024-02-29 12:34:56 UTC"),
        (951_868_799 * SECOND, "2000-02-29 23:59:59 UTC"),
        (4_107_542_400 * SECOND, "2100-03-01 00:00:00 UTC"),
        (1_798_761_599 * SECOND, "2026-12-31 23:59:59 UTC"),
    ],
)
def test_instants_in_utc(instant: int, words: str) -> None:
    assert utc(instant) == words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (-5, "0 ms"), (250_000, "250 ms"), (SECOND, "1 s"), (3 * MINUTE, "3 min"),
        (90 * SECOND, "1 min 30 s"),
        (HOUR + 30 * MINUTE, "1 h 30 min"), (20 * HOUR + MINUTE, "20 h"), (2 * DAY, "2 d"),
    ],
)  # fmt: skip
def test_spans(length: int, words: str) -> None:
    assert span(length) == words


def test_how_far_off_an_instant_is() -> None:
    assert when(3 * MINUTE, 0) == "1970-01-01 00:03:00 UTC (in 3 min)"
    assert when(0, 3 * MINUTE) == "1970-01-01 00:00:00 UTC (3 min ago)"
