"""The transaction of a transactional step: it holds the file's write lock for as long as the step runs."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from active_workflow.core.snapshot import Execution
from active_workflow.errors import DataRejected, StoreUnavailable
from active_workflow.store.base import Verdict
from active_workflow.store.joining.lent import Hands, ended, refused
from active_workflow.store.joining.opening import open_session
from active_workflow.store.plans import Plans
from active_workflow.store.sqlite import loading
from active_workflow.store.sqlite.committing import apply_all, encode
from active_workflow.store.sqlite.connection import DATA_ERRORS, Connections, commit, translated
from active_workflow.store.sqlite.lending import StepConnection
from active_workflow.store.transactions import Decide, StepSession

_SAVEPOINT = "active_workflow_step"


class SqliteStepTransaction:
    """One step's transaction; see ``StepTransaction``. Its time can be ended by another thread."""

    def __init__(self, connections: Connections, plans: Plans, now: Callable[[], int]) -> None:
        self._path = connections.path
        self._turns = connections.turns
        self._plans = plans
        self._now = now
        self._end = threading.RLock()
        self._over = False
        self._ours: int | None = None
        self._refused: str | None = None
        self.late = False
        self.connection = sqlite3.connect(
            connections.path,
            timeout=connections.timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=StepConnection,
        )

    def begin(self) -> None:
        """Begin it, and hand its connection over."""
        with translated(self._path):
            self.connection.execute("BEGIN IMMEDIATE")
        self.connection.execute(f"SAVEPOINT {_SAVEPOINT}")
        self.connection.set_authorizer(self._authorize)
        self.connection.hands = Hands.STEP

    def _authorize(self, action: int, what: str | None, *_: str | None) -> int:
        """Allow a statement, but none that ends the transaction, and none at all once its time is over."""
        if threading.get_ident() == self._ours:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_TRANSACTION:
            self._refused = what
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_DENY if self.late else sqlite3.SQLITE_OK

    @property
    def transient(self) -> bool:
        """Never: nobody can be in the way of who holds the lock."""
        return False

    def session(self) -> StepSession:
        """Give a session of SQLAlchemy's."""
        return open_session(self.connection, "sqlite", self._path)

    def take_back(self) -> None:
        """Take it back; what SQLite itself has rolled back, after an error, is so already."""
        if self._refused is not None:
            raise refused(f"{self._refused} as a statement")

    def complete(self, known: Execution, decide: Decide) -> bool:
        """Write what became of the step, and commit."""
        with self._end:
            if self.late:
                return False
            self._take_over()
            try:
                self.connection.execute(f"RELEASE {_SAVEPOINT}")
            except sqlite3.OperationalError:
                raise ended() from None
            if not self._write(known, decide):
                return False
            commit(self.connection, self._path)
            return True

    def _take_over(self) -> None:
        """Take the connection back from the step, whatever it has set on it."""
        self._ours = threading.get_ident()
        self.connection.hands = Hands.OURS
        self.connection.row_factory = None
        self.connection.text_factory = str

    def _write(self, known: Execution, decide: Decide) -> bool:
        try:
            with translated(self._path):
                if self._written(known, decide):
                    return True
                fresh = loading.fetch(self.connection, [known.id], self._plans).read([known.id], self._plans)
                return bool(fresh) and self._written(fresh[0], decide)
        except DATA_ERRORS as error:
            raise DataRejected(f"SQLite refuses what became of the step: {error}") from error

    def _written(self, seen: Execution, decide: Decide) -> bool:
        change = decide(seen)
        if change is None:
            return False
        [answer] = apply_all(self.connection, [encode(change)], self._plans, self._now())
        return answer.verdict is Verdict.APPLIED

    def expire(self) -> None:
        """Its time is over: roll it back under the step, so that others can write."""
        with self._end:
            if self._over:
                return
            self.late = True
            with self.connection.taken_away():
                self.connection.set_authorizer(self._authorize)  # which has all statements asked about again
                self._ours = threading.get_ident()
                self._close_transaction()

    def end(self) -> None:
        """End it, in whichever way that has not been done."""
        with self._end:
            self._take_over()
            self._close_transaction()
            self.connection.close()

    def _close_transaction(self) -> None:
        if self._over:
            return
        self._over = True
        try:
            if self.connection.in_transaction:
                sqlite3.Connection.rollback(self.connection)
        finally:
            self._turns.end_of_step()


@contextmanager
def step_transaction(
    connections: Connections, plans: Plans, now: Callable[[], int], limit: float | None
) -> Iterator[SqliteStepTransaction]:
    """Begin a step's transaction once it is this thread's turn, and end it; see ``RunsTransactions``."""
    connections.ready()
    if not connections.turns.take_for_step(connections.timeout):
        raise StoreUnavailable(f"{connections.path}: other writers of this process leave no turn")
    transaction = _opened(connections, plans, now)
    timer = None if limit is None else threading.Timer(limit, transaction.expire)
    try:
        transaction.begin()
        if timer is not None:
            timer.daemon = True
            timer.start()
        yield transaction
    finally:
        if timer is not None:
            timer.cancel()
        transaction.end()


def _opened(connections: Connections, plans: Plans, now: Callable[[], int]) -> SqliteStepTransaction:
    try:
        with translated(connections.path):
            return SqliteStepTransaction(connections, plans, now)
    except BaseException:
        connections.turns.end_of_step()
        raise
