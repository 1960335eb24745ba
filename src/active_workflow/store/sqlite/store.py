"""The SQLite store: one file, any number of threads and processes on one machine."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import State
from active_workflow.errors import ConfigurationError, DataRejected
from active_workflow.store.base import (
    Applied,
    Claimed,
    ClaimRequest,
    Clock,
    Heartbeat,
    Inserted,
    Lease,
    LeaseInfo,
    NewExecution,
    Query,
    Renewed,
)
from active_workflow.store.clock import system_clock
from active_workflow.store.joining.opening import open_caller
from active_workflow.store.joining.transaction import CallersTransaction
from active_workflow.store.keys import check_keys
from active_workflow.store.plans import Plans
from active_workflow.store.sqlite import committing, inserting, leasing, loading
from active_workflow.store.sqlite.connection import DATA_ERRORS, Connections
from active_workflow.store.sqlite.joining import SqliteScripts
from active_workflow.store.sqlite.migrate import check_file, migrate
from active_workflow.store.sqlite.sql import SQL, as_json
from active_workflow.store.sqlite.stepping import step_transaction
from active_workflow.store.sqlite.watch import watch
from active_workflow.store.transactions import StepTransaction

_log = logging.getLogger("active_workflow.store")


class SqliteStore:
    """Keeps executions in a SQLite file, in WAL mode and with full durability.

    Args:
        path: The file; it is made when first used.
        clock: Gives the time in microseconds; the machine's own unless given.
        timeout: Seconds to wait while another process writes.
    """

    def __init__(
        self, path: str | os.PathLike[str], clock: Clock | None = None, timeout: float = 10.0
    ) -> None:
        self.path = os.path.realpath(path)
        if os.fspath(path) in {"", ":memory:"}:
            raise ConfigurationError("SQLite without a file can't be shared between threads: use memory://")
        self._clock = clock or system_clock
        self._plans = Plans()
        self._db = Connections(self.path, timeout, lambda connection: migrate(connection, self.path))

    def __repr__(self) -> str:
        return f"SqliteStore({self.path!r})"

    def prepare(self) -> None:
        """Make the file and its tables, or check them; a later version's raise SchemaError."""
        self._db.ready()

    def check(self) -> None:
        """Raise StoreError unless the file is there with this version's tables; changes nothing."""
        check_file(self.path)

    def now(self) -> int:
        """Give the store's time."""
        return self._clock()

    # --- Writing ------------------------------------------------------------------------------------

    def insert(self, new: Sequence[NewExecution], *, skip_conflicts: bool = True) -> Sequence[Inserted]:
        """Insert all of them in one transaction and answer in order; see ``Store.insert``."""
        check_keys(new)
        try:
            with self._db.write() as writer:
                return inserting.insert(writer, new, self._plans, self.now(), skip_conflicts=skip_conflicts)
        except DATA_ERRORS as error:
            raise DataRejected(f"SQLite refuses an execution's data: {error}") from error

    def join(self, connection: object) -> CallersTransaction:
        """Give the transaction that a caller's connection to this file is in; see ``JoinsTransactions``."""
        scripts = SqliteScripts(self.path, self._plans, self.now)
        return CallersTransaction(open_caller(connection), scripts, lambda _: None)

    one_at_a_time = True
    """A transaction of a step's holds the file's write lock; see ``RunsTransactions``."""

    def step_transaction(self, limit: float | None) -> AbstractContextManager[StepTransaction]:
        """Begin a transaction for a step; see ``RunsTransactions``."""
        return step_transaction(self._db, self._plans, self.now, limit)

    def commit(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Apply changes in one commit, each whole or not at all; see ``Store.commit``."""
        batch = [committing.encode(change) for change in changes]
        try:
            with self._db.write() as writer:
                return committing.apply_all(writer, batch, self._plans, self.now())
        except DATA_ERRORS:
            with self._db.write() as writer:
                return committing.apply_one_by_one(writer, batch, self._plans, self.now())

    def touch(self, beats: Sequence[Heartbeat]) -> Sequence[bool]:
        """Record signs of life; True where the step is waiting."""
        now = self.now()
        with self._db.write() as writer:
            return [
                writer.execute(SQL["touch"], (now, beat.details, beat.id, beat.step)).rowcount == 1
                for beat in beats
            ]

    def prune(self, before: int, limit: int) -> int:
        """Delete terminal executions that ended before an instant, and free their keys."""
        with self._db.write() as writer:
            writer.execute(SQL["held_keys"], (before, limit))
            ids = [id for (id,) in writer.execute(SQL["prune"], (before, limit))]
            writer.execute(SQL["prune_steps"], [as_json(ids)])
            writer.execute(SQL["prune_signals"], [as_json(ids)])
            return len(ids)

    # --- Leases -------------------------------------------------------------------------------------

    def claim(self, request: ClaimRequest) -> Claimed:
        """Take leases on what is due. Where nothing is, nothing is written and no lock is taken."""
        now = self.now()
        with self._db.glance() as reader:
            next_due = leasing.next_due(reader, request)
        if request.limit <= 0 or next_due is None or next_due > now:
            return Claimed((), next_due, now)
        with self._db.write() as writer:
            now = self.now()
            ids = leasing.take(writer, request, now)
            fetched = loading.fetch(writer, ids, self._plans)
            next_due = leasing.next_due(writer, request)
        executions, broken = fetched.read_what_can_be(ids, self._plans)
        if broken:
            self._postpone(broken, now + request.lease)
        return Claimed(executions, next_due, now)

    def _postpone(self, broken: Mapping[str, Exception], until: int) -> None:
        """Put rows that can't be read aside for a while: the others go on."""
        for error in broken.values():
            _log.error("%s", error)
        with self._db.write() as writer:
            leasing.postpone(writer, broken, until)

    def renew(self, leases: Sequence[Lease], lease: int) -> Sequence[Renewed]:
        """Prolong leases that are still held, in order."""
        with self._db.write() as writer:
            return leasing.renew(writer, leases, self.now() + lease)

    def release(self, leases: Sequence[Lease], due_at: Mapping[str, int | None]) -> None:
        """Give up leases that are still held; each row is then due as given."""
        with self._db.write() as writer:
            leasing.release(writer, leases, due_at)

    def lease_of(self, id: str) -> LeaseInfo | None:
        """Tell who holds an execution now, if anyone does."""
        with self._db.read() as reader:
            found = reader.execute(SQL["lease_of"], (id, self.now())).fetchone()
        return None if found is None else LeaseInfo(*found)

    # --- Reading ------------------------------------------------------------------------------------

    def load(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Give those of the executions that exist, in the order asked for, as of one moment."""
        with self._db.read() as reader:
            fetched = loading.fetch(reader, ids, self._plans)
        return fetched.read(ids, self._plans)

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """Give the states of those of the executions that exist."""
        with self._db.glance() as reader:
            return {id: State(state) for id, state in reader.execute(SQL["states"], [as_json(ids)])}

    def find(self, query: Query) -> Sequence[Execution]:
        """Give matching executions, newest first; one that can't be read is told in the log and left out."""
        with self._db.read() as reader:
            ids = loading.find(reader, query)
            fetched = loading.fetch(reader, ids, self._plans)
        executions, broken = fetched.read_what_can_be(ids, self._plans)
        for error in broken.values():
            _log.error("%s", error)
        return executions

    # --- The rest -----------------------------------------------------------------------------------

    def listen(self, hint: Callable[[], None]) -> Callable[[], None] | None:
        """Call ``hint`` soon after somebody else has committed; give a function that stops it."""
        return watch(self.path, self._db.data_version, hint)

    def close(self) -> None:
        """Close what is open; the next call opens it anew."""
        self._db.close()
