"""Undoing: order, retries, failing undos, external undos, what is left for an operator."""

import pytest

from active_workflow.core import events as ev
from active_workflow.core.commands import Compensate, Done, WaitUntil
from active_workflow.core.retry import SECOND
from active_workflow.core.states import Effect, State
from active_workflow.core.states import StepState as S
from active_workflow.errors import CorrelationMismatch, IllegalMove
from tests.core.making import ERROR, FINAL, Story, call, chain, plan, step, times


def failing(**options: object) -> Story:
    """A flow of three whose last step has failed; the options are the second one's."""
    return Story(chain("z", call("a", **options), "b")).does("z", "a").start("b").fails("b", FINAL)


def test_completed_steps_are_undone_in_reverse_one_at_a_time() -> None:
    story = failing()
    assert (story.state, story.commands) == (State.COMPENSATING, [Compensate("a")])
    story.undo_starts("a")
    with pytest.raises(IllegalMove):
        story.undo_starts("z")
    assert story.idle
    story.undo_returns("a", a_undone="1")
    assert (story.commands, story.x.ctx["a_undone"]) == ([Compensate("z")], "1")
    story.undoes("z")
    assert (story.state, story.commands, story.x.ending.error) == (State.FAILED, [Done()], FINAL)
    assert story.states("z", "a", "b") == [S.COMPENSATED, S.COMPENSATED, S.FAILED]
    assert [story["a"].undo_seq, story["z"].undo_seq, story["a"].effect] == [3, 4, Effect.UNDONE]


def test_steps_without_a_compensation_are_passed_by() -> None:
    assert failing(compensates=False).commands == [Compensate("z")]
    assert Story(chain(step("a"), step("b"))).does("a").start("b").fails("b").state is State.FAILED


def test_an_undo_told_again_changes_nothing() -> None:
    story = failing().undo_starts("a")
    story.ignores(ev.Started("a", undo=True, attempt=1))
    story.ignores(ev.Returned("a", 2, undo=True)).ignores(ev.Failed("a", 2, ERROR, undo=True))
    story.ignores(ev.RanOut("a", 2, undo=True)).ignores(ev.NotCalled("a", 2, undo=True))
    story.undo_returns("a").ignores(ev.Returned("a", 1, undo=True)).ignores(
        ev.Failed("a", 1, ERROR, undo=True)
    )


def test_an_undo_is_tried_again_by_its_own_policy_else_the_steps() -> None:
    for options in ({"undo_retry": times(2, 3 * SECOND)}, {"retry": times(2, 3 * SECOND)}):
        story = failing(**options).undo_starts("a").undo_fails("a", ERROR)
        assert (story["a"].state, story.commands) == (S.COMPENSATING, [WaitUntil(3 * SECOND)])
        story.after(3).undo_starts("a").undo_fails("a", ERROR)
        assert story["a"].state is S.COMPENSATION_FAILED
    assert failing(retry=times(2), undo_retry=()).undo_starts("a").undo_fails("a", ERROR)["a"].state is (
        S.COMPENSATION_FAILED
    )


def test_an_undo_that_fails_for_good_does_not_stop_the_others() -> None:
    story = failing().undo_starts("a").undo_fails("a")
    assert (story.state, story.commands) == (State.COMPENSATING, [Compensate("z")])
    story.undoes("z")
    assert (story.state, story.due, story.x.stalled) == (State.COMPENSATION_FAILED, None, True)
    assert story["a"].error == FINAL


def test_a_failed_undo_can_be_retried() -> None:
    story = failing(undo_retry=times(1)).undo_starts("a").undo_fails("a")
    story.ignores(ev.RetryRequested())
    story.undoes("z").tell(ev.RetryRequested())
    assert (story["a"].state, story.state, story.commands) == (
        S.COMPENSATING,
        State.COMPENSATING,
        [Compensate("a")],
    )
    assert story.undoes("a").state is State.FAILED


