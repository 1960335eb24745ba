"""Each move of the law's table is made by an event, so that the table holds no dead ones."""

from collections.abc import Callable, Mapping

import pytest

from active_workflow.core import events as ev
from active_workflow.core.moves import MOVES
from active_workflow.core.retry import SECOND
from active_workflow.core.states import StepState as S
from active_workflow.testing.simulation.tally import Tally, counted_law
from tests.core.making import FINAL, Story, call, chain, external, plan, signal, sleep, step, times
from tests.core.situations import ext, in_doubt, past_pivot, two, undoing

ONCE = {"at_most_once": True, "timeout": SECOND}


def timed(**options: object) -> Story:
    """A step whose only attempt has run out of time, and whose thread lingers."""
    return two(timeout=SECOND, **options).start("a").runs_out("a", stopped=False)


def held(one: Callable[..., object] = call, **options: object) -> Story:
    """A step that is to be undone before ``a`` has begun ``a``; what follows can't be over at once."""
    return Story(chain("z", one("a", **options), "b")).does("z").start("a")


def beside(one: Callable[..., object] = call, **options: object) -> Story:
    """A step runs, and the one beside it has written ``a``: what contradicts that fails."""
    story = Story(plan(one("a", **options), call("b"), step("c", "a", "b"))).start("a", "b")
    return story.returns("b", "1", a="1")


def lost_for_good(*, verifies: bool = False) -> Story:
    """A suspect has lost its last worker."""
    story = two(max_interruptions=1, verifies=verifies)
    for _ in range(2):
        story.start("a").loses_worker()
        if verifies:
            story.verified("a", landed=False)
    return story.start("a").loses_worker()


def unverified(story: Story) -> Story:
    """Its ``verify`` can't tell: it has failed, and is asked again before it is undone."""
    return story.verified("a", landed=None)


