"""Steps one after the other and side by side: starting, returning, failing, trying again."""

import pytest

from active_workflow.core import events as ev
from active_workflow.core.attempts import Failure
from active_workflow.core.commands import Done, RunStep, WaitUntil
from active_workflow.core.machine import begun
from active_workflow.core.ready import next_due_after
from active_workflow.core.retry import SECOND
from active_workflow.core.states import Effect, State
from active_workflow.core.states import StepState as S
from active_workflow.errors import IllegalMove
from tests.core.making import ERROR, FINAL, Story, call, chain, new, plan, step, times


def test_steps_run_in_order_and_then_it_is_completed() -> None:
    story = Story(chain("a", "b"))
    assert (story.state, story.commands) == (State.PENDING, [RunStep("a")])
    story.start("a")
    assert (story.state, story.idle) == (State.RUNNING, True)
    story.returns("a", '"r"', total="5")
    assert (story.state, story.commands, story.x.ctx) == (
        State.RUNNING, [RunStep("b")], {"who": '"Ada"', "total": "5"},
    )  # fmt: skip
    story.after(2).does("b")
    assert (story.state, story.commands, story.due) == (State.COMPLETED, [Done()], None)
    assert [story["a"].seq, story["b"].seq, story.x.completed_at] == [1, 2, 2 * SECOND]


def test_a_patch_may_delete_keys() -> None:
    story = (
        Story(chain("a", "b")).start("a").returns("a", None, who=None, n="1").start("b").returns("b", n="2")
    )
    assert story.x.ctx == {"n": "2"}


def test_a_step_whose_predecessors_are_not_done_cannot_start() -> None:
    story = Story(chain("a", "b"))
    for name in ("b", "nobody"):
        with pytest.raises(IllegalMove, match="can't start now"):
            story.start(name)


def test_a_step_starts_once() -> None:
    story = Story(chain("a", "b")).start("a")
    with pytest.raises(IllegalMove):
        story.start("a")
    story.ignores(ev.Started("a", attempt=1)).returns("a").ignores(ev.Started("a", attempt=1))
    with pytest.raises(IllegalMove, match="can't follow"):
        story.tell(ev.Started("b", attempt=2))


def test_an_attempt_that_nobody_holds_any_more_is_to_be_seen_to() -> None:
    assert Story(chain("a", "b")).start("a").due == 0


def test_its_owner_looks_only_for_what_is_still_to_come() -> None:
    story = Story(plan(call("a"), call("b", retry=times(2)))).start("a", "b").fails("b")
    assert (story.due, next_due_after(story.x, 0), next_due_after(story.x, SECOND)) == (0, SECOND, None)


def test_nothing_starts_before_run_at() -> None:
    story = Story(chain("a"), run_at=5 * SECOND)
    assert (story.state, story.commands) == (State.PENDING, [WaitUntil(5 * SECOND)])
    with pytest.raises(IllegalMove):
        story.start("a")
    assert story.after(5).does("a").state is State.COMPLETED


def test_reports_of_other_attempts_change_nothing() -> None:
    story = Story(chain(call("a", retry=times(3)))).start("a")
    for attempt in (0, 2):
        story.ignores(ev.Returned("a", attempt)).ignores(ev.Failed("a", attempt, ERROR))
        story.ignores(ev.RanOut("a", attempt)).ignores(ev.NotCalled("a", attempt)).ignores(
            ev.Skipped("a", attempt)
        )
    story.fails("a").ignores(ev.Returned("a", 1)).ignores(ev.Failed("a", 1, ERROR))
    story.after(1).does("a").ignores(ev.Returned("a", 2)).ignores(ev.RanOut("a", 2))


def test_a_failing_step_is_tried_again_after_its_delay() -> None:
    story = Story(chain(call("a", retry=times(2, 3 * SECOND)))).start("a").fails("a")
    assert (story["a"].state, story["a"].run.retry_at) == (S.PENDING, 3 * SECOND)
    assert (story.state, story.commands, story.due) == (State.WAITING, [WaitUntil(3 * SECOND)], 3 * SECOND)
    with pytest.raises(IllegalMove):
        story.after(2).start("a")
    story.after(1).start("a").fails("a")
    assert (story.state, story["a"].state, story.x.ending.step) == (State.FAILED, S.FAILED, "a")
    assert story["a"].error == ERROR
    assert story["a"].run.failures == 2


def test_an_error_that_no_further_attempt_would_help_fails_at_once() -> None:
    story = Story(chain(call("a", retry=times(9)))).start("a").fails("a", FINAL)
    assert story.state is State.FAILED


def test_the_error_may_say_when_to_try_again() -> None:
    later = Failure("RetryAfter", "busy", retry_after=30 * SECOND)
    story = Story(chain(call("a", retry=times(2)))).start("a").fails("a", later)
    assert story.due == 30 * SECOND


def test_no_attempt_starts_after_max_elapsed() -> None:
    limited = times(None, 2 * SECOND, max_elapsed=3 * SECOND)
    story = Story(chain(call("a", retry=limited))).start("a").fails("a").after(2).start("a").fails("a")
    assert story.state is State.FAILED


