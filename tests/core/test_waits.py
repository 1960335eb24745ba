"""Waits for signals, sleeps, their conditions and timeouts; detached steps."""

import pytest

from active_workflow.core import events as ev
from active_workflow.core.change import change_between
from active_workflow.core.commands import Compensate, Decide, RunStep, WaitUntil
from active_workflow.core.plan import StepKind
from active_workflow.core.retry import SECOND
from active_workflow.core.states import State
from active_workflow.core.states import StepState as S
from active_workflow.errors import UnknownSignal
from tests.core.making import ERROR, FINAL, Story, call, chain, detached, plan, signal, sleep, times


def approval(**options: object) -> Story:
    return Story(chain("z", signal("go", **options), "b")).does("z")


# --- Signals ----------------------------------------------------------------------------------------


def test_a_wait_begins_by_itself_and_a_signal_ends_it() -> None:
    story = approval()
    assert (story["go"].state, story.state, story.due) == (S.WAITING, State.WAITING, None)
    story.signal("go", "5", "k")
    assert (story["go"].state, story["go"].result, story.x.ctx["go"]) == (S.COMPLETED, "5", "5")
    assert (story.x.signals, story.x.signal_count, story.x.signal_keys) == ((), 1, ("k",))
    assert story.does("b").state is State.COMPLETED
    assert approval(store_as="yes").signal("go", "5").x.ctx["yes"] == "5"


def test_a_signal_before_its_wait_is_kept() -> None:
    story = Story(chain("z", signal("go"), "b")).signal("go", "5")
    assert [s.number for s in story.x.signals] == [1]
    story.does("z")
    assert (story["go"].state, story.x.signals, story.x.ctx["go"]) == (S.COMPLETED, (), "5")


def test_a_signal_told_again_by_its_key_changes_nothing() -> None:
    again = ev.Signalled("go", "5", "k")
    Story(chain("z", signal("go"), "b")).tell(again).ignores(again)
    Story(plan(signal("go"), signal("g2", "go"))).tell(again).ignores(again)


def test_signals_are_taken_in_the_order_in_which_they_came() -> None:
    flow = chain("z", signal("first", "go"), signal("second", "go"))
    story = Story(flow).signal("go", "1").signal("go", "2").does("z")
    assert [story["first"].payload, story["second"].payload, story.state] == ["1", "2", State.COMPLETED]


def test_a_wait_takes_the_first_of_several_signals() -> None:
    story = Story(chain("z", signal("answer", "yes", "no"))).signal("no", "0").signal("yes", "1").does("z")
    assert (story["answer"].payload, [s.name for s in story.x.signals]) == ("0", ["yes"])
    assert Story(chain(signal("answer", "yes", "no"))).signal("yes", "1").state is State.COMPLETED


def test_a_signal_that_nobody_will_take_any_more_comes_too_late() -> None:
    approval().signal("go").ignores(ev.Signalled("go", "1"))
    approval().cancel().ignores(ev.Signalled("go", "1"))
    Story(plan(signal("go"), call("b"))).start("b").cancel().ignores(ev.Signalled("go", "1"))


def test_an_unknown_signal_is_told_with_those_there_are() -> None:
    with pytest.raises(UnknownSignal, match="it waits for: go"):
        approval().signal("stop")
    with pytest.raises(UnknownSignal, match="it waits for: none"):
        Story(chain("a")).signal("stop")


def test_a_wait_that_times_out_fails_the_flow() -> None:
    story = approval(timeout=5 * SECOND)
    assert story.due == 5 * SECOND
    story.wake(4)
    assert story["go"].state is S.WAITING
    story.wake(1)
    assert (story["go"].state, story.x.ending.error.type, story.commands) == (
        S.TIMED_OUT,
        "TimeoutError",
        [Compensate("z")],
    )


def test_a_wait_may_go_on_without_its_signal() -> None:
    story = approval(timeout=5 * SECOND, on_timeout="continue").wake(5)
    assert (story["go"].state, story["go"].error, story.commands) == (S.TIMED_OUT, None, [RunStep("b")])
    assert story.ignores(ev.Signalled("go", "1")).does("b").state is State.COMPLETED


def test_a_signal_whose_payload_contradicts_a_sibling_is_a_conflict() -> None:
    story = (
        Story(plan(call("b"), signal("go", store_as="n"))).start("b").returns("b", n="1").signal("go", "2")
    )
    assert (story["go"].state, story["go"].error.type, story.commands) == (
        S.FAILED,
        "ContextConflict",
        [Compensate("b")],
    )
    flow = plan(call("z"), call("b"), signal("go", after=("z",), store_as="n"), signal("more", after=("z",)))
    story = Story(flow).signal("go", "2").start("b").returns("b", n="1").does("z")
    assert (story["go"].state, story.state) == (S.FAILED, State.COMPENSATING), "also where it was kept for it"


def test_a_paused_execution_takes_signals_and_begins_nothing() -> None:
    story = Story(chain("z", signal("go"), "b")).start("z").tell(ev.Paused()).returns("z")
    assert (story["go"].state, story.state) == (S.PENDING, State.PAUSED)
    story.signal("go", "1").tell(ev.Resumed())
    assert story["go"].state is S.COMPLETED
    story = approval(timeout=SECOND).tell(ev.Paused()).wake(9)
    assert story["go"].state is S.WAITING, "no timer fires"
    assert story.signal("go")["go"].state is S.COMPLETED


# --- Conditions -------------------------------------------------------------------------------------


