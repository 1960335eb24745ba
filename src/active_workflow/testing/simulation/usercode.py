"""The simulated user's code: steps that work, fail, hang, kill their process; effects go to the ledger."""

from collections.abc import Callable
from itertools import count
from typing import Protocol

from active_workflow.core.attempts import Failure
from active_workflow.core.events import (
    Decided,
    DecideFailed,
    Event,
    Failed,
    Returned,
    Skipped,
    Verified,
    VerifyFailed,
)
from active_workflow.engine.call import Call, CallKind
from active_workflow.testing.simulation.ledger import Entry
from active_workflow.testing.simulation.world import SECOND, World

_TEMPERS = (*(["steady"] * 14), *(["flaky"] * 3), *(["broken"] * 2), "slow")
_UNDO_TEMPERS = (*(["steady"] * 16), *(["flaky"] * 3), "broken")
POISON = "poison"

UNFIT = '"\ud800"'
"""What no database takes: half of a surrogate pair."""


class Host(Protocol):
    """The process that makes a call."""

    name: str

    def later(self, delay: int, act: Callable[[], None]) -> None:
        """Do something in the process after a delay, if it still lives then."""
        ...

    def ended(self, entry: Entry, event: Event) -> None:
        """A call has ended."""
        ...

    def transact(self, entry: Entry, event: Event) -> None:
        """A call of a transactional step has ended."""
        ...

    def kill(self) -> None:
        """End the process at once."""
        ...


