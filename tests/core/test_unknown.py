"""Attempts of unknown outcome: lost workers, suspects, timeouts, late returns, verify, at most once."""

import pytest

from active_workflow.core import events as ev
from active_workflow.core.commands import Compensate, RunStep, Verify, WaitUntil
from active_workflow.core.retry import SECOND
from active_workflow.core.states import Effect, State
from active_workflow.core.states import StepState as S
from active_workflow.errors import IllegalMove
from tests.core.making import ERROR, FINAL, Story, call, chain, external, plan, times


def one(**options: object) -> Story:
    return Story(chain("z", call("a", **options), "b")).does("z").start("a")


# --- Lost workers -----------------------------------------------------------------------------------


def test_an_interrupted_attempt_runs_again_and_uses_up_nothing_of_max() -> None:
    story = one().loses_worker()
    assert (story["a"].state, story["a"].run.attempts, story["a"].run.failures) == (S.PENDING, 1, 0)
    assert (story.state, story.commands) == (State.RUNNING, [RunStep("a")])
    assert story.does("a", "b").state is State.COMPLETED


def test_a_lost_worker_is_told_once() -> None:
    story = one()
    lost = ev.WorkerLost(frozenset({("a", False, 1)}))
    story.tell(lost).ignores(lost).ignores(ev.WorkerLost()).start("a").ignores(lost)


def test_a_step_interrupted_twice_in_a_row_is_a_suspect_and_only_then_strikes_count() -> None:
    story = one(max_interruptions=2)
    for suspect in (False, False, True):
        assert (story["a"].run.suspect, story["a"].run.strikes) == (suspect, 0)
        if not suspect:
            story.loses_worker().start("a")
    story.loses_worker()
    assert (story["a"].run.is_suspect, story["a"].run.strikes) == (True, 1)
    story.start("a").loses_worker()
    assert (story["a"].state, story["a"].effect, story["a"].error.type) == (
        S.FAILED,
        Effect.UNKNOWN,
        "Interrupted",
    )
    assert story.commands == [RunStep("a")], "what it did is found out before the undo"


def test_a_step_that_ends_by_itself_is_no_suspect_any_more() -> None:
    story = one(retry=times(3)).loses_worker().start("a").loses_worker().start("a").fails("a")
    assert not story["a"].run.is_suspect


def test_a_taken_back_suspect_still_is_one() -> None:
    story = one().loses_worker().start("a").loses_worker().start("a").tell(ev.NotCalled("a", 3))
    assert (story["a"].run.is_suspect, story["a"].run.suspect) == (True, False)


# --- Timeouts and late returns ----------------------------------------------------------------------


def test_a_timed_out_coroutine_is_tried_again_after_its_delay() -> None:
    story = one(timeout=SECOND, retry=times(2, 3 * SECOND)).runs_out("a")
    assert (story["a"].effect, story["a"].run.failures, story.commands) == (
        Effect.UNKNOWN, 1, [WaitUntil(3 * SECOND)],
    )  # fmt: skip
    assert story.after(3).does("a", "b").state is State.COMPLETED


@pytest.mark.parametrize(("options", "held"), [({"abandon_after": 9 * SECOND}, 9), ({}, 4)])
def test_a_timed_out_thread_holds_up_the_next_attempt_until_abandoned(
    options: dict[str, int], held: int
) -> None:
    story = one(timeout=4 * SECOND, retry=times(2), **options).runs_out("a", stopped=False)
    with pytest.raises(IllegalMove):
        story.after(held - 1).start("a")
    assert story.after(1).commands == [RunStep("a")]


def test_a_late_return_settles_the_attempt_while_nothing_has_started_after_it() -> None:
    late = ev.Returned("a", 1, '"late"', {"n": "1"})
    story = one(timeout=SECOND, retry=times(2)).runs_out("a", stopped=False)
    assert story.tell(late)["a"].state is S.COMPLETED
    assert (story["a"].result, story.x.ctx["n"], story["a"].run.failures) == ('"late"', "1", 0)
    story = one(timeout=SECOND, retry=times(2)).runs_out("a", stopped=False).after(1).start("a").ignores(late)
    one(timeout=SECOND, retry=times(2)).runs_out("a", stopped=False).loses_worker().ignores(late)