def test_the_condition_of_a_wait_is_asked_once_its_turn_has_come() -> None:
    story = Story(chain("z", signal("go", decides=True), "b")).ignores(ev.Decided("go", go=True))
    story.does("z")
    assert (story.commands, story.due) == ([Decide("go")], 0)
    story.tell(ev.Decided("go", go=True)).ignores(ev.Decided("go", go=False))
    assert story["go"].state is S.WAITING


def test_a_wait_that_is_not_needed_is_skipped() -> None:
    story = Story(chain(signal("go", decides=True), "b")).tell(ev.Decided("go", go=False))
    assert (story["go"].state, story["go"].decided, story.commands) == (S.SKIPPED, False, [RunStep("b")])
    assert story.x.started_at == 0


def test_a_condition_that_raises_fails_the_step_or_is_asked_again() -> None:
    story = Story(chain("z", signal("go", decides=True))).does("z").tell(ev.DecideFailed("go", ERROR))
    assert (story["go"].state, story.commands) == (S.FAILED, [Compensate("z")])
    story.ignores(ev.DecideFailed("go", ERROR))
    story = Story(chain(signal("go", decides=True, retry=times(2)))).tell(ev.DecideFailed("go", ERROR))
    assert (story["go"].state, story.commands) == (S.PENDING, [WaitUntil(SECOND)])
    assert story.after(1).commands == [Decide("go")]
    assert story.tell(ev.Decided("go", go=True))["go"].state is S.WAITING


@pytest.mark.parametrize("event", [ev.Decided("go", go=True), ev.DecideFailed("go", ERROR)])
def test_an_answer_that_comes_too_late_begins_nothing(event: ev.Event) -> None:
    Story(chain(signal("go", decides=True))).cancel().ignores(event)
    Story(plan(signal("go", decides=True), call("b"))).start("b").cancel().ignores(event)
    Story(chain("go")).ignores(event)


def test_an_answer_while_paused_is_kept() -> None:
    story = Story(chain(signal("go", decides=True))).tell(ev.Paused()).tell(ev.Decided("go", go=True))
    assert (story["go"].state, story.tell(ev.Resumed())["go"].state) == (S.PENDING, S.WAITING)


# --- Sleeps -----------------------------------------------------------------------------------------


def test_a_sleep_ends_when_its_time_has_come() -> None:
    story = Story(chain("z", sleep("nap", 5 * SECOND), "b")).after(1).does("z")
    assert (story["nap"].state, story.due) == (S.WAITING, 6 * SECOND)
    assert story.wake(5).commands == [RunStep("b")]


def test_a_sleep_until_an_instant_that_its_code_gave() -> None:
    flow = chain(sleep("nap", None, decides=True), "b")
    assert Story(flow).tell(ev.Decided("nap", go=True, until=7 * SECOND)).due == 7 * SECOND
    assert Story(flow).after(8).tell(ev.Decided("nap", go=True, until=7 * SECOND)).commands == [RunStep("b")]


def test_a_sleep_that_nobody_gave_an_end_is_over_at_once() -> None:
    assert Story(chain(sleep("nap", None), "b")).commands == [RunStep("b")]


def test_due_timers_fire_in_order_of_time_then_of_the_plan() -> None:
    flow = plan(sleep("c", 2), sleep("a", 3), sleep("b", 2), signal("go", timeout=9))
    story = Story(flow).after(1).tell(ev.Wake())
    assert sorted("abc", key=lambda name: story[name].seq or 0) == ["c", "b", "a"]


def test_a_first_wait_of_a_later_start_begins_then() -> None:
    story = Story(chain(sleep("nap", 5 * SECOND), "b"), run_at=3 * SECOND)
    assert (story.x.steps, story.due, story.state) == ({}, 3 * SECOND, State.PENDING)
    assert story.wake(3).due == 8 * SECOND
    story = Story(chain(signal("go"), "b"), run_at=3 * SECOND).signal("go")
    assert (story["go"].state, story.wake(3)["go"].state) == (S.PENDING, S.COMPLETED)


# --- Detached steps ---------------------------------------------------------------------------------


def test_a_detached_step_becomes_an_execution_of_its_own() -> None:
    story = Story(chain("z", detached("mail"), "b"), tags={"team": "x"}).start("z")
    before = story.x
    story.returns("z", None, n="1")
    assert (story["mail"].state, story.commands) == (S.COMPLETED, [RunStep("b")])
    (child,) = change_between(before, story.x).children
    assert (child.id, child.parent_id, child.ctx, child.tags) == ("x.mail", "x", story.x.ctx, {"team": "x"})
    assert [(s.name, s.kind, s.after) for s in child.plan.steps] == [("mail", StepKind.CALL, ())]
    assert change_between(story.x, story.does("b").x).children == ()


def test_a_detached_step_is_inserted_even_where_its_condition_was_asked_in_an_earlier_commit() -> None:
    story = (
        Story(chain(detached("mail", decides=True), "b")).tell(ev.Paused()).tell(ev.Decided("mail", go=True))
    )
    before = story.x
    (child,) = change_between(before, story.tell(ev.Resumed()).x).children
    assert not child.plan.steps[0].decides, "and is not asked again"


def test_a_flow_that_begins_with_a_detached_step_waits_for_a_worker() -> None:
    story = Story(chain(detached("mail"), sleep("nap"), "b"))
    assert (story.x.steps, story.due) == ({}, 0)
    assert story.wake()["nap"].state is S.WAITING


def test_a_failing_sibling_leaves_what_was_detached_alone() -> None:
    story = Story(plan(detached("mail"), call("b"))).wake().start("b").fails("b", FINAL)
    assert (story["mail"].state, story.state) == (S.COMPLETED, State.FAILED)