class UserCode:
    """All user code of a world.

    Attributes:
        initiated: Told of each effect of an external step (or undo): its partner begins to work.
        poisoned: The steps that kill whatever process calls them.
        deaths: The share of calls that kill their process for no reason.
        clashes: The share of results that are written under a key that others use, too.
        shrugs: The share of questions to which ``verify`` answers that it can't tell.
        refusals: The share of calls whose condition says no.
        shortest: No other call takes less time than this, microseconds.
    """

    def __init__(self, world: World) -> None:
        """Write the code of a world."""
        self._world = world
        self._tempers: dict[tuple[str, str, bool], str] = {}
        self._numbers = count(1)
        self.deaths = world.random.choice((0.0, 0.0, 0.03, 0.1))
        self.clashes = world.random.choice((0.03, 0.03, 0.03, 0.5))
        self.shrugs = world.random.choice((0.07, 0.07, 0.07, 0.7))
        self.refusals = world.random.choice((0.03, 0.03, 0.03, 0.2))
        self.initiated: Callable[[Entry], None] = lambda _: None
        self.poisoned: set[tuple[str, str]] = set()
        self.shortest = 0

    def begin(self, host: Host, call: Call) -> Entry:
        """Begin a call: what it does is decided now, and happens bit by bit."""
        world = self._world
        entry = Entry(call, host.name, world.timeline.now)
        world.judge.called(entry)
        if call.kind is CallKind.RUN or call.kind is CallKind.UNDO:
            self._act(host, entry)
        else:
            host.later(world.up_to(SECOND // 2), lambda: self._answer(host, entry))
        return entry

    def poison(self, id: str, step: str) -> None:
        """Make a step kill whatever process calls it."""
        self._tempers[id, step, False] = POISON
        self.poisoned.add((id, step))

    # --- Steps and undos ----------------------------------------------------------------------------

    def _act(self, host: Host, entry: Entry) -> None:
        world, call = self._world, entry.call
        temper = self._temper(call)
        duration = self._duration(call, temper)
        if temper == POISON or (not world.quiet and world.chance(self.deaths)):
            world.count("blow", "is poisoned" if temper == POISON else "dies in a call")
            effect_at = world.random.randrange(duration + 1)
            if world.chance(0.5) and not entry.transactional:
                host.later(effect_at, lambda: self._take_effect(entry))
            host.later(duration, host.kill)
            return
        fails = temper == "broken" or (temper == "flaky" and world.chance(0.5))
        if not fails and call.kind is CallKind.RUN and world.chance(self.refusals):
            host.later(duration, lambda: self._end(host, entry, "skipped", Skipped(call.step, call.attempt)))
            return
        if (not fails or world.chance(0.2)) and not entry.transactional:
            host.later(world.random.randrange(duration + 1), lambda: self._take_effect(entry))
        host.later(duration, lambda: self._finish(host, entry, fails=fails))

    def _temper(self, call: Call) -> str:
        key = (call.id, call.step, call.kind is CallKind.UNDO)
        temper = self._tempers.get(key)
        if temper is None:
            tempers = _UNDO_TEMPERS if call.kind is CallKind.UNDO else _TEMPERS
            temper = self._tempers[key] = self._world.random.choice(tempers)
        return temper

    def _duration(self, call: Call, temper: str) -> int:
        """Give how long a call takes: now and then longer than it may."""
        world = self._world
        slow = temper != POISON and world.chance(0.5 if temper == "slow" else 0.05)
        if slow and (call.timeout is not None or world.chance(0.5)):
            return world.random.randrange(2 * (call.timeout or 4 * SECOND))
        return world.up_to(SECOND) + (0 if temper == POISON else self.shortest)

    def _take_effect(self, entry: Entry) -> None:
        if entry.end is not None:
            return
        entry.effect = True
        call = entry.call
        self._world.log("effect of {}", call)
        if call.kind is CallKind.RUN and self._world.chance(0.3):
            entry.correlation = f"c{call.attempt}"
        plan = call.execution.plan.by_name[call.step]
        if plan.undo_external if call.kind is CallKind.UNDO else plan.kind == "external":
            self.initiated(entry)

    def _finish(self, host: Host, entry: Entry, *, fails: bool) -> None:
        call = entry.call
        undo = call.kind is CallKind.UNDO
        if fails:
            event = Failed(call.step, call.attempt, self._error(), self._world.random.random(), undo=undo)
            self._end(host, entry, "raised", event)
        elif undo:
            self._end(host, entry, "returned", Returned(call.step, call.attempt, undo=True))
        else:
            self._return(host, entry)

    def _return(self, host: Host, entry: Entry) -> None:
        world, call = self._world, entry.call
        if world.chance(0.01):
            self._end(host, entry, "unfit", Returned(call.step, call.attempt, UNFIT))
            return
        entry.answer = self._value(call)
        key = "shared" if world.chance(self.clashes) else call.step
        answer = str(entry.answer)
        event = Returned(call.step, call.attempt, answer, {key: answer}, entry.correlation)
        self._end(host, entry, "returned", event)

    def _value(self, call: Call) -> str:
        return f'"{call.id}/{call.step}#{call.attempt}~{next(self._numbers)}"'

    def _error(self) -> Failure:
        retryable = not self._world.chance(0.1)
        return Failure("Oops", "it broke", ("builtins.Exception",), retryable=retryable)

    def _end(self, host: Host, entry: Entry, how: str, event: Event) -> None:
        if entry.end is None:
            entry.end, entry.ended = how, self._world.timeline.now
            if how == "skipped":  # the attempt does not count, and its number may be used again
                self._world.ledger.made.discard((entry.call.id, *entry.call.key))
            if entry.transactional:
                host.transact(entry, event)
            else:
                host.ended(entry, event)

    # --- Questions ----------------------------------------------------------------------------------

    def _answer(self, host: Host, entry: Entry) -> None:
        world, call = self._world, entry.call
        fails = world.chance(0.05)
        if call.kind is CallKind.DECIDE:
            until = world.timeline.now + world.up_to(5 * SECOND)
            sleeps = call.execution.plan.by_name[call.step].kind == "sleep"
            event: Event = Decided(call.step, go=world.chance(0.8), until=until if sleeps else None)
            if fails:
                event = DecideFailed(call.step, self._error())
        elif fails:
            doubts = call.execution.step(call.step).run.doubts
            event = VerifyFailed(call.step, call.attempt, self._error(), world.random.random(), doubts)
        else:
            event = self._verdict(entry)
        self._end(host, entry, "returned", event)

    def _verdict(self, entry: Entry) -> Event:
        """Look at what really happened, as a payment provider would be asked."""
        call = entry.call
        if self._world.chance(self.shrugs):
            return Verified(call.step, call.attempt, landed=None)
        landed = self._world.ledger.landed((call.id, call.step))
        if landed is None or landed.declined:  # a partner that has said no does not work on it
            return Verified(call.step, call.attempt, landed=False)
        entry.answer = self._value(call)
        known = landed.correlation
        return Verified(call.step, call.attempt, landed=True, result=str(entry.answer), correlation_id=known)