def test_a_failed_undo_can_be_done_by_hand() -> None:
    story = failing().undo_starts("a").undo_fails("a").undoes("z").tell(ev.Resolved("a", undone=True))
    assert (story["a"].state, story.state) == (S.COMPENSATED, State.FAILED)
    story.ignores(ev.Resolved("a", undone=True))
    with pytest.raises(IllegalMove, match="has not failed"):
        failing().tell(ev.Resolved("a", undone=True))


def test_an_undo_whose_worker_is_lost_runs_again_until_it_has_lost_too_many() -> None:
    story = failing(max_interruptions=1).undo_starts("a")
    story.loses_worker().undo_starts("a").loses_worker()
    assert (story["a"].undo.is_suspect, story.commands) == (True, [Compensate("a")])
    story.undo_starts("a").loses_worker()
    assert (story["a"].state, story["a"].error.type) == (S.COMPENSATION_FAILED, "Interrupted")


def test_an_undo_taken_back_never_was() -> None:
    story = failing().undo_starts("a").tell(ev.NotCalled("a", 1, undo=True))
    assert (story["a"].undo.attempts, story.commands) == (0, [Compensate("a")])


def test_an_undo_that_runs_out_of_time_is_tried_again_once_its_thread_has_ended() -> None:
    story = failing(undo_timeout=5 * SECOND, undo_retry=times(2, 1)).undo_starts("a")
    story.tell(ev.RanOut("a", 1, undo=True))
    assert (story["a"].state, story.due) == (S.COMPENSATING, 5 * SECOND)
    story.undo_fails("a", ERROR)
    assert (story["a"].undo.failures, story.due) == (1, 1)


def test_a_late_return_of_an_undo_counts_even_after_it_failed_for_good() -> None:
    story = failing(timeout=5 * SECOND).undo_starts("a").tell(ev.RanOut("a", 1, undo=True))
    assert (story["a"].state, story.due) == (S.COMPENSATION_FAILED, 5 * SECOND)
    story.undo_returns("a")
    assert (story["a"].state, story.commands) == (S.COMPENSATED, [Compensate("z")])


def test_a_retry_of_an_undo_waits_for_its_thread_as_well() -> None:
    story = Story(chain(call("a", timeout=9 * SECOND), "b")).does("a").start("b").fails("b", FINAL)
    story.undo_starts("a").tell(ev.RanOut("a", 1, undo=True)).tell(ev.RetryRequested())
    assert (story["a"].state, story.due) == (S.COMPENSATING, 9 * SECOND)
    story.loses_worker()
    assert story.commands == [Compensate("a")]


def test_an_undo_that_returned_has_undone_even_if_its_ctx_cannot_be_recorded() -> None:
    story = failing().undo_starts("a").undo_fails("a", returned=True)
    assert (story["a"].state, story["a"].error) == (S.COMPENSATED, FINAL)


def test_undo_is_not_cancelled_and_has_no_flow_timeout() -> None:
    story = Story(chain("a", "b", timeout=9 * SECOND)).does("a").start("b").fails("b", FINAL)
    story.ignores(ev.CancelRequested()).wake(99)
    assert (story.x.ending.outcome, story.x.overdue) == (State.FAILED, False)


def test_ctx_is_the_input_the_patches_and_then_the_undos_however_late_they_come() -> None:
    story = Story(chain("z", call("a", at_most_once=True), "b")).does("z").start("a").cancel().loses_worker()
    story.undo_starts("z").undo_returns("z", n="0")
    story.tell(ev.Resolved("a", landed=True, result="1", patch={"n": "1", "m": "1"}))
    assert (story.x.ctx["n"], story.x.ctx["m"]) == ("0", "1")


# --- External undos ---------------------------------------------------------------------------------


def external(**options: object) -> Story:
    return failing(undo_external=True, undo_timeout=5 * SECOND, **options).undo_starts("a")