def test_a_late_error_says_that_it_did_not_land_and_counts_once() -> None:
    story = one(timeout=SECOND, retry=times(3, 5 * SECOND)).runs_out("a", stopped=False).fails("a")
    assert (story["a"].effect, story["a"].run.failures, story.due) == (Effect.NONE, 1, 5 * SECOND)


def test_a_late_error_that_no_attempt_would_help_fails_the_step() -> None:
    story = one(timeout=SECOND, retry=times(3)).runs_out("a", stopped=False).fails("a", FINAL)
    assert (story["a"].state, story.commands) == (S.FAILED, [Compensate("z")])


def test_a_late_return_of_a_step_that_timed_out_for_good_is_undone_with_its_result() -> None:
    story = one(timeout=SECOND).runs_out("a", stopped=False)
    assert (story["a"].state, story.idle, story.due) == (S.TIMED_OUT, True, SECOND)
    story.returns("a", '"late"', n="1")
    assert (story["a"].state, story["a"].result, story.x.ctx["n"]) == (S.TIMED_OUT, '"late"', "1")
    assert story.commands == [Compensate("a")]
    assert story.undoes("a", "z").state is State.FAILED


def test_a_late_result_that_cannot_be_recorded_is_undone_without_it() -> None:
    story = one(timeout=SECOND).runs_out("a", stopped=False).fails("a", returned=True)
    assert story.commands == [Compensate("a")]
    story = one(timeout=SECOND, retry=times(2)).runs_out("a", stopped=False).fails("a", returned=True)
    assert (story["a"].state, story["a"].run.failures, story.commands) == (S.FAILED, 1, [Compensate("a")])


def test_a_late_error_of_a_step_that_timed_out_for_good_leaves_nothing_to_undo() -> None:
    story = one(timeout=SECOND).runs_out("a", stopped=False).fails("a")
    assert (story["a"].state, story["a"].effect, story.commands) == (
        S.TIMED_OUT,
        Effect.NONE,
        [Compensate("z")],
    )


def test_an_undo_waits_for_any_thread_that_may_still_run() -> None:
    story = one(timeout=SECOND, compensates=False).runs_out("a", stopped=False)
    with pytest.raises(IllegalMove):
        story.undo_starts("z")
    assert story.due == SECOND
    assert story.after(1).undoes("z").state is State.FAILED


def test_nothing_a_thread_says_counts_once_its_execution_is_over() -> None:
    story = Story(chain(call("a", timeout=SECOND, compensates=False))).start("a").runs_out("a", stopped=False)
    assert story.state is State.FAILED
    assert not story["a"].active
    story.ignores(ev.Returned("a", 1, None, {"n": "1"})).ignores(ev.Failed("a", 1, ERROR))


# --- Verify -----------------------------------------------------------------------------------------


def test_verify_is_asked_before_the_step_runs_again() -> None:
    story = one(verifies=True).loses_worker()
    assert story.commands == [Verify("a")]
    with pytest.raises(IllegalMove):
        story.start("a")


def test_verify_that_says_landed_completes_the_step() -> None:
    story = one(verifies=True).loses_worker().verified("a", landed=True, result='"r"', patch={"n": "1"})
    assert (story["a"].state, story["a"].result, story.x.ctx["n"]) == (S.COMPLETED, '"r"', "1")
    story.ignores(ev.Verified("a", 1, landed=True))


def test_verify_that_says_landed_has_an_external_step_wait() -> None:
    story = Story(chain(external("a", verifies=True))).start("a").loses_worker().verified("a", landed=True)
    assert story["a"].state is S.WAITING


def test_verify_that_says_not_landed_or_unknown_has_it_run_again() -> None:
    for answer, effect in ((False, Effect.NONE), (None, Effect.UNKNOWN)):
        story = one(verifies=True).loses_worker().verified("a", landed=answer)
        assert (story["a"].effect, story.commands) == (effect, [RunStep("a")])
        story.ignores(ev.Verified("a", 1, landed=answer))


