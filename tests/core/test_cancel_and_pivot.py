"""Cancel, the flow's own time, and the point of no return."""

import pytest

from active_workflow.core import events as ev
from active_workflow.core.commands import Compensate, RunStep
from active_workflow.core.retry import SECOND
from active_workflow.core.states import State
from active_workflow.core.states import StepState as S
from tests.core.making import FINAL, Story, call, chain, external, plan, signal, sleep, step, times

CANCEL = ev.CancelRequested("again")


# --- Cancel -----------------------------------------------------------------------------------------


def test_a_cancel_before_the_first_step_is_over_at_once() -> None:
    story = Story(chain("a"), run_at=5).cancel()
    assert (story.state, story.x.ending.error.message, story.x.cancel_requested_at) == (
        State.CANCELLED, "changed my mind", 0,
    )  # fmt: skip
    story.ignores(CANCEL)
    assert Story(chain("a")).tell(ev.CancelRequested()).x.ending.error.message == "cancelled"


def test_a_running_step_is_left_to_report_and_is_then_undone() -> None:
    story = Story(chain("a", "b", "c")).does("a").start("b").cancel().ignores(CANCEL)
    assert (story["b"].state, story.state, story.idle) == (S.RUNNING, State.RUNNING, True)
    story.returns("b")
    assert story.commands == [Compensate("b")]
    assert story.undoes("b", "a").state is State.CANCELLED


@pytest.mark.parametrize("end", ["fails", "runs out", "taken back", "skipped"])
def test_however_the_running_step_ends_it_ends_cancelled(end: str) -> None:
    story = Story(chain("a", call("b", compensates=False, retry=times(3)))).does("a").start("b").cancel()
    if end == "fails":
        story.fails("b")
    elif end == "runs out":
        story.runs_out("b")
    else:
        story.tell(ev.NotCalled("b", 1) if end == "taken back" else ev.Skipped("b", 1))
    assert story["b"].state is (S.SKIPPED if end == "skipped" else S.CANCELLED)
    assert story.undoes("a").state is State.CANCELLED


def test_nothing_more_starts_after_a_cancel() -> None:
    story = Story(plan(call("a"), call("b"), sleep("nap"), step("c", "b"))).start("a").cancel()
    assert (story.idle, story["nap"].state) == (True, S.WAITING)
    story.returns("a")
    assert (story["nap"].state, story["b"].run.attempts) == (S.CANCELLED, 0)


def test_a_wait_is_cancelled() -> None:
    story = Story(chain(signal("go", timeout=9), "b")).cancel()
    assert (story["go"].state, story["go"].timeout_at, story.state) == (S.CANCELLED, None, State.CANCELLED)


def test_a_cancel_ends_a_pause() -> None:
    story = Story(chain("a", "b")).does("a").tell(ev.Paused()).cancel()
    assert story.commands == [Compensate("a")]


def test_a_cancel_of_one_in_doubt_undoes_the_others() -> None:
    story = Story(chain("a", call("b", at_most_once=True))).does("a").start("b").loses_worker().cancel()
    assert (story.x.blocked, story.commands) == (None, [Compensate("a")])


def test_a_cancel_of_one_without_code_waits_for_code_if_there_is_something_to_undo() -> None:
    story = Story(chain("a", "b")).does("a").tell(ev.CodeMissing("not here")).cancel()
    assert (story.state, story.due, story.tell(ev.CodeFound()).commands) == (
        State.BLOCKED,
        0,
        [Compensate("a")],
    )
    assert Story(chain("a")).tell(ev.CodeMissing("not here")).cancel().state is State.CANCELLED


# --- The flow's own time ----------------------------------------------------------------------------


def test_a_flow_that_is_not_done_in_time_fails_and_is_undone() -> None:
    story = Story(chain("a", signal("go"), timeout=9 * SECOND), run_at=SECOND).after(1).does("a")
    assert story.due == 10 * SECOND
    story.wake(9)
    assert (story.x.ending.error.type, story.x.ending.step, story.commands) == (
        "TimeoutError",
        None,
        [Compensate("a")],
    )


