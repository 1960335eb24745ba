"""Pause, resume, retry, resolve, and code that is missing."""

import pytest

from active_workflow.core import events as ev
from active_workflow.core.commands import Compensate, RunStep, WaitUntil
from active_workflow.core.retry import SECOND
from active_workflow.core.snapshot import BlockKind
from active_workflow.core.states import Effect, State
from active_workflow.core.states import StepState as S
from active_workflow.errors import IllegalMove, UnknownStep
from tests.core.making import FINAL, Story, call, chain, external, times


def doubtful(**options: object) -> Story:
    return Story(chain("z", call("a", at_most_once=True, **options), "b")).does("z").start("a").loses_worker()


def doubtful_undoing() -> Story:
    return doubtful().cancel().undoes("z")


# --- Pause ------------------------------------------------------------------------------------------


def test_a_paused_execution_starts_nothing_and_goes_on_when_resumed() -> None:
    story = Story(chain("a", "b")).does("a").tell(ev.Paused()).ignores(ev.Paused())
    assert (story.state, story.commands, story.due) == (State.PAUSED, [WaitUntil(None)], None)
    with pytest.raises(IllegalMove):
        story.start("b")
    story.tell(ev.Resumed()).ignores(ev.Resumed())
    assert story.does("b").state is State.COMPLETED
    story.ignores(ev.Paused())


def test_what_runs_may_report_while_paused() -> None:
    story = Story(chain("a", "b")).start("a").tell(ev.Paused()).returns("a")
    assert (story["a"].state, story.state) == (S.COMPLETED, State.PAUSED)
    assert Story(chain("a")).start("a").tell(ev.Paused()).returns("a").state is State.COMPLETED


def test_undoing_can_be_paused_too() -> None:
    story = Story(chain("a", "b")).does("a").start("b").tell(ev.Paused()).fails("b", FINAL)
    assert story.state is State.PAUSED
    with pytest.raises(IllegalMove):
        story.undo_starts("a")
    assert story.tell(ev.Resumed()).commands == [Compensate("a")]


# --- Retry ------------------------------------------------------------------------------------------


def test_retry_moves_nothing_that_is_not_stuck() -> None:
    for story in (
        Story(chain("a")),
        Story(chain(call("a", retry=times(2)))).start("a").fails("a"),
        doubtful(),
    ):
        story.ignores(ev.RetryRequested())


def test_retry_of_one_in_doubt_while_undoing_leaves_the_doubt() -> None:
    doubtful_undoing().ignores(ev.RetryRequested())


# --- Resolve ----------------------------------------------------------------------------------------


def test_a_step_in_doubt_that_landed_is_completed() -> None:
    event = ev.Resolved("a", landed=True, result="1", patch={"n": "1"})
    story = doubtful().tell(event)
    assert (story["a"].state, story["a"].result, story.x.ctx["n"], story.commands) == (
        S.COMPLETED, "1", "1", [RunStep("b")],
    )  # fmt: skip
    story.ignores(event)
    with pytest.raises(IllegalMove, match="only a step in doubt"):
        story.tell(ev.Resolved("a", landed=True, result="2"))


def test_an_external_step_in_doubt_that_landed_is_completed() -> None:
    story = Story(chain(external("a", at_most_once=True))).start("a").loses_worker()
    assert story.tell(ev.Resolved("a", landed=True)).state is State.COMPLETED


def test_a_step_in_doubt_that_did_not_land_runs_again() -> None:
    story = doubtful().tell(ev.Resolved("a", landed=False))
    assert (story["a"].effect, story.commands) == (Effect.NONE, [RunStep("a")])


def test_a_step_in_doubt_can_be_passed_over_and_is_still_in_doubt_for_the_undo() -> None:
    story = doubtful().tell(ev.Resolved("a", skip=True, patch={"n": "1"}))
    assert (story["a"].state, story.x.ctx["n"], story.commands) == (S.SKIPPED, "1", [RunStep("b")])
    story.ignores(ev.Resolved("a", skip=True)).cancel()
    assert story["a"].state is S.IN_DOUBT


def test_doubts_are_resolved_while_undoing() -> None:
    landed = ev.Resolved("a", landed=True, result="1")
    story = doubtful_undoing().tell(landed).ignores(landed)
    assert (story["a"].result, story.state, story.commands) == ("1", State.COMPENSATING, [Compensate("a")])
    assert story.undoes("a").ignores(landed).state is State.CANCELLED
    story = doubtful_undoing().tell(ev.Resolved("a", landed=False))
    assert (story["a"].state, story.state) == (S.CANCELLED, State.CANCELLED)


@pytest.mark.parametrize(
    ("story", "event"),
    [
        (doubtful_undoing(), ev.Resolved("a", skip=True)),
        (doubtful_undoing(), ev.Resolved("z", landed=False)),
        (Story(chain("a")), ev.Resolved("a", landed=True)),
        (Story(chain("a")).does("a"), ev.Resolved("a", skip=True)),
        (Story(chain("a")), ev.Resolved("a", undone=True)),
    ],
)
def test_what_is_not_stuck_cannot_be_resolved(story: Story, event: ev.Resolved) -> None:
    with pytest.raises(IllegalMove):
        story.tell(event)


def test_an_unknown_step_cannot_be_resolved() -> None:
    with pytest.raises(UnknownStep):
        doubtful().tell(ev.Resolved("nobody", landed=True))


def test_resolving_leaves_a_block_for_code() -> None:
    story = doubtful()
    story.x = story.x.evolve(blocked=None)
    story.tell(ev.CodeMissing("not here")).tell(ev.Resolved("a", landed=True))
    assert story.state is State.BLOCKED


# --- Code -------------------------------------------------------------------------------------------


def test_an_execution_without_code_is_blocked_until_there_is_some() -> None:
    story = Story(chain("a")).ignores(ev.CodeFound()).tell(ev.CodeMissing("no worker serves it"))
    assert (story.state, story.x.blocked.reason, story.due) == (State.BLOCKED, "no worker serves it", 0)
    assert story.x.blocked.kind.passes_with_deploy
    with pytest.raises(IllegalMove):
        story.start("a")
    story.ignores(ev.CodeMissing("again"))
    assert story.tell(ev.CodeFound()).commands == [RunStep("a")]
    assert Story(chain("a")).tell(ev.CodeMissing("x")).tell(ev.RetryRequested()).commands == [RunStep("a")]


def test_a_block_that_only_a_person_can_lift_does_not_pass_with_a_deploy() -> None:
    story = doubtful().ignores(ev.CodeFound()).ignores(ev.CodeMissing("x"))
    assert story.x.blocked.kind is BlockKind.DOUBT
    story = Story(chain("a")).does("a").ignores(ev.CodeMissing("x"))


def test_doubt_is_told_once_code_is_back() -> None:
    story = Story(chain(call("a", at_most_once=True, timeout=SECOND))).start("a").tell(ev.CodeMissing("x"))
    story.loses_worker()
    assert story.x.blocked.kind is BlockKind.CODE
    assert story.tell(ev.CodeFound()).x.blocked.kind is BlockKind.DOUBT
