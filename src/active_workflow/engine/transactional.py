"""Calls of transactional steps: what the step writes and that it is done are one commit of the step's own.

The worker's scheduler learns of that commit as of one of its own. Nothing else is different: a step that
raises is reported like any other, once what it wrote has been rolled back.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from active_workflow.core.attempts import Failure
from active_workflow.core.change import Change, change_between
from active_workflow.core.events import Event, Failed, Returned, WorkerLost
from active_workflow.core.machine import apply
from active_workflow.core.runs import timed_out
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import Phase, StepState
from active_workflow.engine.call import Call, CallKind, Report, not_called
from active_workflow.engine.failures import failure_of
from active_workflow.errors import (
    ConfigurationError,
    DataRejected,
    StepTransactionError,
    StoreError,
    UnknownCommit,
)
from active_workflow.store.base import Store
from active_workflow.store.transactions import RunsTransactions, StepTransaction

_log = logging.getLogger("active_workflow")

PAUSE = 0.5
"""Seconds after a transaction that could not be begun, before the step is tried again."""


class Inside:
    """The transaction that a step runs in, for what else belongs into it.

    Attributes:
        store: Whose transaction it is.
        connection: Its connection.
        handed: What the step was handed: the connection, or a session on it.
        after_commit: What to do once it has been committed.
    """

    def __init__(
        self, store: object, connection: Any, handed: Any, after_commit: list[Callable[[], None]]
    ) -> None:
        self.store = store
        self.connection = connection
        self.handed = handed
        self.after_commit = after_commit


_inside: ContextVar[Inside | None] = ContextVar("active_workflow_step_transaction", default=None)


def inside(store: object, given: object = None) -> Inside | None:
    """Give the transaction of the step that runs here, if it is the store's.

    Args:
        store: The store.
        given: A connection that was given to say which transaction; another one than the step's gives None.
    """
    found = _inside.get()
    if found is None or found.store is not store:
        return None
    return found if given is None or given is found.handed or given is found.connection else None


def check_store(store: Store, *, transactional: bool) -> None:
    """Raise ConfigurationError where a workflow has transactional steps, and its store can't run them."""
    if transactional and not isinstance(store, RunsTransactions):
        raise ConfigurationError(
            f"the workflow has a transactional step, and {type(store).__name__} runs none: "
            "use sqlite:///… or postgresql://…, or a plain step that uses ctx.step_key"
        )


