"""A worker: a thread that drives a scheduler, and the pool that makes its calls."""

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from active_workflow.core.snapshot import Execution
from active_workflow.engine.call import Report, not_called, overtime
from active_workflow.engine.clock import StoreClock
from active_workflow.engine.driver import Driver
from active_workflow.engine.pool import Pool
from active_workflow.engine.scheduler import Scheduler
from active_workflow.errors import StoreError, StoreUnavailable

logger = logging.getLogger("active_workflow")

SLOWEST_RETRY = 5.0
"""Seconds between two attempts to reach a store that does not answer, at most."""
MOST_MESSAGES = 1000
"""So many reports at most go into one commit: what a crash may repeat is bounded by it."""


class Worker:
    """Runs executions until it is drained.

    Args:
        scheduler: Its mind.
        driver: The scheduler's hands in the store.
        clock: The store's time.
        make_pool: Makes the pool, given what takes reports.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        driver: Driver,
        clock: StoreClock,
        make_pool: Callable[[Callable[[Report], None]], Pool],
    ) -> None:
        self._scheduler = scheduler
        self._driver = driver
        self._clock = clock
        self._inbox: SimpleQueue[Callable[[], None] | Report] = SimpleQueue()
        self.pool = make_pool(self._inbox.put)
        self._failures = 0
        self._drained = threading.Event()
        self._abandoned = False
        self._door = threading.Lock()
        self._shut = False
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
                self._inbox.put(lambda: self._scheduler.adopt(execution, good_until, self._clock.now()))
            return not self._shut

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
        self._inbox.put(self._begin_drain)
        in_order = self._drained.wait(grace)
        if not in_order:
            self._inbox.put(self._abandon)
            self._thread.join(SLOWEST_RETRY)
        self.pool.close()
        return in_order

    # --- In its own thread ----------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over():
            try:
                self._work()
            except Exception:
                self._failures += 1
                logger.exception("worker %s met an error that should not happen and begins anew", self.name)
                self._give_up()
        if self._abandoned:
            self._give_up()
        self._drained.set()

    def _work(self) -> None:
        self._take_messages()
        try:
            calls = self._driver.turn()
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
        self.pool.submit(calls)
        self._stop_expired()

    def _over(self) -> bool:
        with self._door:
            at_rest = self._scheduler.draining and not self._scheduler.held and self._inbox.empty()
            self._shut = self._abandoned or at_rest
            return self._shut

    def _take_messages(self) -> None:
        try:
            message = self._inbox.get(timeout=self._patience())
            for _ in range(MOST_MESSAGES):
                self._take(message)
                message = self._inbox.get_nowait()
            self._take(message)
        except Empty:
            return

    def _take(self, message: Callable[[], None] | Report) -> None:
        if isinstance(message, Report):
            self._scheduler.report(message, self._clock.now())
        else:
            message()

    def _patience(self) -> float | None:
        """Seconds until there is something to do even if no message comes."""
        if self._failures:
            return min(SLOWEST_RETRY, 0.05 * 2.0 ** min(self._failures, 10))
        now = self._clock.now()
        wake_at = self._scheduler.wake_at(now)
        return None if wake_at is None else max(0, wake_at - now) / 1_000_000

    def _stop_expired(self) -> None:
        for call in self._scheduler.expired(self._clock.now()):
            if call.stubborn or not self.pool.stop(call):  # like a thread: its time is over, it goes on
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
        except StoreError as error:
            logger.warning("leases could not be given back; they end by themselves: %s", error)

    def _log_faults(self) -> None:
        faults = self._scheduler.faults
        while faults:
            id, error = faults.pop()
            logger.error("execution %s was let go, for this should not happen: %s", id, error)
