"""Questions to user code outside of any attempt, when they kill who asks them: each has an end."""

from active_workflow.core import events as ev
from active_workflow.core.change import change_between
from active_workflow.core.commands import Decide, RunStep, Verify
from active_workflow.core.states import State
from active_workflow.core.states import StepState as S
from tests.core.making import ERROR, Story, call, chain, plan, signal, step, times


def claimed(story: Story, times: int = 1) -> Story:
    """Claim it so many times, each after the worker before was lost."""
    for _ in range(times):
        story.x = story.x.evolve(token=story.x.token + 1)
        story.tell(ev.WorkerLost(frozenset()))
    return story


def released(story: Story) -> Story:
    """Hand it back in order."""
    story.x = change_between(story.x, story.x, owned=True, release=True).after
    return story


def doubtful(**options: object) -> Story:
    """Give a step whose outcome is unknown and can be looked for."""
    story = Story(chain("z", call("a", verifies=True, **options), "b")).does("z").start("a")
    return story.loses_worker()


def asking(**options: object) -> Story:
    """Give a wait whose condition is to be asked."""
    return Story(chain("z", signal("w", decides=True, **options))).does("z")


def test_a_verify_that_kills_is_given_up_and_taken_for_unknown() -> None:
    story = claimed(doubtful(), 4)
    assert (story.commands, story.x.asked_under) == ([Verify("a")], 0)
    claimed(story)
    assert (story.commands, story.x.asked_under) == ([RunStep("a")], None)
    assert (story["a"].error.type, story["a"].run.failures) == ("Interrupted", 0)
    assert story.does("a", "b").state is State.COMPLETED


def test_what_must_not_be_repeated_is_in_doubt_then() -> None:
    story = claimed(doubtful(at_most_once=True, max_interruptions=2), 2)
    assert (story["a"].state, story.state) == (S.IN_DOUBT, State.BLOCKED)


def test_while_undoing_it_is_in_doubt() -> None:
    story = doubtful().tell(ev.CancelRequested())
    assert (story.commands, story.x.asked_under) == ([Verify("a")], 0)
    assert claimed(story, 5)["a"].state is S.IN_DOUBT


def test_an_answer_ends_the_count() -> None:
    story = claimed(doubtful(), 4).verified("a", landed=False)
    assert story.x.asked_under is None
    story.start("a").loses_worker()
    assert (claimed(story, 4).commands, story.x.asked_under) == ([Verify("a")], 4)


def test_an_error_of_verify_begins_the_count_anew() -> None:
    story = claimed(doubtful(retry=times(3)), 4)
    story.tell(ev.VerifyFailed("a", 1, ERROR))
    assert story.x.asked_under == 4
    assert claimed(story.after(5), 4).commands == [Verify("a")]


def test_who_hands_it_back_in_order_was_not_lost() -> None:
    story = released(claimed(doubtful(), 4))
    assert story.x.asked_under is None
    assert claimed(story, 5).commands == [Verify("a")]
    assert claimed(story).commands == [RunStep("a")]


def test_a_condition_that_kills_fails_its_wait() -> None:
    story = claimed(asking(), 4)
    assert story.commands == [Decide("w")]
    claimed(story)
    assert (story["w"].state, story["w"].error.type) == (S.FAILED, "Interrupted")
    assert story.x.ending is not None


def test_a_condition_that_answers_or_raises_does_not_count() -> None:
    story = claimed(asking(retry=times(3)), 4).tell(ev.DecideFailed("w", ERROR)).after(5)
    assert claimed(story, 4).commands == [Decide("w")]
    story.tell(ev.Decided("w", go=True))
    assert (story["w"].state, story.x.asked_under) == (S.WAITING, None)


def test_each_question_has_its_own_patience() -> None:
    waits = [step("z", compensates=True), signal("u", decides=True, after=("z",), max_interruptions=9)]
    story = Story(plan(*waits, signal("w", decides=True, after=("z",), on_timeout="continue"))).does("z")
    claimed(story, 5)
    assert (story["w"].state, "u" in story.x.steps) == (S.FAILED, False)
