"""What an engine has while it lives: its clock, its worker, its waiter; and what happens at a fork."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from logging import Logger

from active_workflow.core.snapshot import Ending, Execution
from active_workflow.core.states import State
from active_workflow.dispatch.base import Dispatcher
from active_workflow.dsl.current import running
from active_workflow.dsl.durations import Duration, parse_duration
from active_workflow.engine.clock import StoreClock
from active_workflow.engine.notices import notifier, publish
from active_workflow.engine.outside import Deliverer
from active_workflow.engine.runtime import Parts, make_inline_runner, make_worker
from active_workflow.engine.scheduler import Transition
from active_workflow.engine.settings import Settings
from active_workflow.engine.uncommitted import Uncommitted
from active_workflow.engine.waiter import Waiter
from active_workflow.engine.worker import Worker
from active_workflow.errors import MisuseError
from active_workflow.store.base import Store
from active_workflow.store.readiness import ready
from active_workflow.store.serializer import Serializer


class Host:
    """The living parts of an engine. All of them are made at first use, and anew in a forked child.

    Args:
        store: Where executions are kept.
        serializer: How values are encoded.
        settings: How to work.
        clock: A configured clock, microseconds, that decides everywhere.
        logger: Where to log.
        dispatcher: Who wakes a runner, in place of the embedded worker.
    """

    def __init__(
        self,
        store: Store,
        serializer: Serializer,
        settings: Settings,
        *,
        clock: Callable[[], int] | None,
        logger: Logger,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        self.store = store
        self.serializer = serializer
        self.settings = settings
        self.logger = logger
        self._given_clock = clock
        self._dispatcher = dispatcher
        if dispatcher is not None:
            dispatcher.bind(self.run_until_idle)
        self._begin()
        _hosts.add(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._clock: StoreClock | None = None
        self._worker: Worker | None = None
        self._worker_is_embedded = False
        self._closing = False
        self._stop_listening: Callable[[], None] | None = None
        self._listening = False
        self._said: set[tuple[str, str]] = set()
        self.waiter = Waiter(self.store.states)
        self.uncommitted = Uncommitted()
        self.deliverer = Deliverer(
            self.store, self.now, self.recorded_outside, not_found=self.uncommitted.not_found
        )

    # --- Time and the store -------------------------------------------------------------------------

    @property
    def clock(self) -> StoreClock:
        """The store's time; it is seen to when this is first asked that the store can be used."""
        with self._lock:
            if self._clock is None:
                ready(self.store)
                self._clock = StoreClock(self.store.now(), fixed=self._given_clock)
            return self._clock

    def now(self) -> int:
        """Give the store's time in microseconds."""
        return (self._clock or self.clock).now()

    # --- The worker ---------------------------------------------------------------------------------

    @property
    def worker(self) -> Worker | None:
        """The worker of this process, if one runs."""
        return self._worker

    def ensure_worker(self) -> Worker | None:
        """Give the embedded worker, starting it at first use; None where this engine runs nothing itself."""
        if self._closing:
            return None
        if not self.settings.embedded:
            self.listen()
            return None
        return self._worker or self.start_worker()

    def holds(self, id: str) -> bool:
        """Tell whether the worker of this process has an execution in its hands."""
        worker = self._worker
        return worker is not None and worker.holds(id)

    def start_worker(
        self, *, own_workflows_only: bool = True, loop: asyncio.AbstractEventLoop | None = None
    ) -> Worker:
        """Start the worker of this process, unless it runs already and serves as much."""
        if self._worker_is_embedded and not own_workflows_only:
            self.drain()
        with self._lock:
            if self._worker is None:
                self._worker = make_worker(self.parts(own_workflows_only=own_workflows_only), loop)
                self._worker_is_embedded = own_workflows_only
                self._worker.start()
                self.listen()
            return self._worker

    def parts(self, *, own_workflows_only: bool = True) -> Parts:
        """Give what a worker is made of."""
        return Parts(
            self.store, self.settings, self.serializer, self.clock, self.recorded_here, own_workflows_only
        )

    def run_until_idle(self) -> int:
        """Run everything that is due in this thread; give how many calls were made."""
        return make_inline_runner(self.parts()).run_until_idle()

    def drain(self, grace: Duration | None = None) -> bool:
        """Stop the worker, giving running steps so much time; True when nothing was cut off.

        Raises:
            MisuseError: A step of it asks for that: it would wait for itself.
        """
        if running() is not None and self._worker is not None:
            raise MisuseError("a step can't close, drain or replace the engine that runs it")
        with self._lock:
            worker, self._worker = self._worker, None
        micros = self.settings.grace if grace is None else parse_duration(grace, "grace")
        return worker is None or worker.drain(micros / 1_000_000)

    def close(self) -> None:
        """Drain, stop listening, close the store; what is started meanwhile is left to other processes."""
        self._closing = True
        try:
            self.drain()
            with self._lock:
                stop, self._stop_listening, self._listening = self._stop_listening, None, False
            if stop is not None:
                stop()
            self.waiter.close()
            self.store.close()
        finally:
            self._closing = False

    # --- Hints --------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Take the store's hints, where settings and store allow."""
        with self._lock:
            if self._listening or not self.settings.listen:
                return
            self._listening = True
            self._stop_listening = self.store.listen(self.hint)

    def hint(self) -> None:
        """Something may have changed: have the worker claim and the waiter look."""
        worker = self._worker
        if worker is not None:
            worker.hint()
        self.waiter.look()

    def recorded_here(self, transitions: Sequence[Transition]) -> None:
        """Tell subscribers, whoever waits and (in the log) operators of what this process has recorded."""
        publish(transitions, self.now(), self.serializer)
        self.waiter.settle(after for _, after in transitions)
        for before, after in transitions:
            if after.ending is not None and before.ending is None and after.ending.outcome is State.FAILED:
                self._log_failure(after, after.ending)
            if _needs_somebody(after) and not _needs_somebody(before) and self._is_news(after):
                self.logger.warning(
                    "%s %s is %s: somebody has to see to it; ask `active-workflow explain` how",
                    after.plan.workflow,
                    after.id,
                    after.state,
                )

    def _log_failure(self, execution: Execution, ending: Ending) -> None:
        """Say why an execution fails. A saga that fails and is undone may be all in order: no warning."""
        error = ending.error
        self.logger.info(
            "%s %s fails%s: %s: %s%s",
            execution.plan.workflow,
            execution.id,
            "" if ending.step is None else f" at step {ending.step}",
            error.type,
            error.message,
            f"\n{error.traceback}" if error.traceback else "",
        )

    def _is_news(self, execution: Execution) -> bool:
        """Whether it has to be said: a deploy that lacks code may block thousands for one reason."""
        block = execution.blocked
        if block is None or not block.kind.passes_with_deploy:
            return True
        reason = (execution.plan.hash, block.reason)
        known = reason in self._said
        self._said.add(reason)
        return not known

    def recorded_outside(self, transitions: Sequence[Transition]) -> None:
        """A caller in this process has recorded something: the worker does not know of it yet."""
        self.recorded_here(transitions)
        worker = self._worker
        if worker is not None:
            for _, after in transitions:
                worker.touched(after.id)
        self.wake([after.id for _, after in transitions], hint=True)

    def wake(self, ids: Sequence[str], *, hint: bool) -> None:
        """Have what was recorded of executions looked at: by the dispatcher, or (``hint``) the worker."""
        if self._dispatcher is not None:
            self._dispatcher.wake(ids)
        elif hint and self._worker is not None:
            self._worker.hint()

    # --- Fork ---------------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """Begin anew in a child: no worker, no thread, no connection is inherited."""
        self._begin()


def _needs_somebody(execution: Execution) -> bool:
    """Tell whether a person or a deploy has to see to an execution."""
    return execution.blocked is not None or execution.undo_stuck


_hosts: "weakref.WeakSet[Host]" = weakref.WeakSet()


def _after_fork() -> None:
    notifier.after_fork()
    for host in list(_hosts):
        host.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
