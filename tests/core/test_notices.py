"""What observers hear, in the order in which it happened."""

from active_workflow.core import events as ev
from active_workflow.core.notices import PREFIX, Notice, notices
from active_workflow.core.retry import SECOND
from active_workflow.core.snapshot import Execution
from tests.core.making import ERROR, FINAL, Story, call, chain, detached, external, new, plan, signal, times


def told(before: Execution | None, story: Story) -> list[str]:
    return [notice.name.removeprefix(PREFIX) for notice in notices(before, story.x, story.now)]


def heard(story: Story, *events: ev.Event) -> list[str]:
    before = story.x
    for event in events:
        story.tell(event)
    return told(before, story)


def last(story: Story, event: ev.Event, which: int = -1) -> Notice:
    before = story.x
    return notices(before, story.tell(event).x, story.now)[which]


def test_a_new_execution_is_told_and_that_its_first_wait_has_begun() -> None:
    assert [n.name for n in notices(None, new(chain("a")), 0)] == [PREFIX + "execution.created"]
    assert told(None, Story(chain(signal("go")))) == [
        "execution.created",
        "execution.started",
        "step.waiting",
    ]


def test_nothing_happened() -> None:
    x = new(chain("a"))
    assert notices(x, x, 0) == ()


def test_a_flow_that_goes_well() -> None:
    story = Story(chain("a", "b"))
    assert heard(story, ev.Started("a")) == ["execution.started", "step.started"]
    assert heard(story.after(2), ev.Returned("a", 1), ev.Started("b")) == ["step.completed", "step.started"]
    assert heard(story, ev.Returned("b", 1)) == ["step.completed", "execution.completed"]


def test_a_notice_says_of_what_it_is_and_how_long_it_took() -> None:
    story = Story(chain("a", "b")).after(1).start("a").after(2)
    assert last(story, ev.Returned("a", 1)) == Notice(
        PREFIX + "step.completed", "x", "Flow", "a", 1, 3 * SECOND, 2 * SECOND
    )
    whole = last(story.start("b"), ev.Returned("b", 1))
    assert (whole.step, whole.duration, whole.error) == (None, 2 * SECOND, None)


def test_an_attempt_that_fails_and_the_retry_that_follows() -> None:
    story = Story(chain(call("a", retry=times(2, 3 * SECOND), timeout=SECOND))).start("a").after(1)
    before = story.x
    failed, scheduled = notices(before, story.fails("a").x, story.now)
    assert (failed.name, failed.error, failed.duration) == (PREFIX + "step.failed", ERROR, SECOND)
    assert (scheduled.name, scheduled.attempt, scheduled.duration) == (
        PREFIX + "retry.scheduled",
        2,
        3 * SECOND,
    )
    story.after(3).start("a")
    assert heard(story, ev.RanOut("a", 2, stopped=True)) == ["step.timeout", "execution.compensating"]
    assert Story(chain(call("a", retry=times(2, 1)))).start("a").x is not None


def test_of_several_steps_those_that_ended_come_first_in_the_order_of_their_ends() -> None:
    story = Story(plan(call("a"), call("b"), call("c", after=("a", "b")))).start("a", "b")
    before = story.x
    story.returns("b").returns("a").start("c")
    assert [(n.name.removeprefix(PREFIX), n.step) for n in notices(before, story.x, 0)] == [
        ("step.completed", "b"), ("step.completed", "a"), ("step.started", "c"),
    ]  # fmt: skip


def test_an_external_step() -> None:
    story = Story(chain(external("a", timeout=9 * SECOND, retry=times(3)), "b")).start("a")
    assert heard(story, ev.Returned("a", 1)) == ["step.waiting"]
    assert heard(story, ev.Rejected("a", ERROR)) == ["step.failed_async", "retry.scheduled"]
    story.after(1).does("a").after(9)
    assert heard(story, ev.Wake()) == ["step.timeout", "retry.scheduled"]
    story.after(1).start("a").reject("a")
    assert heard(story, ev.Returned("a", 3)) == ["step.failed_async", "execution.failed"]
    story = Story(chain(external("a"), "b")).does("a").after(2)
    done = last(story, ev.Completed("a", "5"))
    assert (done.name, done.payload, done.duration) == (PREFIX + "step.completed_async", "5", 2 * SECOND)


def test_a_completion_that_came_early_is_told_with_the_return_or_the_error() -> None:
    story = Story(chain(external("a"), "b")).start("a").complete("a", "5")
    assert heard(story, ev.Failed("a", 1, ERROR)) == ["step.completed_async"]


def test_signals() -> None:
    story = Story(chain("z", signal("go"), "b"))
    kept = last(story, ev.Signalled("go", "5"))
    assert (kept.name, kept.step, kept.payload) == (PREFIX + "signal.received", "go", "5")
    assert heard(story.start("z"), ev.Returned("z", 1)) == ["step.completed", "step.completed"]
    story = Story(chain(signal("go"), "b"))
    before = story.x
    received, completed = notices(before, story.signal("go", "5").x, 0)
    assert (received.name, received.payload) == (PREFIX + "signal.received", "5")
    assert (completed.name, completed.payload) == (PREFIX + "step.completed", "5")


