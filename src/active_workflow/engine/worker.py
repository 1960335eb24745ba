"""A worker: a thread that drives a scheduler, and the pool that makes its calls.

Its mind is driven by one thread at a time, whoever holds the baton. That is its own thread, which sleeps
until something is due or reported; but a thread of the pool that ends a step while the worker is at rest
takes the baton itself, records the step and goes on with the next: two changes of threads less for each
step of an execution that is alone.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution
from active_workflow.engine.call import Call, Report, not_called, overtime
from active_workflow.engine.clock import StoreClock
from active_workflow.engine.committer import Committer, Outcome
from active_workflow.engine.driver import Driver
from active_workflow.engine.pool import Pool
from active_workflow.engine.scheduler import Scheduler
from active_workflow.errors import StoreError, StoreUnavailable

logger = logging.getLogger("active_workflow")

SLOWEST_RETRY = 5.0
"""Seconds between two attempts to reach a store that does not answer, at most."""
MOST_MESSAGES = 1000
"""So many reports at most are taken before they are committed: what a crash may repeat is bounded by it."""
WORTH_A_THREAD = 16
"""From so many changes on, a thread of its own commits: for fewer, going there and back costs too much."""
MOST_UNDER_WAY = 2
"""From so many commits on, being made or waiting for that, nothing more is decided."""
WORTH_ANOTHER = 64
"""While a commit is under way, there has to be so much to decide about: small ones cost as much as large."""

Message = Callable[[], None] | Report


def _nothing() -> None:
    """Wake the worker's thread without telling it anything."""


