"""A worker that does one store call at a time: the real scheduler and driver, stopped after each."""

from collections.abc import Sequence
from dataclasses import replace

from active_workflow.core.snapshot import Execution
from active_workflow.engine.call import Call, Report, not_called, overtime
from active_workflow.engine.driver import Driver
from active_workflow.engine.scheduler import Scheduler, WorkerSettings
from active_workflow.errors import StoreError
from active_workflow.store.base import Claimed, ClaimRequest
from active_workflow.testing.simulation.broken import Broken
from active_workflow.testing.simulation.faulty import FaultyStore
from active_workflow.testing.simulation.ledger import Entry
from active_workflow.testing.simulation.world import World

ROLL = 0.5
NEVER = 10**16
"""Microseconds between two claims that nobody asked for."""


def _roll() -> float:
    return ROLL


def _serves(_: Execution) -> None:
    return None


class _Quiet(FaultyStore):
    """A store that never says when to claim again: when a worker does is for the search to choose."""

    def claim(self, request: ClaimRequest) -> Claimed:
        return replace(super().claim(request), next_due=None)


class SmallWorker:
    """One worker process.

    Attributes:
        name: Another one for each that takes a dead one's place.
        alive: Whether it was not killed yet.
        waiting: The calls that it is asked to make and no slot has begun.
        running: Those that have begun, and what the ledger says of them.
    """

    def __init__(self, world: World, name: str, lease: int, slots: int) -> None:
        self.name = name
        self.alive = True
        self.waiting: list[Call] = []
        self.running: list[Entry] = []
        self._world = world
        self._slots = slots
        self._stage = 0
        settings = WorkerSettings(name, lease, NEVER, slots)
        self.scheduler = Scheduler(settings, _serves, _roll)
        self._driver = Driver(self.scheduler, _Quiet(world, self), world.time, self._told)

    @property
    def state(self) -> tuple[object, ...]:
        """All that can make a difference later."""
        running = [(entry.call, entry.effect, entry.end) for entry in self.running]
        return (self._stage, self.waiting, running, self.scheduler)

    @property
    def busy(self) -> bool:
        """Whether it has a store call to make, or may have."""
        return self._stage > 0 or self._has_more()

    def _has_more(self) -> bool:
        now = self._world.time()
        wake_at = self.scheduler.wake_at(now)
        return wake_at is not None and wake_at <= now

    @property
    def next(self) -> str:
        """Which store call it makes next, if it makes one."""
        left = ("load", "renew", "claim", "commit")[self._stage :]
        now = self._world.time()
        due = {
            "load": bool(self.scheduler.stale()),
            "renew": bool(self.scheduler.renewals(now)),
            "claim": self.scheduler.claim(now) is not None,
        }
        return next((name for name in left if due.get(name, True)), "commit")

    def may_claim(self) -> bool:
        """Tell whether it would claim if it were told that something is due."""
        if self._stage > _STAGES.index(SmallWorker._claim):
            return False
        self.scheduler.hint()
        return self.scheduler.claim(self._world.time()) is not None

    def claim_in_vain(self) -> None:
        """Make the claim that is due while nothing can be claimed: it changes nothing but when it claims next."""
        if self.scheduler.claim(self._world.time()) is not None:
            self._driver.claim()

    @property
    def has_slot(self) -> bool:
        """Whether it can begin a call."""
        return len(self.running) < self._slots

    def kill(self) -> None:
        """End it; what runs in it ends with it."""
        self.alive = False
        for entry in self.running:
            entry.end = "died"

    # --- What it does -----------------------------------------------------------------------------

    def go(self) -> None:
        """Go on to its next store call, and to the end of its turn if there is none."""
        try:
            while self._stage < len(_STAGES):
                self._stage += 1
                if _STAGES[self._stage - 1](self) and self._has_more():
                    return
        except StoreError:
            pass
        self._stage = 0
        self.waiting += self.scheduler.calls()
        self._stop_expired()
        if self.scheduler.faults:
            raise Broken(f"a fault of the law: {self.scheduler.faults}") from self.scheduler.faults[0][1]

    def _read_stale(self) -> bool:
        due = bool(self.scheduler.stale())
        self._driver.read_stale()
        return due

    def _renew(self) -> bool:
        due = bool(self.scheduler.renewals(self._world.time()))
        self._driver.renew()
        return due

    def _claim(self) -> bool:
        due = self.scheduler.claim(self._world.time()) is not None
        self._driver.claim()
        return due

    def _commit(self) -> bool:
        self._driver.commit()
        return False  # what was recorded is called with the end of the turn

    def _told(self, transitions: Sequence[tuple[Execution, Execution]]) -> None:
        self._world.judge.told(self.name, transitions)

    def _stop_expired(self) -> None:
        for call in self.scheduler.expired(self._world.time()):
            if any(entry.call is call for entry in self.running):
                self._report(Report(call, overtime(call, ROLL, stopped=False), over=False))

    # --- Its slots --------------------------------------------------------------------------------

    def begin(self) -> Entry | None:
        """Begin the next call; None where its lease may be over by now, and it must not be made."""
        call = self.waiting.pop(0)
        if not call.begin(self._world.time()):
            self._report(not_called(call))
            return None
        entry = Entry(call, self.name, self._world.time())
        self.running.append(entry)
        return entry

    def end(self, report: Report) -> None:
        """A call has ended."""
        self.running = [entry for entry in self.running if entry.call is not report.call]
        self._report(report)

    def _report(self, report: Report) -> None:
        self.scheduler.report(report, self._world.time())


_STAGES = (SmallWorker._read_stale, SmallWorker._renew, SmallWorker._claim, SmallWorker._commit)  # noqa: SLF001