def test_a_wait_that_runs_out() -> None:
    story = Story(chain(signal("go", timeout=1, on_timeout="continue"), "b")).after(1)
    assert heard(story, ev.Wake()) == ["step.timeout"]


def test_detached_and_skipped_steps() -> None:
    story = Story(chain("z", detached("mail"), "b")).start("z")
    assert heard(story, ev.Returned("z", 1)) == ["step.completed", "step.completed"]
    assert heard(story.start("b"), ev.Skipped("b", 1)) == ["step.skipped", "execution.completed"]


def test_lost_workers_doubt_and_attempts_taken_back() -> None:
    story = Story(chain("z", call("a", max_interruptions=1), "b")).does("z").start("a")
    assert heard(story, ev.WorkerLost()) == ["step.interrupted"]
    assert heard(story, ev.Started("a")) == ["step.started"]
    assert heard(story, ev.NotCalled("a", 2)) == ["step.taken_back"]
    story.start("a").loses_worker().start("a")
    assert heard(story, ev.WorkerLost()) == ["step.interrupted", "step.failed", "execution.compensating"]
    story = Story(chain(call("a", at_most_once=True))).start("a")
    assert heard(story, ev.WorkerLost()) == ["step.interrupted", "step.in_doubt", "execution.blocked"]
    assert heard(story, ev.Resolved("a", landed=False)) == ["execution.unblocked"]


def test_settling_is_told() -> None:
    story = Story(chain("z", call("a", verifies=True))).does("z").start("a").cancel().loses_worker()
    assert heard(story, ev.Verified("a", 1, landed=True)) == ["step.settled"]
    story = Story(chain("z", call("a", verifies=True, timeout=SECOND))).does("z").start("a").runs_out("a")
    assert heard(story, ev.Verified("a", 1, landed=None)) == ["step.timeout", "execution.compensating"]


def test_a_cancel_and_its_undo() -> None:
    story = Story(chain("a", signal("go"), "b")).does("a")
    assert heard(story, ev.CancelRequested()) == [
        "execution.cancel_requested", "step.cancelled", "execution.compensating",
    ]  # fmt: skip
    assert heard(story, ev.Started("a", undo=True)) == ["step.compensating"]
    assert heard(story, ev.Returned("a", 1, undo=True)) == ["step.compensated", "execution.cancelled"]
    nothing = Story(chain("a"))
    assert heard(nothing, ev.CancelRequested()) == ["execution.cancel_requested", "execution.cancelled"]


def test_a_failure_is_told_with_its_error() -> None:
    story = Story(chain(call("a", compensates=False))).start("a")
    assert last(story, ev.Failed("a", 1, FINAL)).error == FINAL


def test_an_undo_that_does_not_go_well() -> None:
    story = Story(chain(call("a", undo_retry=times(2)), "b")).does("a").start("b").fails("b", FINAL)
    story.undo_starts("a")
    assert heard(story, ev.WorkerLost()) == ["step.interrupted"]
    story.undo_starts("a")
    assert heard(story, ev.Failed("a", 2, ERROR, undo=True)) == ["retry.scheduled"]
    story.after(1).undo_starts("a")
    assert heard(story, ev.Failed("a", 3, FINAL, undo=True)) == [
        "step.compensation_failed", "execution.compensation_failed",
    ]  # fmt: skip
    assert heard(story, ev.RetryRequested()) == ["execution.compensating"]


def test_an_external_undo() -> None:
    story = Story(chain(call("a", undo_external=True), "b")).does("a").start("b").fails("b").undo_starts("a")
    assert heard(story, ev.Returned("a", 1, undo=True)) == ["step.compensation_waiting"]
    assert heard(story, ev.Completed("a", "1")) == ["step.compensated", "execution.failed"]


def test_what_operators_and_time_do() -> None:
    story = Story(chain(call("p", pivot=True), "b", timeout=SECOND)).does("p")
    assert heard(story, ev.Paused()) == ["execution.paused"]
    assert heard(story, ev.Resumed()) == ["execution.resumed"]
    assert heard(story, ev.CodeMissing("x")) == ["execution.blocked"]
    assert heard(story, ev.CodeFound()) == ["execution.unblocked"]
    assert heard(story.after(1), ev.Wake()) == ["execution.overdue"]


def test_an_attempt_that_was_unknown_turns_out_not_to_have_landed() -> None:
    story = Story(chain(call("a", verifies=True))).start("a").loses_worker()
    assert heard(story, ev.Verified("a", 1, landed=False)) == ["step.settled"]


def test_a_lost_worker_whose_partner_had_finished() -> None:
    story = Story(chain(external("a", at_most_once=True), "b")).start("a").loses_worker()
    assert heard(story, ev.Completed("a", "5")) == ["execution.unblocked", "step.completed_async"]
    story = Story(chain(external("a", timeout=9, retry=times(3)), "b")).start("a").complete("a", "5")
    assert heard(story, ev.RanOut("a", 1)) == ["step.timeout", "step.completed_async"]
