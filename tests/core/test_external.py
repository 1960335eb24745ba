"""Steps that are finished from outside: early and late, twice and wrongly, with retries and timeouts."""

import pytest

from active_workflow.core import events as ev
from active_workflow.core.commands import Compensate, RunStep, WaitUntil
from active_workflow.core.retry import SECOND
from active_workflow.core.states import Effect, State
from active_workflow.core.states import StepState as S
from active_workflow.errors import CompletionConflict, CorrelationMismatch, UnknownStep
from tests.core.making import ERROR, Story, call, chain, external, plan, times


def started(**options: object) -> Story:
    return Story(chain("z", external("a", **options), "b")).does("z").start("a")


def waiting(**options: object) -> Story:
    return started(**options).returns("a", '"r"', job="7")


def test_its_first_return_merges_at_once_and_then_it_waits() -> None:
    story = waiting(timeout=9 * SECOND)
    assert (story["a"].state, story.x.ctx["job"], story.state) == (S.WAITING, "7", State.WAITING)
    assert (story["a"].waiting_since, story["a"].timeout_at, story.due) == (0, 9 * SECOND, 9 * SECOND)
    assert story["a"].seq is None


def test_a_completion_ends_it_and_its_payload_is_kept_under_the_steps_name() -> None:
    story = waiting().complete("a", "5", "k")
    assert (story["a"].state, story["a"].payload, story.x.ctx["a"], story["a"].seq) == (
        S.COMPLETED,
        "5",
        "5",
        2,
    )
    assert story.does("b").state is State.COMPLETED
    assert waiting(store_as="tracking").complete("a", "5").x.ctx["tracking"] == "5"


def test_a_completion_told_again_changes_nothing_and_another_one_is_a_conflict() -> None:
    story = waiting().complete("a", "5", "k")
    story.ignores(ev.Completed("a", "5", "k")).ignores(ev.Completed("a", "5"))
    for other in (ev.Completed("a", "6", "k"), ev.Completed("a", "5", "other")):
        with pytest.raises(CompletionConflict, match="what was recorded first stays"):
            story.tell(other)


def test_a_completion_before_the_first_start_or_after_the_end_is_a_no_op() -> None:
    Story(chain(external("a"))).ignores(ev.Completed("a", "5"))
    waiting().cancel().ignores(ev.Completed("a", "5"))
    Story(chain(external("a"))).cancel().ignores(ev.Completed("a", "5"))
    waiting().complete("a").does("b").ignores(ev.Completed("a", "1"))
    Story(plan(external("a"), call("b"))).does("a").start("b").cancel().ignores(ev.Completed("a", "5"))


def test_a_completion_that_comes_while_the_call_runs_is_kept_and_used() -> None:
    story = started().complete("a", "5", "k")
    assert (story["a"].state, story["a"].early.payload) == (S.RUNNING, "5")
    story.ignores(ev.Completed("a", "5", "k"))
    with pytest.raises(CompletionConflict):
        story.complete("a", "6", "k")
    story.returns("a", '"r"', job="7")
    assert (story["a"].state, story["a"].result, story.x.ctx["job"], story.x.ctx["a"]) == (
        S.COMPLETED, '"r"', "7", "5",
    )  # fmt: skip


@pytest.mark.parametrize("end", ["fails", "runs_out", "loses"])
def test_an_early_completion_counts_even_if_the_call_then_breaks(end: str) -> None:
    story = started(timeout=SECOND).complete("a", "5")
    {"fails": story.fails, "runs_out": story.runs_out, "loses": lambda _: story.loses_worker()}[end]("a")
    assert (story["a"].state, story["a"].run.failures, story.state) == (
        S.COMPLETED,
        0 if end != "runs_out" else 1,
        "running",
    )


@pytest.mark.parametrize("end", ["fails", "runs_out", "loses", "returns"])
def test_an_early_failure_counts_once_however_the_call_ends(end: str) -> None:
    story = started(timeout=SECOND, retry=times(2, 5 * SECOND)).reject("a", "k")
    story.ignores(ev.Rejected("a", ERROR, "k")).ignores(ev.Completed("a", "1"))
    ends = {
        "fails": story.fails,
        "runs_out": story.runs_out,
        "loses": lambda _: story.loses_worker(),
        "returns": story.returns,
    }
    ends[end]("a")
    assert (story["a"].state, story["a"].run.failures, story["a"].effect) == (S.PENDING, 1, Effect.NONE)
    assert story.after(5).commands == [RunStep("a")]
    story.ignores(ev.Rejected("a", ERROR, "k"))


def test_a_thread_that_ran_out_of_time_still_holds_up_the_attempt_after_an_early_failure() -> None:
    story = started(timeout=9 * SECOND, retry=times(2)).reject("a").runs_out("a", stopped=False)
    assert story.due == 9 * SECOND


def test_what_its_partner_has_failed_does_not_begin_to_wait_when_the_call_returns_late() -> None:
    story = started(timeout=9 * SECOND, retry=times(2)).reject("a").runs_out("a", stopped=False)
    story.returns("a")
    assert (story["a"].state, story["a"].run.failures, story["a"].run.lingering) == (S.PENDING, 1, None)
    assert story.after(1).commands == [RunStep("a")]