def test_what_runs_when_the_flows_time_is_over_is_left_to_report() -> None:
    story = Story(chain("a", "b", timeout=9 * SECOND)).start("a").wake(9)
    assert (story["a"].state, story.x.ending.outcome) == (S.RUNNING, State.FAILED)
    assert story.returns("a").undoes("a").state is State.FAILED


def test_a_flow_in_doubt_times_out_as_well() -> None:
    story = (
        Story(chain("z", call("a", at_most_once=True), timeout=9 * SECOND))
        .does("z")
        .start("a")
        .loses_worker()
    )
    assert (story.state, story.due) == (State.BLOCKED, 9 * SECOND)
    assert story.wake(9).undoes("z").state is State.COMPENSATION_FAILED


# --- The pivot --------------------------------------------------------------------------------------


def pivotal(of: str = "call", **options: object) -> Story:
    pivot = (external if of == "external" else call)("p", pivot=True, **options)
    return Story(chain("a", pivot, call("b", retry=times(1)), "c", timeout=9 * SECOND)).does("a")


def test_before_the_pivot_starts_all_is_undone() -> None:
    assert pivotal().cancel().commands == [Compensate("a")]


@pytest.mark.parametrize(
    "story",
    [
        pivotal().start("p"),
        pivotal().does("p"),
        pivotal(retry=times(2), timeout=SECOND).start("p").runs_out("p"),
        pivotal().start("p").loses_worker(),
        pivotal(at_most_once=True).start("p").loses_worker(),
        pivotal("external").does("p"),
        pivotal("external", timeout=SECOND, retry=times(2)).does("p").wake(1),
        pivotal().does("p").start("b").fails("b", FINAL),
    ],
)
def test_from_its_first_start_until_it_is_known_to_have_failed_cancel_is_refused(story: Story) -> None:
    story.ignores(CANCEL)


@pytest.mark.parametrize(
    "story",
    [
        pivotal(retry=times(2)).start("p").fails("p"),
        pivotal().start("p").tell(ev.NotCalled("p", 1)),
        pivotal().start("p").tell(ev.Skipped("p", 1)),
        pivotal("external", retry=times(2)).does("p").reject("p"),
    ],
)
def test_once_it_is_known_not_to_have_landed_cancel_is_taken(story: Story) -> None:
    assert story.cancel().commands == [Compensate("a")]


def test_a_pivot_that_fails_is_undone_like_any_step() -> None:
    assert pivotal().start("p").fails("p").commands == [Compensate("a")]
    assert pivotal("external").does("p").reject("p").commands == [Compensate("a")]


def test_a_pivot_of_unknown_outcome_is_in_doubt_and_not_undone() -> None:
    for story in (
        pivotal(timeout=SECOND).start("p").runs_out("p"),
        pivotal(verifies=True, timeout=SECOND).start("p").runs_out("p").verified("p", landed=None),
    ):
        assert (story["p"].state, story.state) == (S.IN_DOUBT, State.BLOCKED)
    story = pivotal(verifies=True, timeout=SECOND).start("p").runs_out("p").verified("p", landed=False)
    assert (story["p"].state, story.commands) == (S.TIMED_OUT, [Compensate("a")])


def test_a_step_that_fails_past_the_pivot_blocks_it() -> None:
    story = pivotal().does("p").start("b").fails("b")
    assert (story.state, story.x.ending, story["b"].state) == (State.BLOCKED, None, S.FAILED)
    assert "'b' failed for good past the pivot" in story.x.blocked.reason


def test_past_the_pivot_the_flows_time_is_only_told() -> None:
    story = pivotal().does("p").wake(9)
    assert (story.x.overdue, story.commands) == (True, [RunStep("b")])
    story.start("b").fails("b")
    assert (story.state, story.due) == (State.BLOCKED, None)


def test_a_flow_whose_time_is_over_while_the_pivot_runs_fails_if_the_pivot_did() -> None:
    story = pivotal(retry=times(5)).start("p").wake(9)
    assert (story.x.overdue, story.x.ending) == (True, None)
    story.fails("p")
    assert (story.x.ending.error.type, story.commands) == ("TimeoutError", [Compensate("a")])