def test_only_the_newest_errors_are_kept() -> None:
    story = Story(chain(call("a", retry=times(None, 1))))
    for _ in range(5):
        story.start("a").fails("a").after(1)
    assert [error.number for error in story["a"].run.errors] == [3, 4, 5]


def test_an_attempt_taken_back_never_was() -> None:
    story = Story(chain(call("a", retry=times(2)))).start("a").tell(ev.NotCalled("a", 1))
    assert (story["a"].run.attempts, story["a"].run.started_at, story.state) == (0, None, State.RUNNING)
    story.start("a").fails("a").after(1).start("a").tell(ev.NotCalled("a", 2))
    assert (story["a"].run.attempts, story["a"].run.started_at) == (1, 0)
    assert story.does("a").state is State.COMPLETED


def test_a_step_whose_condition_says_no_is_skipped() -> None:
    story = Story(chain("a", "b")).start("a").tell(ev.Skipped("a", 1))
    assert (story["a"].state, story["a"].run.attempts, story["a"].decided) == (S.SKIPPED, 0, False)
    assert story.does("b").state is State.COMPLETED


def test_that_a_condition_said_yes_is_remembered_over_attempts() -> None:
    story = Story(chain(call("a", retry=times(3), timeout=SECOND))).start("a").fails("a", decided=True)
    assert story["a"].decided is True
    story = (
        Story(chain(call("a", retry=times(3)))).start("a").tell(ev.RanOut("a", 1, decided=True, stopped=True))
    )
    assert story["a"].decided is True


def test_a_result_that_cannot_be_recorded_fails_for_good_and_is_undone_without_it() -> None:
    story = Story(chain("z", call("a", retry=times(9)))).does("z").start("a").fails("a", returned=True)
    assert (story["a"].state, story["a"].effect, story["a"].result) == (S.FAILED, Effect.LANDED, None)
    assert story.undoes("a", "z").state is State.FAILED


# --- Side by side -----------------------------------------------------------------------------------


def beside(**options: object) -> Story:
    return Story(plan(call("a", **options), call("b"), step("c", "a", "b")))


def test_steps_side_by_side_run_at_once_and_the_next_waits_for_both() -> None:
    story = beside()
    assert story.commands == [RunStep("a"), RunStep("b")]
    story.start("a", "b").returns("b")
    assert story.idle
    assert story.returns("a").does("c").state is State.COMPLETED


def test_a_failing_sibling_waits_for_what_runs_and_then_all_is_undone_in_reverse_of_completion() -> None:
    story = Story(plan(call("a"), call("b"), call("c"))).start("a", "b", "c").returns("b").fails("a", FINAL)
    assert (story.state, story.idle) == (State.RUNNING, True)
    story.returns("c")
    assert story.state is State.COMPENSATING
    with pytest.raises(IllegalMove):
        story.undo_starts("b")
    story.undoes("c", "b")
    assert (story.state, story.states("a", "b", "c")) == (
        State.FAILED, [S.FAILED, S.COMPENSATED, S.COMPENSATED],
    )  # fmt: skip


def test_the_first_failure_is_the_reason() -> None:
    story = beside().start("a", "b").fails("a", FINAL).fails("b", ERROR)
    assert (story.x.ending.step, story["b"].state, story.state) == ("a", S.CANCELLED, State.FAILED)


def test_a_sibling_between_two_attempts_is_cancelled() -> None:
    story = beside(retry=times(3)).start("a", "b").fails("a").fails("b", FINAL)
    assert (story["a"].state, story["a"].run.retry_at, story.state) == (S.CANCELLED, None, State.FAILED)


def test_two_values_for_one_key_are_a_conflict_for_the_later_and_it_is_undone() -> None:
    story = Story(plan(call("a"), call("b"))).start("a", "b").returns("a", n="1").returns("b", '"r"', n="2")
    assert (story["b"].state, story["b"].error.type) == (S.FAILED, "ContextConflict")
    assert "ctx.n" in story["b"].error.message
    assert (story.x.ctx["n"], story["b"].result) == ("1", '"r"')
    assert story.undoes("b", "a").state is State.FAILED


@pytest.mark.parametrize("patch", [{"n": "1"}, {"other": "2"}, {}])
def test_the_same_value_or_another_key_is_no_conflict(patch: dict[str, str]) -> None:
    story = Story(plan(call("a"), call("b"))).start("a", "b").returns("a", n="1").returns("b", **patch)
    assert story.state is State.COMPLETED


def test_steps_that_follow_each_other_may_change_each_others_keys() -> None:
    story = Story(plan(call("a"), step("b", "a"), call("z"))).does("z").start("a").returns("a", n="1")
    assert story.start("b").returns("b", n="2").x.ctx["n"] == "2"


def test_a_new_execution_without_waits_stays_as_it_is() -> None:
    x = new(chain("a"))
    assert begun(x, 0) is x