def test_what_its_partner_has_failed_for_good_has_nothing_to_undo_when_the_call_returns_late() -> None:
    story = started(timeout=9 * SECOND).reject("a").runs_out("a", stopped=False).returns("a")
    assert (story["a"].state, story["a"].effect, story.commands) == (S.FAILED, Effect.NONE, [Compensate("z")])


def test_what_an_operator_has_tried_again_waits_when_the_call_that_timed_out_returns_late() -> None:
    flow = chain(call("p", pivot=True), external("a", timeout=9 * SECOND), "b")
    story = Story(flow).does("p").start("a").runs_out("a", stopped=False).tell(ev.RetryRequested())
    assert story.returns("a")["a"].state is S.WAITING, "nobody has said that it failed"


def test_a_completion_ends_a_retry_delay() -> None:
    story = started(retry=times(2, 9 * SECOND)).fails("a").complete("a", "5")
    assert (story["a"].state, story["a"].run.retry_at) == (S.COMPLETED, None)


def test_a_completion_ends_the_doubt_about_the_call() -> None:
    story = started(at_most_once=True).loses_worker().complete("a", "5")
    assert (story["a"].state, story.state) == (S.COMPLETED, State.RUNNING)


def test_fail_step_follows_the_retry_policy_and_then_the_flow_fails() -> None:
    story = waiting(retry=times(2)).reject("a", "k").ignores(ev.Rejected("a", ERROR, "k"))
    assert (story["a"].state, story["a"].run.failures, story["a"].timeout_at) == (S.PENDING, 1, None)
    story.ignores(ev.Rejected("a", ERROR)).ignores(ev.Completed("a", "1", "k"))
    story.after(1).does("a").reject("a", "k2")
    assert (story["a"].state, story["a"].effect, story["a"].keys) == (S.FAILED, Effect.NONE, ("k", "k2"))
    assert story.commands == [Compensate("z")], "its partner said that it failed"


def test_a_wait_that_times_out_initiates_it_again_and_then_fails_and_is_undone() -> None:
    story = waiting(timeout=9 * SECOND, retry=times(2)).wake(9)
    assert (story["a"].state, story["a"].effect, story.commands) == (
        S.PENDING,
        Effect.LANDED,
        [WaitUntil(10 * SECOND)],
    )
    story.after(1).start("a").fails("a")
    assert (story["a"].effect, story["a"].state) == (Effect.LANDED, S.FAILED)
    story = waiting(timeout=9 * SECOND, retry=times(2)).wake(9).after(1).does("a").wake(9)
    assert (story["a"].state, story.x.ending.error.type, story.commands) == (
        S.TIMED_OUT,
        "TimeoutError",
        [Compensate("a")],
    )
    assert story["a"].error.type == "TimeoutError"


def test_an_initiation_that_landed_is_not_forgotten_when_the_next_one_is_lost() -> None:
    story = waiting(timeout=SECOND, retry=times(3)).wake(1).after(1).start("a").loses_worker()
    assert (story["a"].effect, story.cancel().commands) == (Effect.LANDED, [Compensate("a")])


def test_a_step_to_run_at_most_once_is_not_initiated_again() -> None:
    story = waiting(timeout=9 * SECOND, retry=times(5), at_most_once=True).wake(9)
    assert (story["a"].state, story.commands) == (S.TIMED_OUT, [Compensate("a")])


def test_one_that_gives_no_sign_of_life_times_out() -> None:
    story = waiting(heartbeat_timeout=5 * SECOND)
    assert story.due == 5 * SECOND
    story.x = story.x.with_step(story["a"].evolve(heartbeat_at=3 * SECOND))
    assert story.wake(5)["a"].state is S.WAITING
    assert "sign of life" in story.wake(3)["a"].error.message


def test_waiting_can_be_extended() -> None:
    story = waiting(timeout=9 * SECOND).tell(ev.Extended("a", 5 * SECOND))
    assert story.due == 14 * SECOND
    waiting().ignores(ev.Extended("a", 5))
    started(timeout=9).ignores(ev.Extended("a", 5))
    Story(plan(external("a", timeout=9), call("b"))).does("a").start("b").cancel().ignores(
        ev.Extended("a", 5)
    )


def test_one_that_was_initiated_and_is_not_over_is_undone_with_its_first_return() -> None:
    story = waiting().cancel()
    assert (story["a"].state, story["a"].result, story.commands) == (S.CANCELLED, '"r"', [Compensate("a")])
    story = waiting(timeout=SECOND, retry=times(2)).wake(1).cancel()
    assert story.commands == [Compensate("a")], "initiated again or not"


def test_a_call_that_returns_after_a_cancel_is_undone() -> None:
    story = started().cancel().returns("a", '"r"')
    assert (story["a"].state, story.commands) == (S.CANCELLED, [Compensate("a")])
    story = started().reject("a").cancel().returns("a", '"r"')
    assert (story["a"].state, story.commands) == (S.FAILED, [Compensate("z")])