class Transactional:
    """Makes the calls of transactional steps.

    Args:
        store: Where they write.
        now: The store's time.
        roll: Gives a number in [0, 1).
        lease: How long a claim lasts, microseconds.
    """

    def __init__(self, store: Store, now: Callable[[], int], roll: Callable[[], float], lease: int) -> None:
        self._store = store
        self._now = now
        self._roll = roll
        self._lease = lease

    def report(self, call: Call, handed: str, make: Callable[[], Event]) -> Report:
        """Make a call in a transaction, and commit what came of it.

        Args:
            call: The call.
            handed: ``"connection"`` or ``"session"``: what the step is handed.
            make: Calls its code, and gives what came of it.
        """
        after_commit: list[Callable[[], None]] = []
        report: Report | None = None
        try:
            with self._begun(call) as transaction:
                if transaction is None or not call.begin(self._now()):
                    return not_called(call)
                with self._handed(call, handed, transaction, after_commit) as flush:
                    event = flush(make())
                report = self.conclude(call, event, transaction)
        except Exception as error:  # noqa: BLE001 - a call that is never reported would never end
            if report is None:
                return Report(call, self._failed(call, failure_of(error)))
            _log.exception("the transaction of %r could not be ended in order", call)
        call.ended_at = self._now()
        if report.recorded is not None:
            _do_all(after_commit)
        return report

    @contextmanager
    def _begun(self, call: Call) -> Iterator[StepTransaction | None]:
        """Begin a transaction; None where the store can't begin any now."""
        store = self._store
        check_store(store, transactional=True)
        assert isinstance(store, RunsTransactions)  # noqa: S101 - as was just checked
        with ExitStack() as stack:
            try:
                transaction = stack.enter_context(store.step_transaction(self._limit(call, store)))
            except StoreError as error:
                _log.warning("no transaction can be begun for %r, trying again: %s", call, error)
                time.sleep(PAUSE)
                yield None
                return
            yield transaction

    def _limit(self, call: Call, store: RunsTransactions) -> float | None:
        limits = [] if call.timeout is None else [call.timeout]
        if store.one_at_a_time:
            limits.append(self._lease // 3)
        return min(limits) / 1_000_000 if limits else None

    def conclude(self, call: Call, event: Event, transaction: StepTransaction) -> Report:
        """End the transaction of a call, by what came of its code; give what there is to report."""
        if transaction.late:
            return Report(call, self._failed(call, _late(call)))
        if isinstance(event, Returned):
            return self._recorded(call, event, transaction)
        return Report(call, self._rolled_back(call, event, transaction))

    @contextmanager
    def _handed(
        self, call: Call, handed: str, transaction: StepTransaction, after_commit: list[Callable[[], None]]
    ) -> Iterator[Callable[[Event], Event]]:
        """Hand the connection (or a session on it) to the step; give what ends its use."""
        session = transaction.session() if handed == "session" else None
        call.handed = transaction.connection if session is None else session.handed
        known = Inside(self._store, transaction.connection, call.handed, after_commit)
        token = _inside.set(known)

        def flush(event: Event) -> Event:
            try:
                if session is not None and isinstance(event, Returned):
                    session.flush()
            except Exception as error:  # noqa: BLE001 - the step's own: what it left to be written can't be
                return self._failed(call, failure_of(error))
            return event

        try:
            yield flush
        finally:
            _inside.reset(token)
            call.handed = None
            if session is not None:
                session.close()

    # --- What came of it ----------------------------------------------------------------------------

    def _recorded(self, call: Call, event: Returned, transaction: StepTransaction) -> Report:
        decision = _Decision(call, event, self._now, self._failed)
        try:
            committed = transaction.complete(call.execution, decision)
        except UnknownCommit as error:
            _log.warning("%s", error)
            return self._found_out(call, event, decision)
        except Exception as error:  # noqa: BLE001 - the driver's own, too: the database refuses what was written
            return Report(call, self._not_committed(call, error, transaction))
        if committed:
            return Report(call, event, recorded=decision.transition)
        if transaction.late:
            return Report(call, self._failed(call, _late(call)))
        return Report(call, decision.refused or _interrupted(call))

    def _not_committed(self, call: Call, error: Exception, transaction: StepTransaction) -> Event:
        if isinstance(error, DataRejected):
            return self._failed(call, replace(failure_of(error), retryable=False))
        if isinstance(error, StoreError) or transaction.transient:
            _log.warning("%r is rolled back, and made again: %s", call, error)
            return _interrupted(call)
        kept = isinstance(error, StepTransactionError) and error.kept
        return self._failed(call, failure_of(error), returned=kept)

    def _found_out(self, call: Call, event: Event, decision: "_Decision") -> Report:
        """Nobody knows if the commit landed: look. If it does so later, no report of ours is taken."""
        try:
            found = self._store.load([call.id])
        except StoreError:
            return Report(call, _interrupted(call))
        if not found or not _is_done(found[0], call):
            return Report(call, _interrupted(call))
        ours = found[0].revision == decision.transition[1].revision
        return Report(call, event, recorded=(decision.transition[0], found[0]) if ours else None)

    def _rolled_back(self, call: Call, event: Event, transaction: StepTransaction) -> Event:
        """Give the event for what raised, or was skipped: nothing that it wrote is kept."""
        if not isinstance(event, Failed):
            return event
        if transaction.transient:
            return _interrupted(call)
        try:
            transaction.take_back()
        except StepTransactionError as error:
            return self._failed(call, failure_of(error), returned=error.kept)
        if event.returned:  # what it returned can't be recorded, and so nothing has happened
            return replace(event, returned=False, error=replace(event.error, retryable=False))
        return event

    def _failed(self, call: Call, error: Failure, *, returned: bool = False) -> Failed:
        undo = call.kind is CallKind.UNDO
        return Failed(
            call.step, call.attempt, error, self._roll(), returned=returned, undo=undo, decided=call.decided
        )


class _Decision:
    """What is written of a call in its transaction.

    Attributes:
        transition: The snapshots before and after what was written last.
        refused: What to report where nothing is written, if that is known.
    """

    transition: tuple[Execution, Execution]

    def __init__(
        self, call: Call, event: Event, now: Callable[[], int], failed: Callable[[Call, Failure], Failed]
    ) -> None:
        self._call = call
        self._event = event
        self._now = now
        self._failed = failed
        self.refused: Event | None = None

    def __call__(self, seen: Execution) -> Change | None:
        """Decide on a snapshot."""
        call = self._call
        if seen.token != call.token:
            return None
        if not _runs(seen, call):  # its time was over, and that is recorded
            self.refused = self._failed(call, _late(call))
            return None
        after = apply(seen, self._event, self._now())
        error = after.steps[call.step].run.error
        if call.kind is CallKind.RUN and after.steps[call.step].state is StepState.FAILED and error:
            self.refused = self._failed(call, replace(error, retryable=False))  # two wrote one key of ctx
            return None
        over = after.phase is Phase.OVER
        change = change_between(seen, after, owned=True, release=over)
        self.transition = (seen, change.after)
        return change


def _do_all(acts: list[Callable[[], None]]) -> None:
    for act in acts:
        try:
            act()
        except Exception:  # noqa: BLE001 - what was committed stays so
            _log.exception("could not tell of what a transactional step has started")


def _runs(x: Execution, call: Call) -> bool:
    step = x.steps.get(call.step)
    if step is None:
        return False
    run = step.undo if call.kind is CallKind.UNDO else step.run
    return run.running and run.attempts == call.attempt


def _is_done(x: Execution, call: Call) -> bool:
    """Tell whether a call that returned is recorded, under the lease that it was made under."""
    step = x.steps.get(call.step)
    if step is None or x.token != call.token:
        return False
    if call.kind is CallKind.UNDO:
        return step.undo.attempts == call.attempt and step.state is StepState.COMPENSATED
    return step.run.attempts == call.attempt and step.state is StepState.COMPLETED


def _interrupted(call: Call) -> WorkerLost:
    """Give the event of an attempt that came to nothing, through no fault of its own."""
    return WorkerLost(frozenset({(call.step, call.kind is CallKind.UNDO, call.attempt)}))


def _late(call: Call) -> Failure:
    return timed_out(
        f"attempt {call.attempt} of {call.step!r} ran longer than its timeout: it was rolled back"
    )