class Worker:
    """Runs executions until it is drained.

    Args:
        scheduler: Its mind.
        driver: The scheduler's hands in the store.
        clock: The store's time.
        make_pool: Makes the pool, given what takes reports of threads, and of the loop.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        driver: Driver,
        clock: StoreClock,
        make_pool: Callable[[Callable[[Report], Call | None], Callable[[Report], None]], Pool],
    ) -> None:
        self._scheduler = scheduler
        self._driver = driver
        self._clock = clock
        self._inbox: SimpleQueue[Message] = SimpleQueue()
        self._baton = threading.Lock()
        self._asleep_until: int | None = 0
        self.pool = make_pool(self._report, self._inbox.put)
        self._committer = Committer(driver.store.commit, self._answered, f"{self.name}-commits")
        self._under_way = 0
        self._answers: deque[tuple[Sequence[Change], Outcome]] = deque()
        self._failures = 0
        self._drained = threading.Event()
        self._abandoned = False
        self._door = threading.Lock()
        self._shut = False
        self._coming: set[str] = set()
        self._thread = threading.Thread(target=self._run, name=scheduler.settings.name, daemon=True)

    # --- From any thread ------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    @property
    def name(self) -> str:
        """The worker's unique name: the owner of its leases."""
        return self._scheduler.settings.name

    @property
    def room(self) -> int:
        """About how many more executions it could take over at once."""
        return 0 if self._scheduler.draining else self._scheduler.pace.limit - len(self._scheduler.held)

    def adopt(self, execution: Execution, good_until: int) -> bool:
        """Hand it an execution that was inserted with its lease; False when it has ended by now."""
        with self._door:
            if not self._shut:
                self._coming.add(execution.id)
                self._inbox.put(lambda: self._adopt(execution, good_until))
            return not self._shut

    def holds(self, id: str) -> bool:
        """Tell whether an execution is in its hands: then whatever it comes to is recorded here, later."""
        return id in self._coming or id in self._scheduler.held

    def touched(self, id: str) -> None:
        """Tell it that an execution was changed by somebody else in this process."""
        self._inbox.put(lambda: self._scheduler.touched(id))

    def hint(self) -> None:
        """Tell it that something may be due."""
        self._inbox.put(self._scheduler.hint)

    def drain(self, grace: float) -> bool:
        """Finish what runs and give back the rest.

        Args:
            grace: Seconds that running steps are given.

        Returns:
            Whether everything was finished or given back in order; what still runs after the grace time
            is given up: another worker will find it interrupted.
        """
        in_order = False
        try:
            self._inbox.put(self._begin_drain)
            in_order = self._drained.wait(grace)
        finally:  # on Ctrl-C, too: who can't wait has the rest given up at once
            if not in_order:
                self._inbox.put(self._abandon)
                self._thread.join(SLOWEST_RETRY)
            self.pool.close()
            self._committer.close()
        return in_order

    # --- In a thread of the pool -----------------------------------------------------------------

    def _report(self, report: Report) -> Call | None:
        """Take a report; give the call that its thread is to make next, where it had to look itself."""
        if self._baton.acquire(blocking=False):
            try:
                if self._at_rest():
                    call = self._attend(report, here=True)
                    self._rouse()
                    return call
            finally:
                self._baton.release()
        self._inbox.put(report)
        return None

    def _at_rest(self) -> bool:
        """Tell whether the worker has nothing else to do: else what comes together is recorded together.

        In a forked child its thread is dead, and it is only a copy of the parent's.
        """
        trouble = self._failures or self._scheduler.draining or self._shut or not self._thread.is_alive()
        return not trouble and not self._under_way and self._inbox.empty() and not self.pool.is_behind

    def _rouse(self) -> None:
        """Wake the worker's own thread if it would oversleep."""
        wake_at = self._wake_at(self._clock.now())
        if wake_at is not None and (self._asleep_until is None or wake_at < self._asleep_until):
            self._inbox.put(_nothing)

    # --- In its own thread ----------------------------------------------------------------------

    def _run(self) -> None:
        while (message := self._next()) is not None:
            with self._baton:
                self._attend(message)
        if self._abandoned:
            self._give_up()
        self._drained.set()

    def _next(self) -> Message | None:
        """Sleep until there is something to do, and give the first message; None when all is over."""
        with self._baton:
            if self._over():
                return None
            now = self._clock.now()
            wake_at = self._asleep_until = self._wake_at(now)
        try:
            return self._inbox.get(timeout=None if wake_at is None else max(0, wake_at - now) / 1_000_000)
        except Empty:
            return _nothing

    # --- With the baton -------------------------------------------------------------------------

    def _attend(self, message: Message, *, here: bool = False) -> Call | None:
        """Take what was told, do what is to be done in the store, and have the calls made that follow.

        Args:
            message: The first that was told.
            here: Whether this is a thread of the pool: it makes one of the calls itself, and leaves all other
                messages to the worker's own thread, for they have woken that one, and it may have to end.

        Returns:
            The call that this thread is to make.
        """
        calls: list[Call] = []
        try:
            calls = self._calls(message, alone=here)
            own = self.pool.submit(calls, here=here)
            self._stop_expired()
        except Exception:
            self._failures += 1
            logger.exception("worker %s met an error that should not happen and begins anew", self.name)
            self._give_up()
            for call in calls:
                if call.called_at is None:  # nor will it be, now that its lease is given up
                    self._inbox.put(not_called(call))
            return None
        return own

    def _calls(self, message: Message, *, alone: bool) -> list[Call]:
        """Take what was told and do what is to be done in the store now; give the calls to make."""
        try:
            self._take_messages(message, most=0 if alone else MOST_MESSAGES)
            calls = self._turn()
            if not self._under_way:
                self._failures = 0
        except StoreUnavailable as error:
            self._failures += 1
            logger.warning("the store does not answer, trying again: %s", error)
            calls = self._scheduler.calls()
        except StoreError:
            self._failures += 1
            logger.exception("worker %s can't go on as it is; it tries again", self.name)
            calls = self._scheduler.calls()
        self._log_faults()
        return calls

    def _turn(self) -> list[Call]:
        """Do a turn; a large commit goes on while its answer is waited for."""
        while self._answers:
            changes, outcome = self._answers.popleft()
            self._under_way -= 1
            self._driver.settle(changes, outcome)
            self._failures = 0
        if self._has_enough_under_way():
            self._driver.renew()
            return self._scheduler.calls()
        prepared = self._driver.prepare()
        if len(prepared) >= WORTH_A_THREAD:
            self._under_way += self._committer.submit(prepared)
        elif prepared:
            self._driver.commit_now(prepared)
        return self._scheduler.calls()

    def _has_enough_under_way(self) -> bool:
        """Tell whether to wait for an answer first: a store's only writer lets others write in between."""
        most = 1 if self._scheduler.settings.one_transaction else MOST_UNDER_WAY
        enough = self._under_way >= most or self._scheduler.gathered < WORTH_ANOTHER
        return self._under_way > 0 and enough

    def _answered(self, changes: Sequence[Change], outcome: Outcome) -> None:
        """Keep what became of a commit, in the committer's thread, for the next turn: it can take errors."""
        self._inbox.put(lambda: self._answers.append((changes, outcome)))

    def _over(self) -> bool:
        with self._door:
            at_rest = self._scheduler.draining and not self._scheduler.held and self._inbox.empty()
            self._shut = (self._abandoned or at_rest) and not self._under_way
            return self._shut

    def _take_messages(self, message: Message, most: int) -> None:
        now = self._clock.now()  # one instant for all that has gathered: they are recorded together
        self._take(message, now)
        with suppress(Empty):
            for _ in range(most):
                self._take(self._inbox.get_nowait(), now)

    def _take(self, message: Message, now: int) -> None:
        if isinstance(message, Report):
            self._scheduler.report(message, now)
        else:
            message()

    def _adopt(self, execution: Execution, good_until: int) -> None:
        self._scheduler.adopt(execution, good_until, self._clock.now())
        self._coming.discard(execution.id)

    def _wake_at(self, now: int) -> int | None:
        """Tell when there is something to do even if no message comes."""
        if self._failures:
            return now + int(1_000_000 * min(SLOWEST_RETRY, 0.05 * 2.0 ** min(self._failures, 10)))
        return self._scheduler.wake_at(now, committing=self._has_enough_under_way())

    def _stop_expired(self) -> None:
        for call in self._scheduler.expired(self._clock.now()):
            if call.deaf or not self.pool.stop(call):
                roll = self._scheduler.roll()
                self._inbox.put(Report(call, overtime(call, roll, stopped=False), over=False))

    def _begin_drain(self) -> None:
        self._scheduler.drain()
        for call in self.pool.take_back():
            self._scheduler.report(not_called(call), self._clock.now())

    def _abandon(self) -> None:
        """The grace time is over: one more turn records what is known, then the leases are given up."""
        self._abandoned = True

    def _give_up(self) -> None:
        try:
            self._driver.give_up()
        except Exception as error:  # noqa: BLE001 - whatever the store raises, the worker lives
            logger.warning("leases could not be given back; they end by themselves: %s", error)

    def _log_faults(self) -> None:
        faults = self._scheduler.faults
        while faults:
            id, error = faults.pop()
            logger.error("execution %s was let go, for this should not happen: %s", id, error)