# --- Correlation ------------------------------------------------------------------------------------


def correlated(id: str | None = "c1", **options: object) -> Story:
    return started(**options).tell(ev.Returned("a", 1, None, {}, id))


def test_a_correlation_id_must_be_the_one_that_the_call_returned() -> None:
    for story in (correlated(), correlated(None)):
        with pytest.raises(CorrelationMismatch, match="pass the one"):
            story.complete("a", "5", id="c2")
        with pytest.raises(CorrelationMismatch):
            story.tell(ev.Rejected("a", ERROR, correlation_id="c2"))
    assert correlated().complete("a", "5", id="c1")["a"].state is S.COMPLETED
    assert correlated().complete("a", "5")["a"].state is S.COMPLETED


def test_verify_tells_the_correlation_id_that_the_call_would_have_told() -> None:
    lost = started(verifies=True).loses_worker()
    story = lost.verified("a", landed=True, correlation_id="c1")
    with pytest.raises(CorrelationMismatch, match="waits for correlation id 'c1'"):
        story.complete("a", "5", id="c2")
    assert story.complete("a", "5", id="c1")["a"].state is S.COMPLETED


def test_an_early_completion_with_a_wrong_correlation_id_is_not_used() -> None:
    story = started().complete("a", "5", id="c2").tell(ev.Returned("a", 1, None, {}, "c1"))
    assert (story["a"].state, story["a"].early) == (S.WAITING, None)
    story = started().complete("a", "5", id="c1").tell(ev.Returned("a", 1, None, {}, "c1"))
    assert story["a"].state is S.COMPLETED


def test_an_early_completion_told_again_counts_whichever_of_them_fits() -> None:
    story = started().complete("a", "5", "k", id="mixed up").complete("a", "5", "k")
    assert story.tell(ev.Returned("a", 1, None, {}, "c1"))["a"].state is S.COMPLETED
    story = started().complete("a", "5", "k").ignores(ev.Completed("a", "5", "k", "c1"))
    assert story.tell(ev.Returned("a", 1, None, {}, "c1"))["a"].state is S.COMPLETED
    with pytest.raises(CompletionConflict):
        started().complete("a", "5", "k", id="mixed up").complete("a", "5", "k", id="c1")


def test_a_completion_of_either_initiation_counts_while_the_second_call_runs() -> None:
    for id in ("c1", "c2"):
        story = (
            correlated(timeout=SECOND, retry=times(2)).wake(1).after(1).start("a").complete("a", "5", id=id)
        )
        assert story.tell(ev.Returned("a", 2, None, {}, "c2"))["a"].state is S.COMPLETED


def test_a_completion_after_a_call_that_broke_has_nothing_to_match() -> None:
    assert started(retry=times(2)).fails("a").complete("a", "5", id="any")["a"].state is S.COMPLETED


# --- Names and conflicts ----------------------------------------------------------------------------


def test_a_step_that_is_unknown_or_not_external_is_told_with_those_that_are() -> None:
    with pytest.raises(UnknownStep, match="it has: z, a, b"):
        waiting().complete("nobody")
    with pytest.raises(UnknownStep, match="External steps here: a"):
        waiting().complete("z")
    with pytest.raises(UnknownStep, match="External steps here: none"):
        Story(chain("z")).reject("z")
    with pytest.raises(UnknownStep):
        waiting().tell(ev.Extended("nobody", 1))


def test_a_step_whose_undo_alone_is_external_takes_no_completion_going_forward() -> None:
    story = Story(chain(call("a", undo_external=True), "b")).does("a")
    story.ignores(ev.Completed("a", "1")).ignores(ev.Rejected("a", ERROR))


def test_a_payload_that_contradicts_a_sibling_is_a_conflict_and_is_undone() -> None:
    flow = plan(external("a", store_as="n"), call("b"))
    story = Story(flow).does("a").start("b").returns("b", n="1").complete("a", "2")
    assert (story["a"].state, story["a"].error.type, story.commands) == (
        S.FAILED,
        "ContextConflict",
        [Compensate("a")],
    )
    story = Story(flow).start("a").complete("a", "2").start("b").returns("b", n="1").fails("a")
    assert (story["a"].state, story["a"].error.type) == (S.FAILED, "ContextConflict")


@pytest.mark.parametrize("end", ["early", "late", "in doubt", "after an error"])
def test_a_call_whose_completion_contradicts_another_step_has_failed_once(end: str) -> None:
    limits = {"timeout": SECOND, "at_most_once": end == "in doubt", "retry": times(2)}
    story = Story(plan(external("a", **limits), call("b"))).start("a", "b").returns("b", a="1")
    if end == "early":
        story.complete("a", "2").runs_out("a")
    elif end == "after an error":
        story.fails("a").complete("a", "2")
    else:
        story.runs_out("a").complete("a", "2")
    assert (story["a"].state, story["a"].run.failures, story["a"].error.type) == (
        S.FAILED,
        1,
        "ContextConflict",
    )