# --- Out of a block past the pivot ------------------------------------------------------------------


def blocked() -> Story:
    return pivotal().does("p").start("b").fails("b")


def test_a_blocked_step_can_be_retried() -> None:
    story = blocked().tell(ev.RetryRequested())
    assert (story["b"].state, story["b"].run.failures, story.commands) == (S.PENDING, 0, [RunStep("b")])
    assert story.does("b", "c").state is State.COMPLETED
    story.ignores(ev.RetryRequested())


def test_a_blocked_step_can_be_resolved() -> None:
    story = blocked().tell(ev.Resolved("b", landed=True, result="1", patch={"n": "1"}))
    assert (story["b"].state, story["b"].result, story.x.ctx["n"], story.commands) == (
        S.COMPLETED, "1", "1", [RunStep("c")],
    )  # fmt: skip
    assert blocked().tell(ev.Resolved("b", landed=False)).commands == [RunStep("b")]
    assert blocked().tell(ev.Resolved("b", skip=True)).commands == [RunStep("c")]


def test_each_of_two_blocked_steps_has_to_be_seen_to() -> None:
    flow = plan(call("p", pivot=True), call("a", after=("p",)), call("b", after=("p",)))
    story = Story(flow).does("p").start("a", "b").fails("a").fails("b")
    assert "'a', 'b'" in story.x.blocked.reason
    story.tell(ev.Resolved("a", skip=True))
    assert (story.state, "'b'" in story.x.blocked.reason) == (State.BLOCKED, True)
    assert story.tell(ev.Resolved("b", skip=True)).state is State.COMPLETED


def test_a_wait_that_timed_out_past_the_pivot_waits_again() -> None:
    flow = chain(call("p", pivot=True), signal("go", timeout=5 * SECOND), "b")
    story = Story(flow).does("p").wake(5)
    assert (story["go"].state, story.state) == (S.TIMED_OUT, State.BLOCKED)
    story.signal("go", "1")
    assert story["go"].state is S.TIMED_OUT, "kept, as it may wait again"
    story.tell(ev.RetryRequested())
    assert (story["go"].state, story.commands) == (S.COMPLETED, [RunStep("b")])
    story = Story(flow).does("p").wake(5).tell(ev.RetryRequested())
    assert (story["go"].state, story.due) == (S.WAITING, 10 * SECOND)


def test_an_outcome_keeps_its_number_when_it_is_tried_again() -> None:
    flow = plan(call("p", pivot=True), external("a", after=("p",), timeout=SECOND), call("b", after=("p",)))
    story = Story(flow).does("p", "a").start("b").wake(1).returns("b")
    story.tell(ev.RetryRequested()).does("a").complete("a")
    assert ([story[name].seq for name in "pab"], story.x.seq, story.state) == ([1, 2, 3], 3, State.COMPLETED)


def test_a_wait_that_goes_on_without_its_signal_is_not_retried_with_what_blocks() -> None:
    late = signal("go", timeout=5 * SECOND, on_timeout="continue", after=("p",))
    story = Story(plan(call("p", pivot=True), late, call("b", after=("p",)))).does("p").wake(5)
    story.start("b").fails("b").tell(ev.RetryRequested())
    assert (story["go"].state, story["b"].state) == (S.TIMED_OUT, S.PENDING)


def test_the_time_of_a_sibling_goes_on_while_it_is_blocked() -> None:
    flow = plan(
        call("p", pivot=True),
        call("a", after=("p",)),
        sleep("nap", 5 * SECOND, after=("p",)),
        step("c", "nap"),
    )
    story = Story(flow).does("p").start("a").fails("a")
    assert (story.state, story.due) == (State.BLOCKED, 5 * SECOND)
    assert (story.wake(5)["nap"].state, story.state, story.due) == (S.COMPLETED, State.BLOCKED, None)


def test_a_condition_that_failed_past_the_pivot_is_asked_again() -> None:
    story = Story(chain(call("p", pivot=True), signal("go", decides=True))).does("p")
    story.tell(ev.DecideFailed("go", FINAL)).tell(ev.RetryRequested()).tell(ev.Decided("go", go=True))
    assert story["go"].state is S.WAITING
