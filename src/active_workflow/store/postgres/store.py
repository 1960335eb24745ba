"""The PostgreSQL store: any number of processes on any number of machines."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from psycopg.types.numeric import Int8

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import State
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
from active_workflow.store.fetched import Fetched
from active_workflow.store.joining.opening import open_caller, surrounding
from active_workflow.store.joining.transaction import CallersTransaction
from active_workflow.store.keys import check_keys
from active_workflow.store.listening import Listeners, Origin
from active_workflow.store.plans import Plans
from active_workflow.store.postgres import leasing, loading
from active_workflow.store.postgres.committing import Committer
from active_workflow.store.postgres.database import Database, Options
from active_workflow.store.postgres.encoding import beats_text, ids_text
from active_workflow.store.postgres.inserting import Inserter
from active_workflow.store.postgres.joining import PostgresScripts
from active_workflow.store.postgres.listening import Listener
from active_workflow.store.postgres.migrate import check_tables, migrate
from active_workflow.store.postgres.names import Names, as_parameter
from active_workflow.store.postgres.stepping import PostgresTransactions
from active_workflow.store.transactions import StepTransaction

_log = logging.getLogger("active_workflow.store")


class PostgresStore:
    """Keeps executions in PostgreSQL. Nothing is opened before it is used; ``prepare`` makes the tables.

    Args:
        conninfo: A URL or connection string, as libpq takes them.
        clock: Gives the time in microseconds; the server's own unless given.
        schema: The schema of its tables; None leaves that to the connection's ``search_path``.
        prefix: What the tables' names begin with.
        options: How the server is used.

    Raises:
        ConfigurationError: The schema or prefix is no plain name, or the URL can't be read.
    """

    def __init__(
        self,
        conninfo: str,
        clock: Clock | None = None,
        *,
        schema: str | None = None,
        prefix: str = "aw_",
        options: Options | None = None,
    ) -> None:
        self._clock = clock
        self._names = Names(schema, prefix)
        self._plans = Plans()
        origin = Origin()
        self._origin = origin
        self._listeners = Listeners()
        self._inserter = Inserter(self._names, self._plans, origin)
        self._db = Database(conninfo, options or Options(), self._inserter.forget)
        self._committer = Committer(self._db, self._names, self._inserter, origin)
        self._scripts = PostgresScripts(self._db, self._names, self._plans, self._inserter, self._given_time)
        self._steps = PostgresTransactions(self._db, self._names, self._plans, self._inserter, origin)

    def __repr__(self) -> str:
        return f"PostgresStore({self._db.where!r})"

    def _given_time(self) -> int | None:
        """Give the time of a clock that was given; None leaves it to the server."""
        return self._clock() if self._clock else None

    def prepare(self) -> Sequence[str]:
        """Make the tables or bring them up to date; a later version's raise SchemaError."""
        return self._db.migrate(lambda link: migrate(link, self._names, self._db.where))

    prepares_itself = False
    """Its first use looks at the tables and makes none; see ``ChecksTables``."""

    def check(self) -> None:
        """Raise SchemaError unless this version's tables are there; changes nothing."""
        self._db.call(lambda link: check_tables(link, self._names, self._db.where))

    def now(self) -> int:
        """Give the store's time."""
        if self._clock:
            return self._clock()
        now: int = self._db.call(lambda link: link.rows(self._names["now"]))[0][0]
        return now

    # --- Writing ------------------------------------------------------------------------------------

    def insert(self, new: Sequence[NewExecution], *, skip_conflicts: bool = True) -> Sequence[Inserted]:
        """Insert all of them in one transaction and answer in order; see ``Store.insert``."""
        check_keys(new)
        if not new:
            return []
        return self._db.call(
            lambda link: self._inserter.insert(link, new, self._given_time(), skip_conflicts=skip_conflicts),
            rows=len(new),
            adds=True,
        )

    def join(self, connection: object) -> CallersTransaction:
        """Give the transaction that a caller's connection is in; see ``JoinsTransactions``."""
        return CallersTransaction(open_caller(connection), self._scripts, self._scripts.ready)

    def surrounding(self) -> str | None:
        """Give Django's alias for this database, if the call is in an ``atomic`` block of it."""
        return surrounding(self._db.is_django)

    one_at_a_time = False
    """A transaction of a step's keeps nobody from writing; see ``RunsTransactions``."""

    def step_transaction(self, limit: float | None) -> AbstractContextManager[StepTransaction]:
        """Begin a transaction for a step; see ``RunsTransactions``."""
        return self._steps.begun(limit)

    def commit(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Apply changes in one statement, each whole or not at all; see ``Store.commit``."""
        return self._committer.commit(changes)

    def touch(self, beats: Sequence[Heartbeat]) -> Sequence[bool]:
        """Record signs of life; True where the step is waiting."""
        if not beats:
            return []
        parameters = [beats_text(beats), as_parameter(self._given_time())]
        rows = self._db.call(lambda link: link.rows(self._names["touch"], parameters))
        touched = {number for (number,) in rows}
        return [number in touched for number in range(len(beats))]

    def prune(self, before: int, limit: int) -> int:
        """Delete terminal executions that ended before an instant, and free their keys."""
        pruned: int = self._db.call(
            lambda link: link.rows(self._names["prune"], [Int8(before), Int8(limit)]), rows=limit
        )[0][0]
        return pruned

    # --- Leases -------------------------------------------------------------------------------------

    def claim(self, request: ClaimRequest) -> Claimed:
        """Take leases on what is due, then load it: what was taken is nobody else's any more."""
        taken = self._db.call(lambda link: leasing.take(link, self._names, request, self._given_time()))
        if not taken.tokens:
            return Claimed((), taken.next_due, taken.now)
        fetched = self._fetch([*taken.tokens])
        executions, broken = fetched.read_what_can_be(taken.tokens, self._plans)
        if broken:
            self._postpone(broken, taken.now + request.lease)
        # A lease that was so short that another took it meanwhile is not ours.
        ours = [it for it in executions if it.token == taken.tokens[it.id]]
        return Claimed(ours, taken.next_due, taken.now)

    def _postpone(self, broken: Mapping[str, Exception], until: int) -> None:
        """Put rows that can't be read aside for a while: the others go on."""
        for error in broken.values():
            _log.error("%s", error)
        self._db.call(lambda link: link.run(self._names["postpone"], [ids_text(broken), Int8(until)]))

    def renew(self, leases: Sequence[Lease], lease: int) -> Sequence[Renewed]:
        """Prolong leases that are still held, in order; a connection is kept free for that."""
        if not leases:
            return []
        return self._db.call(
            lambda link: leasing.renew(link, self._names, leases, lease, self._given_time()), reserved=True
        )

    def release(self, leases: Sequence[Lease], due_at: Mapping[str, int | None]) -> None:
        """Give up leases that are still held; each row is then due as given."""
        if leases:
            self._db.call(lambda link: leasing.release(link, self._names, leases, due_at, str(self._origin)))

    def lease_of(self, id: str) -> LeaseInfo | None:
        """Tell who holds an execution now, if anyone does."""
        parameters = [id, as_parameter(self._given_time())]
        rows = self._db.call(lambda link: link.rows(self._names["lease_of"], parameters))
        return LeaseInfo(*rows[0]) if rows else None

    # --- Reading ------------------------------------------------------------------------------------

    def _fetch(self, ids: Sequence[str]) -> Fetched:
        return self._db.call(lambda link: loading.fetch(link, self._names, ids, self._plans), rows=len(ids))

    def load(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Give those of the executions that exist, in the order asked for, as of one moment."""
        return self._fetch(ids).read(ids, self._plans)

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """Give the states of those of the executions that exist."""
        rows = self._db.call(lambda link: link.rows(self._names["states"], [ids_text(ids)]))
        return {id: State(state) for id, state in rows}

    def find(self, query: Query) -> Sequence[Execution]:
        """Give matching executions, newest first; one that can't be read is told in the log and left out."""
        ids = self._db.call(lambda link: loading.find(link, self._names, query))
        executions, broken = self._fetch(ids).read_what_can_be(ids, self._plans)
        for error in broken.values():
            _log.error("%s", error)
        return executions

    # --- The rest -----------------------------------------------------------------------------------

    def listen(self, hint: Callable[[], None]) -> Callable[[], None] | None:
        """Call ``hint`` soon after another store has changed something; give a function that stops it."""
        return self._listeners.add(Listener(self._db, self._names, str(self._origin), hint))

    def hears(self) -> bool:
        """Tell whether hints surely come; see ``ProvesHints``."""
        return self._listeners.hear()

    def close(self) -> None:
        """Close what is open; the next call opens it anew."""
        self._db.close()
        self._inserter.forget()
