"""One simulated process with a worker in it: the real scheduler and driver, and slots in virtual time."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from active_workflow.core.change import Change
from active_workflow.core.events import Event, WorkerLost
from active_workflow.core.snapshot import Execution
from active_workflow.engine.call import Call, Report, not_called, overtime
from active_workflow.engine.committer import Outcome
from active_workflow.engine.driver import Driver
from active_workflow.engine.scheduler import Scheduler, WorkerSettings
from active_workflow.engine.transactional import Transactional
from active_workflow.errors import StoreError
from active_workflow.testing.simulation.broken import Broken
from active_workflow.testing.simulation.faulty import FaultyStore, Killed
from active_workflow.testing.simulation.ledger import Entry
from active_workflow.testing.simulation.transaction import SimulatedTransaction
from active_workflow.testing.simulation.usercode import UserCode
from active_workflow.testing.simulation.world import LEASE, MILLISECOND, SECOND, World

GRACE = 4 * SECOND
SLOWEST_RETRY = 2 * SECOND


class Process:
    """A process that works until it is killed or has drained.

    Args:
        world: Where it lives.
        code: The user code it calls.
        name: Unique.
        queues: Whose steps it runs.
        on_end: Told when it has ended, in whichever way.
    """

    def __init__(
        self,
        world: World,
        code: UserCode,
        name: str,
        queues: frozenset[str] | None,
        on_end: Callable[[], None],
    ) -> None:
        self.name = name
        self.alive = True
        self.lacks: frozenset[str] = frozenset()
        self._world = world
        self._code = code
        self._on_end = on_end
        self._skew = world.random.choice((0, 0, -SECOND, -30 * MILLISECOND, 30 * MILLISECOND, SECOND))
        if self._skew:
            world.count("blow", "is skewed")
        self._slots = world.random.choice(world.slots)
        settings = WorkerSettings(
            name, LEASE, 2 * SECOND, self._slots, queues, one_transaction=world.one_transaction
        )
        self.scheduler = Scheduler(settings, self._serves, world.random.random)
        self._store = FaultyStore(world, self)
        self._driver = Driver(self.scheduler, self._store, self.now, self._recorded)
        self._transactional = Transactional(self._store, self.now, world.random.random, LEASE)
        self._inbox: list[Callable[[], None]] = []
        self._queue: deque[Call] = deque()
        self._running: dict[Call, Entry] = {}
        self._frozen_until = 0
        self._late: list[Callable[[], None]] = []
        self._starved_until = 0
        self._busy = False
        self._under_way = 0
        self._batches: deque[Sequence[Change]] = deque()
        self._wake_at: int | None = None
        self._failures = 0
        self._deadline: int | None = None
        self.wake(0)

    def now(self) -> int:
        """Give the store's time as well as it is known here."""
        return self._world.timeline.now + self._skew

    # --- What befalls it ----------------------------------------------------------------------------

    def kill(self) -> None:
        """End it at once: what runs in it gets no further."""
        if not self.alive:
            return
        self._world.log("{} dies", self.name)
        self.alive = False
        for entry in self._running.values():
            entry.end = "died"
        self._on_end()

    def freeze(self, duration: int) -> None:
        """Stop it as SIGSTOP does: nothing in it moves for a while."""
        self._world.log("{} is frozen for {} s", self.name, duration / SECOND)
        self._frozen_until = self._world.timeline.now + duration

    def starve(self, duration: int) -> None:
        """Keep its worker thread from running for a while; its calls go on."""
        self._world.log("{} is starved for {} s", self.name, duration / SECOND)
        self._starved_until = self._world.timeline.now + duration

    def drain(self) -> None:
        """Ask it to end in order."""
        if self._deadline is None:
            self._world.log("{} drains", self.name)
            grace = self._world.random.choice((0, GRACE))
            self._deadline = self._world.timeline.now + grace
            self.tell(self._begin_drain)
            self.later(grace, lambda: self.wake(0))

    def tell(self, act: Callable[[], None]) -> None:
        """Put something into its worker's inbox."""
        self._inbox.append(act)
        self.wake(self._world.up_to(5 * MILLISECOND))

    # --- Its user code ------------------------------------------------------------------------------

    def later(self, delay: int, act: Callable[[], None]) -> None:
        """Do something in the process after a delay, if it still lives then."""
        self._world.timeline.after(delay, lambda: self._do(act))

    def _do(self, act: Callable[[], None]) -> None:
        if not self.alive:
            return
        if self._late or self._frozen_until > self._world.timeline.now:
            self._late.append(act)  # in the order in which it would have happened
            if len(self._late) == 1:
                self._world.timeline.at(self._frozen_until, self._thaw)
        else:
            act()

    def _thaw(self) -> None:
        if self._frozen_until > self._world.timeline.now:  # it was frozen once more meanwhile
            self._world.timeline.at(self._frozen_until, self._thaw)
            return
        late, self._late = self._late, []
        for act in late:
            if self.alive:
                act()

    def ended(self, entry: Entry, event: Event) -> None:
        """A call has ended: report it, and begin the next one."""
        self._world.log("{}: {} {}", self.name, entry.call, entry.end)
        self._running.pop(entry.call, None)
        self._report(Report(entry.call, event))
        self._fill_slots()

    def transact(self, entry: Entry, event: Event) -> None:
        """The code of a transactional step has ended: what it did is recorded with it, or not done."""
        transaction = SimulatedTransaction(self._store, entry)
        try:
            report = self._transactional.conclude(entry.call, event, transaction)
        except Killed:
            return
        if transaction.broken is not None:
            raise transaction.broken
        lost = entry.end == "unfit" and isinstance(report.event, WorkerLost)
        if (entry.end == "returned" or lost) and not entry.effect:
            entry.end = "rolled back"
        self._world.log("{}: {} {}: {}", self.name, entry.call, entry.end, report.event)
        self._running.pop(entry.call, None)
        self._report(report)
        self._fill_slots()

    def _report(self, report: Report) -> None:
        self.tell(lambda: self.scheduler.report(report, self.now()))

    def _fill_slots(self) -> None:
        while self._queue and len(self._running) < self._slots and self.alive:
            call = self._queue.popleft()
            if call.begin(self.now()):
                self._running[call] = self._code.begin(self, call)
            else:
                self._report(not_called(call))

    # --- Its worker's thread ------------------------------------------------------------------------

    def wake(self, delay: int) -> None:
        """Have the worker's thread look about soon."""
        at = self._world.timeline.now + delay
        if self.alive and (self._wake_at is None or at < self._wake_at):
            self._wake_at = at
            self._world.timeline.at(at, lambda: self._do(lambda: self._awake(at)))

    def _awake(self, at: int) -> None:
        if self._wake_at != at or self._busy:
            return
        now = self._world.timeline.now
        if self._starved_until > now:
            self._world.timeline.at(self._starved_until, lambda: self._do(lambda: self._awake(at)))
            return
        self._wake_at = None
        self._busy = True
        try:
            self._turn()
        except Killed:
            return
        finally:
            self._busy = False
        if not self._ended_in_order():
            self._sleep()

    def _turn(self) -> None:
        try:
            while self._inbox:
                self._inbox.pop(0)()
            calls = self._calls()
            self._failures = 0
        except StoreError:
            self._failures += 1
            calls = self.scheduler.calls()
        if self.scheduler.faults:
            raise Broken(f"a fault of the law: {self.scheduler.faults}") from self.scheduler.faults[0][1]
        self._queue.extend(calls)
        self._fill_slots()
        self._stop_expired()

    def _calls(self) -> list[Call]:
        """Do what is to be done in the store, and give the calls to make: as ``Worker`` does it.

        Now and then commits are made by a thread of its own, one after the other, and much may happen before
        the answer of each is taken.
        """
        if self._has_enough_under_way():
            self._driver.renew()
        elif self._world.chance(0.5):
            return self._driver.turn()
        elif changes := self._driver.prepare():
            at_rest = not self._batches
            cut = self._world.up_to(len(changes))
            for part in filter(None, (changes[:cut], changes[cut:])):
                self._under_way += 1
                self._batches.append(part)
            if at_rest:
                self._commit_next()
        return self.scheduler.calls()

    def _has_enough_under_way(self) -> bool:
        return self._under_way > 1 or (self._under_way == 1 and self._world.chance(0.5))

    def _commit_next(self) -> None:
        if self._batches:
            changes = self._batches[0]
            self.later(self._world.up_to(100 * MILLISECOND), lambda: self._commit(changes))

    def _commit(self, changes: Sequence[Change]) -> None:
        try:
            outcome: Outcome = self._driver.store.commit(changes)
        except Killed:
            return
        except StoreError as error:
            outcome = error
        answered = partial(self._settle, changes, outcome)
        self.later(self._world.up_to(100 * MILLISECOND), lambda: self.tell(answered))
        self._batches.popleft()
        self._commit_next()

    def _settle(self, changes: Sequence[Change], outcome: Outcome) -> None:
        self._under_way -= 1
        self._driver.settle(changes, outcome)

    def _stop_expired(self) -> None:
        world = self._world
        for call in self.scheduler.expired(self.now()):
            entry = self._running.get(call)
            stops = world.chance(0.5) and not (entry and entry.transactional)
            if stops and entry is not None:
                entry.end = "stopped"
                del self._running[call]
                self._report(Report(call, overtime(call, world.random.random(), stopped=True)))
                self._fill_slots()
            elif entry is not None:
                event = overtime(call, world.random.random(), stopped=False)
                self._report(Report(call, event, over=False))

    def _sleep(self) -> None:
        self._wake_at = None
        if self._failures:
            self.wake(min(SLOWEST_RETRY, 50 * MILLISECOND * 2 ** min(self._failures, 10)))
            return
        now = self.now()
        at = now if self._inbox else self.scheduler.wake_at(now, committing=self._under_way > 0)
        if at is not None:
            self.wake(max(at - now, self._world.up_to(2 * MILLISECOND)))

    def _ended_in_order(self) -> bool:
        if not self.scheduler.draining or self._under_way:
            return False
        if self.scheduler.held and self._world.timeline.now < (self._deadline or 0):
            return False
        try:
            self._driver.give_up()
        except StoreError:
            pass
        except Killed:
            return True
        self.kill()
        return True

    def _begin_drain(self) -> None:
        self.scheduler.drain()
        while self._queue:
            self.scheduler.report(not_called(self._queue.popleft()), self.now())

    def _serves(self, execution: Execution) -> str | None:
        return "its code is not here" if execution.plan.hash in self.lacks else None

    def _recorded(self, transitions: Sequence[tuple[Execution, Execution]]) -> None:
        self._world.judge.told(self.name, transitions)
