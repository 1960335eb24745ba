"""Executions in every situation there is, each by the shortest story that leads there."""

from collections.abc import Callable, Mapping

from active_workflow.core import events as ev
from active_workflow.core.attempts import Failure
from active_workflow.core.retry import SECOND
from tests.core.making import FINAL, Story, call, chain, detached, external, plan, signal, sleep, step, times

LATER = Failure("Later", "not now", retry_after=3 * SECOND)


def two(**options: object) -> Story:
    return Story(chain(call("a", **options), "b"))


def ext(**options: object) -> Story:
    return Story(chain("first", external("a", **options), "b")).does("first")


def undoing(**options: object) -> Story:
    return two(**options).does("a").start("b").fails("b", FINAL)


def in_doubt() -> Story:
    return two(at_most_once=True).start("a").loses_worker()


def past_pivot(**options: object) -> Story:
    return Story(chain(call("p", pivot=True), call("a", **options), "b")).does("p")


SITUATIONS: Mapping[str, Callable[[], Story]] = {
    "new": two,
    "scheduled": lambda: Story(chain("a", "b"), run_at=9 * SECOND),
    "running": lambda: two().start("a"),
    "between attempts": lambda: two(retry=times(3)).start("a").fails("a"),
    "interrupted": lambda: two().start("a").loses_worker(),
    "to verify": lambda: two(verifies=True).start("a").loses_worker(),
    "verify failed": lambda: two(verifies=True, retry=times(3)).start("a").loses_worker().tell(
        ev.VerifyFailed("a", 1, FINAL)
    ),
    "thread lingers": lambda: two(timeout=SECOND, retry=times(3)).start("a").runs_out("a", stopped=False),
    "in doubt": in_doubt,
    "in doubt, thread lingers": lambda: two(at_most_once=True, timeout=SECOND).start("a").runs_out(
        "a", stopped=False
    ),
    "initiating": lambda: ext().start("a"),
    "completed early": lambda: ext().start("a").complete("a", key="k"),
    "rejected early": lambda: ext().start("a").reject("a", key="k"),
    "waits": lambda: ext(timeout=SECOND).start("a").returns("a", "1", job="7"),
    "waits after a retry": lambda: ext(timeout=SECOND, retry=times(3)).does("a").wake(1).wake(1).does("a"),
    "completed elsewhere": lambda: ext().does("a").complete("a", key="k"),
    "waits for a signal": lambda: Story(chain(signal("go", timeout=SECOND), "b")),
    "went on without a signal": lambda: Story(
        chain(signal("go", timeout=SECOND, on_timeout="continue"), "b")
    ).wake(1),
    "sleeps": lambda: Story(chain(sleep("nap"), "b")),
    "undecided": lambda: Story(chain(signal("go", decides=True), "b")),
    "detached": lambda: Story(chain("a", detached("mail"), "b")).does("a"),
    "skipped": lambda: two().start("a").tell(ev.Skipped("a", 1)),
    "side by side": lambda: Story(plan(call("a"), call("b"), step("c", "a", "b"))).start("a", "b"),
    "cancel requested": lambda: two().does("a").start("b").cancel(),
    "undoing": undoing,
    "undo runs": lambda: undoing().undo_starts("a"),
    "undo between attempts": lambda: undoing(undo_retry=times(2)).undo_starts("a").undo_fails("a", LATER),
    "undo lingers": lambda: undoing(timeout=SECOND).undo_starts("a").tell(ev.RanOut("a", 1, undo=True)),
    "undo waits": lambda: undoing(undo_external=True, undo_timeout=SECOND).undo_starts("a").undo_returns("a"),
    "undo failed": lambda: undoing().undo_starts("a").undo_fails("a"),
    "undone": lambda: undoing().undoes("a"),
    "to settle": lambda: two().start("a").cancel().loses_worker(),
    "settling": lambda: two().start("a").cancel().loses_worker().start("a"),
    "in doubt while undoing": lambda: two(at_most_once=True).start("a").cancel().loses_worker(),
    "timed out for good": lambda: two(timeout=SECOND).start("a").runs_out("a", stopped=False),
    "blocked past its pivot": lambda: past_pivot().start("a").fails("a", FINAL),
    "timed out past its pivot": lambda: past_pivot(timeout=SECOND).start("a").runs_out("a", stopped=False),
    "paused": lambda: two().does("a").tell(ev.Paused()),
    "without code": lambda: two().does("a").tell(ev.CodeMissing("not here")),
    "completed": lambda: two().does("a", "b"),
    "cancelled": lambda: two().cancel(),
}  # fmt: skip
"""Makers of stories, by what they have come to."""