STORIES: Mapping[str, Callable[[], Story]] = {
    "pending: start -> running": lambda: two().start("a"),
    "pending: begin -> waiting": lambda: Story(chain(signal("a"), "b")),
    "pending: begin -> completed": lambda: Story(chain(sleep("a", 0), "b")),
    "pending: skip -> skipped": lambda: Story(chain(signal("a", decides=True), "b")).tell(
        ev.Decided("a", go=False)
    ),
    "pending: return -> completed": lambda: timed(retry=times(2)).returns("a"),
    "pending: return -> waiting": lambda: ext(timeout=SECOND, retry=times(2)).start("a").runs_out(
        "a", stopped=False
    ).returns("a"),
    "pending: return -> failed": lambda: beside(timeout=SECOND, retry=times(2)).runs_out(
        "a", stopped=False
    ).returns("a", a="2"),
    "pending: fail -> pending": lambda: timed(retry=times(3)).fails("a"),
    "pending: fail -> failed": lambda: timed(retry=times(3)).fails("a", FINAL),
    "pending: settle -> pending": lambda: two(verifies=True).start("a").loses_worker().verified(
        "a", landed=False
    ),
    "pending: settle -> failed": lambda: lost_for_good(verifies=True).verified("a", landed=None),
    "pending: settle -> timed_out": lambda: timed(verifies=True).verified("a", landed=None),
    "pending: settle -> in_doubt": lambda: two(verifies=True, at_most_once=True).start("a").loses_worker()
    .verified("a", landed=None),
    "pending: finish -> completed": lambda: ext(retry=times(2)).start("a").fails("a").complete("a"),
    "pending: finish -> failed": lambda: beside(external, retry=times(2)).fails("a").complete("a", "2"),
    "pending: cancel -> cancelled": lambda: two(retry=times(2)).start("a").fails("a").cancel(),
    "running: take back -> pending": lambda: two().start("a").tell(ev.NotCalled("a", 1)),
    "running: take back -> failed": lambda: lost_for_good().start("a").tell(ev.NotCalled("a", 4)),
    "running: take back -> timed_out": lambda: timed().after(9).start("a").tell(ev.NotCalled("a", 2)),
    "running: take back -> cancelled": lambda: two().start("a").cancel().loses_worker().start("a").tell(
        ev.NotCalled("a", 2)
    ),
    "running: return -> completed": lambda: two().does("a"),
    "running: return -> waiting": lambda: ext().does("a"),
    "running: return -> failed": lambda: beside().returns("a", a="2"),
    "running: return -> cancelled": lambda: ext().start("a").cancel().loses_worker().does("a"),
    "running: fail -> pending": lambda: two(retry=times(2)).start("a").fails("a"),
    "running: fail -> failed": lambda: two().start("a").fails("a"),
    "running: fail -> cancelled": lambda: two().start("a").cancel().fails("a"),
    "running: run out -> pending": lambda: timed(retry=times(2)),
    "running: run out -> timed_out": timed,
    "running: run out -> cancelled": lambda: two(timeout=SECOND).start("a").cancel().runs_out("a"),
    "running: run out -> in_doubt": lambda: timed(at_most_once=True),
    "running: lose -> pending": lambda: two().start("a").loses_worker(),
    "running: lose -> failed": lost_for_good,
    "running: lose -> cancelled": lambda: two().start("a").cancel().loses_worker(),
    "running: lose -> in_doubt": in_doubt,
    "running: skip -> skipped": lambda: two().start("a").tell(ev.Skipped("a", 1)),
    "running: skip -> in_doubt": lambda: two().start("a").cancel().loses_worker().start("a").tell(
        ev.Skipped("a", 2)
    ),
    "running: finish -> completed": lambda: ext().start("a").complete("a").fails("a"),
    "running: finish -> failed": lambda: beside(external).complete("a", "2").fails("a"),
    "waiting: finish -> completed": lambda: ext().does("a").complete("a"),
    "waiting: finish -> failed": lambda: beside(external).returns("a").complete("a", "2"),
    "waiting: fail -> pending": lambda: ext(retry=times(2)).does("a").reject("a"),
    "waiting: fail -> failed": lambda: ext().does("a").reject("a"),
    "waiting: run out -> timed_out": lambda: ext(timeout=SECOND).does("a").wake(1),
    "waiting: cancel -> cancelled": lambda: ext().does("a").cancel(),
    "in_doubt: return -> completed": lambda: timed(at_most_once=True).returns("a"),
    "in_doubt: return -> waiting": lambda: held(external, **ONCE).runs_out("a", stopped=False).returns(
        "a"
    ),
    "in_doubt: return -> failed": lambda: beside(**ONCE).runs_out("a", stopped=False).returns(
        "a", a="2"
    ),
    "in_doubt: return -> cancelled": lambda: held(external, **ONCE).runs_out("a", stopped=False)
    .cancel().returns("a"),
    "in_doubt: fail -> pending": lambda: timed(at_most_once=True, retry=times(2)).fails("a"),
    "in_doubt: fail -> failed": lambda: timed(at_most_once=True).fails("a"),
    "in_doubt: settle -> pending": lambda: in_doubt().tell(ev.Resolved("a", landed=False)),
    "in_doubt: finish -> completed": lambda: ext(at_most_once=True).start("a").loses_worker().complete("a"),
    "in_doubt: finish -> failed": lambda: beside(external, at_most_once=True).loses_worker().complete(
        "a", "2"
    ),
    "in_doubt: skip -> skipped": lambda: in_doubt().tell(ev.Resolved("a", skip=True)),
    "in_doubt: cancel -> cancelled": lambda: two(at_most_once=True, compensates=False).start("a")
    .loses_worker().cancel(),
    "in_doubt: pass by -> cancelled": lambda: in_doubt().cancel().tell(ev.Resolved("a", landed=False)),
    "completed: start undo -> compensating": lambda: undoing().undo_starts("a"),
    "skipped: cancel -> cancelled": lambda: two().start("a").loses_worker().start("a").tell(
        ev.Skipped("a", 2)
    ).cancel(),
    "failed: start -> running": lambda: lost_for_good().start("a"),
    "failed: return -> failed": lambda: unverified(lost_for_good(verifies=True)).verified("a", landed=True),
    "failed: fail -> failed": lambda: held(external, timeout=SECOND).reject("a").runs_out(
        "a", stopped=False
    ).fails("a"),
    "failed: settle -> failed": lambda: unverified(lost_for_good(verifies=True)).verified("a", landed=False),
    "failed: settle -> in_doubt": lambda: unverified(lost_for_good(verifies=True)).verified("a", landed=None),
    "failed: skip -> skipped": lambda: past_pivot().start("a").fails("a").tell(ev.Resolved("a", skip=True)),
    "failed: retry -> pending": lambda: past_pivot().start("a").fails("a").tell(ev.RetryRequested()),
    "failed: start undo -> compensating": lambda: held(compensate_on="attempted").fails("a").undo_starts("a"),
    "timed_out: start -> running": lambda: timed().after(9).start("a"),
    "timed_out: return -> timed_out": lambda: timed().returns("a"),
    "timed_out: fail -> timed_out": lambda: held(timeout=SECOND).runs_out("a", stopped=False).fails("a"),
    "timed_out: settle -> timed_out": lambda: unverified(timed(verifies=True)).verified("a", landed=False),
    "timed_out: settle -> in_doubt": lambda: unverified(timed(verifies=True)).verified("a", landed=None),
    "timed_out: skip -> skipped": lambda: past_pivot(timeout=SECOND).start("a").runs_out("a").tell(
        ev.Resolved("a", skip=True)
    ),
    "timed_out: retry -> pending": lambda: past_pivot(timeout=SECOND).start("a").runs_out("a").tell(
        ev.RetryRequested()
    ),
    "timed_out: start undo -> compensating": lambda: ext(timeout=SECOND).does("a").wake(1).undo_starts("a"),
    "cancelled: start -> running": lambda: two().start("a").cancel().loses_worker().start("a"),
    "cancelled: return -> cancelled": lambda: two(timeout=SECOND).start("a").cancel().runs_out(
        "a", stopped=False
    ).returns("a"),
    "cancelled: fail -> cancelled": lambda: two(timeout=SECOND).start("a").cancel().runs_out(
        "a", stopped=False
    ).fails("a"),
    "cancelled: settle -> cancelled": lambda: two(verifies=True).start("a").cancel().loses_worker().verified(
        "a", landed=False
    ),
    "cancelled: settle -> in_doubt": lambda: two(verifies=True).start("a").cancel().loses_worker().verified(
        "a", landed=None
    ),
    "cancelled: start undo -> compensating": lambda: ext().does("a").cancel().undo_starts("a"),
    "compensating: start undo -> compensating": lambda: undoing().undo_starts("a").tell(ev.WorkerLost())
    .undo_starts("a"),
    "compensating: take back undo -> compensating": lambda: undoing().undo_starts("a").tell(
        ev.NotCalled("a", 1, undo=True)
    ),
    "compensating: end undo -> compensating": lambda: undoing(undo_external=True).undoes("a"),
    "compensating: end undo -> compensated": lambda: undoing().undoes("a"),
    "compensating: fail undo -> compensating": lambda: undoing().undo_starts("a").loses_worker(),
    "compensating: fail undo -> compensation_failed": lambda: undoing().undo_starts("a").undo_fails("a"),
    "compensation_failed: retry -> compensating": lambda: undoing().undo_starts("a").undo_fails("a").tell(
        ev.RetryRequested()
    ),
    "compensation_failed: end undo -> compensating": lambda: undoing(undo_external=True, timeout=SECOND)
    .undo_starts("a").tell(ev.RanOut("a", 1, undo=True)).undo_returns("a"),
    "compensation_failed: end undo -> compensated": lambda: undoing().undo_starts("a").undo_fails("a").tell(
        ev.Resolved("a", undone=True)
    ),
}  # fmt: skip
"""For each move the story of step ``a`` whose last event makes it."""


def test_each_move_of_the_table_has_its_story() -> None:
    table = {
        f"{before}: {move} -> {to}"
        for before, row in MOVES.items() for move, tos in row.items() for to in tos
    }  # fmt: skip
    assert set(STORIES) == table


@pytest.mark.parametrize("move", STORIES)
def test_the_move_is_made(move: str) -> None:
    tally = Tally()
    with counted_law(tally):
        story = STORIES[move]()
    assert tally["move", move] == 1
    assert story["a"].state is S(move.rpartition(" ")[2])