def test_an_external_undo_waits_for_its_completion() -> None:
    story = external().undo_returns("a", refund="7")
    assert (story["a"].state, story.state, story.due, story.x.ctx["refund"]) == (
        S.COMPENSATING, State.COMPENSATING, 5 * SECOND, "7",
    )  # fmt: skip
    assert story.idle
    story.complete("a", "1", "k")
    assert (story["a"].state, story["a"].keys, story.commands) == (S.COMPENSATED, ("k",), [Compensate("z")])
    story.ignores(ev.Completed("a", "1", "k"))


def test_one_without_a_limit_waits_for_ever() -> None:
    assert failing(undo_external=True).undo_starts("a").undo_returns("a").due is None


@pytest.mark.parametrize("end", ["returns", "fails", "runs_out", "loses"])
def test_an_early_completion_of_an_undo_counts(end: str) -> None:
    story = external().complete("a", "1", "k")
    assert story["a"].state is S.COMPENSATING
    ends = {
        "returns": lambda: story.undo_returns("a"),
        "fails": lambda: story.undo_fails("a"),
        "runs_out": lambda: story.tell(ev.RanOut("a", 1, undo=True)),
        "loses": story.loses_worker,
    }
    ends[end]()
    assert story["a"].state is S.COMPENSATED


@pytest.mark.parametrize("end", ["returns", "fails", "runs_out"])
def test_an_early_failure_of_an_undo_counts_once(end: str) -> None:
    story = external(undo_retry=times(2)).reject("a", "k")
    ends = {
        "returns": lambda: story.undo_returns("a"),
        "fails": lambda: story.undo_fails("a", ERROR),
        "runs_out": lambda: story.tell(ev.RanOut("a", 1, stopped=True, undo=True)),
    }
    ends[end]()
    assert (story["a"].state, story["a"].undo.failures, story["a"].keys) == (S.COMPENSATING, 1, ("k",))
    story.ignores(ev.Rejected("a", ERROR, "k"))


def test_an_undo_that_its_partner_fails_or_never_completes_is_tried_again() -> None:
    for told in ("reject", "wake"):
        story = external(undo_retry=times(2)).undo_returns("a")
        story.reject("a") if told == "reject" else story.wake(5)
        assert (story["a"].state, story["a"].undo_waiting_since) == (S.COMPENSATING, None)
        story.ignores(ev.Rejected("a", ERROR))
        assert story.after(1).commands == [Compensate("a")]
        assert story.complete("a").commands == [Compensate("z")], "a completion ends the delay"


def test_a_completion_of_an_undo_must_match_what_its_call_returned() -> None:
    story = external().tell(ev.Returned("a", 1, None, {}, "c1", undo=True))
    with pytest.raises(CorrelationMismatch):
        story.complete("a", "1", id="c2")
    assert story.complete("a", "1", id="c1")["a"].state is S.COMPENSATED


def test_a_late_return_of_an_external_undo_waits_for_its_completion() -> None:
    story = external().tell(ev.RanOut("a", 1, undo=True)).undo_returns("a")
    assert (story["a"].state, story["a"].undo_waiting_since, story["a"].undo.failures) == (
        S.COMPENSATING,
        0,
        0,
    )


def test_an_undo_not_begun_takes_no_completion() -> None:
    story = failing(undo_external=True).ignores(ev.Completed("a", "1"))
    story.undo_starts("a").tell(ev.NotCalled("a", 1, undo=True)).ignores(ev.Completed("a", "1"))


def test_an_undo_that_has_begun_is_finished_before_one_that_turns_up_later() -> None:
    flow = plan(call("a", at_most_once=True), call("b", undo_retry=times(2)))
    story = Story(flow).does("b").start("a").cancel().loses_worker().undo_starts("b").undo_fails("b", ERROR)
    story.tell(ev.Resolved("a", landed=True))
    assert story.after(1).commands == [Compensate("b")]
    assert story.undoes("b").commands == [Compensate("a")]
