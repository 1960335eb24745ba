"""Executions in many states, and how each comes to its end: made by the engine, in a time that stands still.

A story's name is a tag of its execution, so that whoever has only the store finds it again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import active_workflow as aw
from active_workflow.core.change import change_between
from active_workflow.core.events import Returned, Started
from active_workflow.core.machine import apply
from active_workflow.core.ready import due_at
from active_workflow.core.relocating import departed
from active_workflow.dsl.durations import parse_duration
from active_workflow.store.base import ClaimRequest, Store
from tests.golden import flows

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = 3_600_000_000

UNUSUAL = {
    "text": "é ß 漢字 😀 \u200b \ufeff \x01\x7f\r\n\t \\u0000 'Ada's' \"50 %\" \\ %s $1 :x ?",
    "at": datetime(2030, 3, 31, 1, 59, 59, 999_999, tzinfo=UTC),
    "zoned": datetime(2030, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    "naive": datetime(1, 1, 1),  # noqa: DTZ001 - as users have them
    "day": date(9999, 12, 31),
    "clock": time(23, 59, 59, 1),
    "span": timedelta(days=-1, microseconds=1),
    "price": Decimal("-0E-10"),
    "id": UUID(int=2**128 - 1),
    "bytes": bytes(range(256)),
    "colour": flows.Colour.GREEN,
    "set": {1, "a", (2, 3)},
    "frozen": frozenset({Decimal(1)}),
    "tuple": (1, (), [{}], {"$aw": "set", "v": []}),
    "big": 2**80,
    "float": 1e-323,
    "nothing": None,
    "": {"": [True, False]},
    "nested": [[{"a": [datetime(2026, 1, 1, tzinfo=UTC)]}]],
}


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def advance(self, duration: str) -> None:
        self.now += timedelta(microseconds=parse_duration(duration, "duration"))

    def micros(self) -> int:
        """The same as stores count."""
        return (self.now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


# --- How they are made ------------------------------------------------------------------------------

Make = Callable[[aw.Engine, str], Any]
STORIES: dict[str, Make] = {}
"""How each is made, in this order: the last one leaves something that is due."""


def open_engine(store: Store, clock: Clock) -> aw.Engine:
    """Give an engine over a store, both with one clock."""
    return aw.Engine(store, embedded=False, listen=False, clock=clock)


def make_all(store: Store, clock: Clock) -> None:
    """Make every story in a store that has this clock."""
    flows.BROKEN.clear()
    with open_engine(store, clock) as engine:
        for name, make in STORIES.items():
            make(engine, name)
            clock.advance("1s")


def story(make: Make) -> Make:
    STORIES[make.__name__] = make
    return make


def start(engine: aw.Engine, name: str, flow: type[aw.Workflow[Any]], **ctx: Any) -> aw.Execution:
    options = {key: ctx.pop(key) for key in ("run_at", "idempotency_key", "key_reuse") if key in ctx}
    return engine.start(flow, ctx, tags={"story": name, "é": "😀"}, **options)


def ran(engine: aw.Engine, name: str, flow: type[aw.Workflow[Any]], **ctx: Any) -> aw.Execution:
    execution = start(engine, name, flow, **ctx)
    engine.run_until_idle()
    return execution.refresh()


@contextmanager
def broken(*steps: str) -> Iterator[None]:
    flows.BROKEN.update(steps)
    yield
    flows.BROKEN.clear()


def by_hand(
    engine: aw.Engine, execution: aw.Execution, *steps: str, lease: int = LEASE, **options: Any
) -> None:
    """Run some steps as a worker that is never heard of again; the last of them is only begun."""
    claimed = engine.store.claim(ClaimRequest("lost:1:00", 10, lease))
    [before] = claimed.executions
    assert before.id == execution.id
    after = before
    for number, step in enumerate(steps, 1):
        after = apply(after, Started(step), claimed.now)
        if number < len(steps) or options:
            patch = {step: "1"}
            after = apply(after, Returned(step, 1, f'{{"{step}":1}}', patch), claimed.now)
    due = due_at(after) if options else None
    [answer] = engine.store.commit([change_between(before, after, owned=True, due_at=due, **options)])
    assert answer.verdict == "applied"


@story
def pending(engine, name):
    start(engine, name, flows.GoldenOrder, run_at=BEGIN + timedelta(days=2), key="k é")


@story
def unusual_values(engine, name):
    ran(engine, name, flows.GoldenOrder, asks=True, **UNUSUAL)


@story
def timed_out(engine, name):
    ran(engine, name, flows.GoldenHasty)  # the time is over when the next one is made


@story
def retry_delay(engine, name):
    with broken("reserve"):
        ran(engine, name, flows.GoldenOrder)


@story
def waits_for_signal(engine, name):
    ran(engine, name, flows.GoldenOrder, asks=True)


@story
def early_signals(engine, name):
    execution = start(engine, name, flows.GoldenOrder, asks=True, run_at=BEGIN + timedelta(days=1))
    execution.signal("approval", {"by": "Ada"}, idempotency_key="s1")
    execution.signal("approval", {"by": "Bob"})


@story
def waits_for_completion(engine, name):
    execution = ran(engine, name, flows.GoldenOrder, ships=True)
    engine.heartbeat(execution.id, "ship", details={"at": Decimal("0.5")})
    engine.extend_timeout(execution.id, "ship", by="1d")


@story
def failed_outside(engine, name):
    execution = ran(engine, name, flows.GoldenOrder, ships=True)
    with broken("refund"):
        execution.fail_step("ship", error_class="Late", message="✓", details=[1], idempotency_key="f1")
        engine.run_until_idle()


@story
def sleeps(engine, name):
    ran(engine, name, flows.GoldenOrder, sleeps=True)


@story
def lost(engine, name):
    by_hand(engine, start(engine, name, flows.GoldenOrder), "reserve", "charge")


@story
def lost_and_cancelled(engine, name):
    execution = start(engine, name, flows.GoldenOrder)
    by_hand(engine, execution, "reserve", "charge")
    execution.cancel("never mind")


@story
def lost_and_asked(engine, name):
    by_hand(engine, start(engine, name, flows.GoldenAsked), "charge")


@story
def in_doubt(engine, name):
    by_hand(engine, start(engine, name, flows.GoldenDoubtful), "reserve", "charge", lease=0)
    engine.run_until_idle()


@story
def compensating(engine, name):
    with broken("charge", "refund"):
        ran(engine, name, flows.GoldenPatient)


@story
def compensation_failed(engine, name):
    with broken("charge", "refund"):
        ran(engine, name, flows.GoldenDoubtful)


@story
def past_the_pivot(engine, name):
    with broken("last"):
        ran(engine, name, flows.GoldenPivoted)


@story
def paused(engine, name):
    engine.pause(ran(engine, name, flows.GoldenOrder, asks=True).id)


@story
def parallel(engine, name):
    ran(engine, name, flows.GoldenParallel)


@story
def moved(engine, name):
    x = engine.load(ran(engine, name, flows.GoldenOrder, asks=True).id)
    after = departed(x, "postgresql://elsewhere/db", "t1", engine.store.now())
    engine.store.commit([change_between(x, after)])


@story
def completed(engine, name):
    ran(engine, name, flows.GoldenOrder, idempotency_key="done")


@story
def failed(engine, name):
    ran(engine, name, flows.GoldenOrder, idempotency_key="again", breaks="last")


@story
def took_the_key_over(engine, name):
    ran(engine, name, flows.GoldenOrder, idempotency_key="again", key_reuse="failed")


@story
def cancelled(engine, name):
    execution = ran(engine, name, flows.GoldenOrder, asks=True)
    execution.cancel("never mind")
    engine.run_until_idle()


@story
def sends(engine, name):
    """Its receipt is an execution of its own, which nobody has begun."""
    by_hand(engine, start(engine, name, flows.GoldenSends), "reserve", release=True)