def test_verify_is_asked_even_when_no_further_attempt_is_allowed() -> None:
    assert one(verifies=True, timeout=SECOND).runs_out("a").commands == [Verify("a")]
    landed = one(verifies=True, timeout=SECOND).runs_out("a").verified("a", landed=True)
    assert landed["a"].state is S.COMPLETED
    not_landed = one(verifies=True, timeout=SECOND).runs_out("a").verified("a", landed=False)
    assert (not_landed["a"].state, not_landed.commands) == (S.TIMED_OUT, [Compensate("z")])
    unknown = one(verifies=True, timeout=SECOND).runs_out("a").verified("a", landed=None)
    assert (unknown["a"].state, unknown.commands) == (S.TIMED_OUT, [Verify("a")])


def test_verify_is_asked_as_soon_as_the_thread_has_ended_and_not_after_the_retry_delay() -> None:
    story = one(verifies=True, timeout=SECOND, retry=times(2, 9 * SECOND)).runs_out("a", stopped=False)
    assert (story.idle, story.due) == (True, SECOND)
    assert story.after(1).commands == [Verify("a")]
    story.verified("a", landed=False)
    assert story.commands == [WaitUntil(9 * SECOND)]


def test_a_failing_verify_is_asked_again_by_the_steps_policy_and_then_counts_as_unknown() -> None:
    story = one(verifies=True, retry=times(2, 3 * SECOND)).loses_worker()
    failed = ev.VerifyFailed("a", 1, ERROR, doubts=0)
    story.tell(failed).ignores(failed)
    assert (story.commands, story["a"].run.failures) == ([WaitUntil(3 * SECOND)], 0)
    story.after(3).tell(ev.VerifyFailed("a", 1, ERROR))
    assert (story["a"].effect, story.commands) == (Effect.UNKNOWN, [RunStep("a")])


def test_a_verify_that_failed_does_not_hide_that_the_attempts_are_used_up() -> None:
    story = (
        one(verifies=True, timeout=SECOND, retry=times(2)).runs_out("a").tell(ev.VerifyFailed("a", 1, ERROR))
    )
    story.after(1).verified("a", landed=None).start("a").runs_out("a")
    story.tell(ev.VerifyFailed("a", 2, ERROR)).after(1).verified("a", landed=None)
    assert story["a"].state is S.TIMED_OUT


@pytest.mark.parametrize("answer", [False, None])
def test_a_suspect_with_verify_fails_for_good_once_it_has_too_many_strikes(answer: bool | None) -> None:
    story = one(verifies=True, max_interruptions=1)
    for _ in range(2):
        story.loses_worker().verified("a", landed=answer).start("a")
    story.loses_worker()
    assert story.commands == [Verify("a")]
    assert story.verified("a", landed=answer)["a"].state is S.FAILED


def test_while_something_else_runs_before_the_undo_verify_may_still_answer() -> None:
    for answer in (True, False, None):
        story = Story(plan(call("a", verifies=True), call("b"))).start("a", "b").loses_worker().start("b")
        story.cancel().verified("a", landed=answer)
        assert story["a"].state is (S.COMPLETED if answer else S.PENDING)


# --- At most once -----------------------------------------------------------------------------------


def test_a_step_to_run_at_most_once_is_in_doubt_after_an_unknown_outcome() -> None:
    for story in (
        one(at_most_once=True).loses_worker(),
        one(at_most_once=True, timeout=SECOND, retry=times(5)).runs_out("a"),
        one(at_most_once=True, verifies=True).loses_worker().verified("a", landed=None),
    ):
        assert (story["a"].state, story.state, story.due) == (S.IN_DOUBT, State.BLOCKED, None)
        assert "a did" in story.x.blocked.reason


def test_a_step_to_run_at_most_once_is_tried_again_after_an_error() -> None:
    assert one(at_most_once=True, retry=times(2)).fails("a").after(1).commands == [RunStep("a")]


def test_in_doubt_is_told_only_when_nothing_else_is_to_do() -> None:
    flow = plan(call("a", at_most_once=True), call("b"), call("c"))
    story = Story(flow).start("a", "b").tell(ev.WorkerLost(frozenset({("a", False, 1)})))
    assert (story["a"].state, story.state) == (S.IN_DOUBT, State.RUNNING)
    story.returns("b")
    assert story.state is State.RUNNING
    assert story.does("c").state is State.BLOCKED


