"""Which code an execution may still call. That this is never too little is an invariant of every story."""

from active_workflow.core.needs import Code, everything, needs
from tests.core.making import Story, call, chain, detached, external, signal, sleep

RUN, UNDO, VERIFY, DECIDE = Code


def wanted(story: Story) -> dict[str, set[Code]]:
    return {name: set(codes) for name, codes in needs(story.x).items()}


def test_a_fresh_execution_needs_all_that_its_plan_names() -> None:
    plan = chain(
        "a", call("b", compensates=False, verifies=True), external("c"), detached("d"), sleep("e"),
        signal("f"), signal("g", decides=True), sleep("h", None, decides=True),
    )  # fmt: skip
    assert everything(plan) == {
        "a": {RUN, UNDO},
        "b": {RUN, VERIFY},
        "c": {RUN, UNDO},
        "d": {RUN},
        "g": {DECIDE},
        "h": {DECIDE},
    }


def test_a_step_that_is_over_needs_its_undo_alone() -> None:
    story = Story(chain("a", call("b", compensates=False), "c")).does("a", "b")
    assert wanted(story) == {"a": {UNDO}, "c": {RUN, UNDO}}
    assert wanted(story.does("c")) == {}


def test_no_undo_is_needed_once_the_pivot_is_completed() -> None:
    story = Story(chain("a", call("p", pivot=True, compensates=False), "b")).does("a")
    assert wanted(story) == {"a": {UNDO}, "p": {RUN}, "b": {RUN, UNDO}}  # p may yet be skipped
    assert wanted(story.does("p")) == {"b": {RUN}}


def test_undoing_needs_the_undos_of_what_happened() -> None:
    story = Story(chain("a", call("b", compensates=False), "c", "d")).does("a", "b").start("c").cancel()
    assert wanted(story) == {"a": {UNDO}, "c": {UNDO, RUN}}  # nobody knows yet what c comes to
    assert wanted(story.returns("c")) == {"a": {UNDO}, "c": {UNDO}}
    assert wanted(story.undoes("c")) == {"a": {UNDO}}
    assert wanted(story.undoes("a")) == {}


def test_an_unknown_outcome_is_settled_by_verify_or_once_more_or_by_a_person() -> None:
    def lost(**options: bool) -> dict[str, set[Code]]:
        return wanted(Story(chain("z", call("a", **options))).does("z").start("a").cancel().loses_worker())

    assert lost() == {"z": {UNDO}, "a": {UNDO, RUN}}
    assert lost(verifies=True) == {"z": {UNDO}, "a": {UNDO, VERIFY}}
    assert lost(at_most_once=True) == {"z": {UNDO}, "a": {UNDO}}
    running = Story(chain(call("a", at_most_once=True))).start("a").cancel()
    assert wanted(running) == {"a": {UNDO}}