def test_a_thread_that_may_still_answer_is_waited_for_before_a_person_is_asked() -> None:
    story = one(at_most_once=True, timeout=4 * SECOND).runs_out("a", stopped=False)
    assert (story["a"].state, story.state, story.due) == (S.IN_DOUBT, State.WAITING, 4 * SECOND)
    assert story.wake(4).state is State.BLOCKED
    story.returns("a")
    assert (story["a"].state, story.state) == (S.COMPLETED, State.RUNNING)


def test_a_late_error_ends_the_doubt() -> None:
    story = one(at_most_once=True, timeout=SECOND, retry=times(2)).runs_out("a", stopped=False).fails("a")
    assert (story["a"].state, story["a"].run.failures, story.after(1).commands) == (
        S.PENDING,
        1,
        [RunStep("a")],
    )


def test_a_transactional_step_that_lost_its_worker_has_not_landed() -> None:
    story = one(transactional=True, at_most_once=True).loses_worker()
    assert (story["a"].effect, story.commands) == (Effect.NONE, [RunStep("a")])
    story = one(transactional=True).cancel().loses_worker()
    assert (story["a"].state, story.commands) == (S.CANCELLED, [Compensate("z")])
    story = one(transactional=True, timeout=SECOND).runs_out("a")
    assert (story["a"].state, story["a"].effect) == (S.TIMED_OUT, Effect.NONE)


# --- Settling before the undo -----------------------------------------------------------------------


def cut(**options: object) -> Story:
    return one(**options).cancel().loses_worker()


def test_an_unknown_attempt_runs_once_more_before_the_undo_to_learn_whether_it_landed() -> None:
    story = cut()
    assert (story["a"].state, story.commands) == (S.CANCELLED, [RunStep("a")])
    story.start("a").returns("a", '"r"')
    assert (story["a"].state, story.commands) == (S.COMPLETED, [Compensate("a")])
    assert story.undoes("a", "z").state is State.CANCELLED


def test_an_error_of_that_attempt_means_that_it_did_not_land() -> None:
    story = cut().start("a").fails("a")
    assert (story["a"].state, story.commands) == (S.FAILED, [Compensate("z")])


def test_unknown_once_more_is_in_doubt_and_the_other_undos_go_on() -> None:
    for story in (cut().start("a").loses_worker(), cut(timeout=SECOND).start("a").runs_out("a")):
        assert (story["a"].state, story.state, story.commands) == (
            S.IN_DOUBT,
            State.COMPENSATING,
            [Compensate("z")],
        )
        assert story.undoes("z").state is State.COMPENSATION_FAILED
    story = cut().start("a").tell(ev.Skipped("a", 2))
    assert story["a"].state is S.IN_DOUBT, "its condition says nothing about what the first attempt did"


def test_the_attempt_that_settles_can_be_taken_back() -> None:
    story = cut().start("a").tell(ev.NotCalled("a", 2))
    assert (story["a"].state, story.commands) == (S.CANCELLED, [RunStep("a")])
    story = one(timeout=SECOND).runs_out("a").start("a").tell(ev.NotCalled("a", 2))
    assert (story["a"].state, story.commands) == (S.TIMED_OUT, [RunStep("a")])


def test_a_conflict_of_the_attempt_that_settles_is_undone_too() -> None:
    story = Story(plan(call("a"), call("b"))).start("a", "b").returns("b", n="1").cancel().loses_worker()
    story.start("a").returns("a", n="2")
    assert (story["a"].error.type, story.commands) == ("ContextConflict", [Compensate("a")])


def test_an_external_step_is_initiated_once_more_to_settle_and_undone_with_what_that_returns() -> None:
    story = (
        Story(chain(external("a"))).start("a").cancel().loses_worker().start("a").returns("a", "7", job="7")
    )
    assert (story["a"].state, story["a"].result, story.commands) == (S.CANCELLED, "7", [Compensate("a")])


def test_verify_settles_before_the_undo() -> None:
    assert cut(verifies=True).commands == [Verify("a")]
    story = cut(verifies=True).verified("a", landed=True, result='"r"')
    assert (story["a"].result, story.commands) == ('"r"', [Compensate("a")])
    assert cut(verifies=True).verified("a", landed=False).commands == [Compensate("z")]
    assert cut(verifies=True).verified("a", landed=None)["a"].state is S.IN_DOUBT
    assert cut(verifies=True).tell(ev.VerifyFailed("a", 1, ERROR))["a"].state is S.IN_DOUBT


def test_verify_is_asked_again_before_the_undo_about_what_it_did_not_know() -> None:
    story = one(verifies=True).loses_worker().verified("a", landed=None).cancel()
    assert story.commands == [Verify("a")]
    assert story.verified("a", landed=True).commands == [Compensate("a")]


def test_a_step_to_run_at_most_once_is_in_doubt_before_the_undo() -> None:
    story = cut(at_most_once=True)
    assert (story["a"].state, story.undoes("z").state) == (S.IN_DOUBT, State.COMPENSATION_FAILED)
    assert cut(at_most_once=True, verifies=True).commands == [Verify("a")]


def test_doubt_about_a_step_without_undo_holds_up_nothing() -> None:
    assert cut(at_most_once=True, compensates=False).undoes("z").state is State.CANCELLED
    assert (
        one(at_most_once=True, compensates=False).loses_worker().cancel().undoes("z").state is State.CANCELLED
    )
    assert one(at_most_once=True).loses_worker().cancel()["a"].state is S.IN_DOUBT


def test_a_thread_may_still_answer_while_undoing() -> None:
    story = one(at_most_once=True, timeout=4 * SECOND).runs_out("a", stopped=False).cancel()
    assert (story["a"].state, story.state, story.due) == (S.IN_DOUBT, State.COMPENSATING, 4 * SECOND)
    assert story.returns("a")["a"].state is S.COMPLETED
    story = one(at_most_once=True, timeout=4 * SECOND).runs_out("a", stopped=False).cancel().fails("a")
    assert (story["a"].state, story.commands) == (S.FAILED, [Compensate("z")])


# --- compensate_on="attempted" ----------------------------------------------------------------------


def attempted(**options: object) -> Story:
    return one(compensate_on="attempted", **options)


def test_attempts_are_undone_without_a_result_where_the_plan_says_so() -> None:
    for story in (
        attempted().cancel().loses_worker(),
        attempted().fails("a"),
        attempted(retry=times(2)).fails("a").cancel(),
        attempted(at_most_once=True).loses_worker().cancel(),
        attempted().cancel().fails("a"),
    ):
        assert (story["a"].result, story.commands) == (None, [Compensate("a")])
        assert story.undoes("a", "z").state.terminal


def test_an_attempt_before_the_one_that_was_skipped_is_undone() -> None:
    story = attempted(retry=times(2)).fails("a").after(1).start("a").tell(ev.Skipped("a", 2)).cancel()
    assert story.commands == [Compensate("a")]
    story = one().loses_worker().start("a").tell(ev.Skipped("a", 2)).cancel()
    assert (story["a"].state, story.commands) == (S.CANCELLED, [RunStep("a")])
    assert one().tell(ev.Skipped("a", 1)).cancel()["a"].state is S.SKIPPED


def test_verify_is_asked_first_for_the_sake_of_the_result() -> None:
    for answer, result in ((True, '"r"'), (False, None), (None, None)):
        story = attempted(verifies=True).cancel().loses_worker()
        assert story.commands == [Verify("a")]
        story.verified("a", landed=answer, result='"r"')
        assert (story["a"].result, story.commands) == (result, [Compensate("a")])


def test_the_undo_of_an_attempt_waits_for_its_thread() -> None:
    story = attempted(timeout=SECOND).runs_out("a", stopped=False)
    assert (story.idle, story.due) == (True, SECOND)
    assert story.returns("a", '"late"').commands == [Compensate("a")]
    story = attempted(timeout=SECOND).runs_out("a", stopped=False).after(1).undo_starts("a")
    story.ignores(ev.Returned("a", 1, '"late"'))
    late_error = attempted(timeout=SECOND).runs_out("a", stopped=False).fails("a")
    assert late_error.commands == [Compensate("a")]
