"""The MariaDB and MySQL store: any number of processes on any number of machines."""

import logging
from collections.abc import Callable, Mapping, Sequence

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
from active_workflow.store.joining.opening import open_caller
from active_workflow.store.joining.transaction import CallersTransaction
from active_workflow.store.keys import check_keys
from active_workflow.store.mysql import leasing, reading
from active_workflow.store.mysql.committing import Committer
from active_workflow.store.mysql.connection import Link
from active_workflow.store.mysql.database import Address, Database, Options
from active_workflow.store.mysql.inserting import Inserter
from active_workflow.store.mysql.joining import MySQLScripts
from active_workflow.store.mysql.migrate import migrate
from active_workflow.store.mysql.pruning import prune
from active_workflow.store.mysql.rows import listed
from active_workflow.store.mysql.statement import Statements, time_of
from active_workflow.store.plans import Plans

_log = logging.getLogger("active_workflow.store")


class MySQLStore:
    """Keeps executions in MariaDB or MySQL. Nothing is opened before it is used; ``prepare`` makes tables.

    Args:
        address: Where the server is, and who we are there.
        clock: Gives the time in microseconds; the server's own unless given.
        prefix: What the tables' names begin with.
        options: How the server is used.

    Raises:
        ConfigurationError: The prefix is no plain name.
    """

    def __init__(
        self,
        address: Address,
        clock: Clock | None = None,
        *,
        prefix: str = "aw_",
        options: Options | None = None,
    ) -> None:
        self._clock = clock
        self._say = Statements(prefix)
        self._plans = Plans()
        self._inserter = Inserter(self._say, self._plans)
        self._db = Database(address, options or Options(), self._inserter.forget)
        self._committer = Committer(self._db, self._say, self._inserter, self._given_time)
        self._claimer = leasing.Claimer(self._say, self._given_time)
        self._scripts = MySQLScripts(self._db, self._say, self._plans, self._inserter, self._given_time)

    def __repr__(self) -> str:
        return f"MySQLStore({self._db.where!r})"

    def _given_time(self) -> int | None:
        """Give the time of a clock that was given; None leaves it to the server."""
        return self._clock() if self._clock else None

    def prepare(self) -> None:
        """Make the tables or bring them up to date; a later version's raise SchemaError."""
        self._db.migrate(lambda link: migrate(link, self._say, self._db.where))

    def now(self) -> int:
        """Give the store's time."""
        if self._clock:
            return self._clock()
        now: int = self._db.call(lambda link: link.rows(self._say("clock", now=time_of(None))))[0][0]
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

    def commit(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Apply changes in one commit, each whole or not at all; see ``Store.commit``."""
        return self._committer.commit(changes)

    def touch(self, beats: Sequence[Heartbeat]) -> Sequence[bool]:
        """Record signs of life; True where the step is waiting."""
        if not beats:
            return []
        return self._db.call(lambda link: self._committer.touch(link, beats))

    def prune(self, before: int, limit: int) -> int:
        """Delete terminal executions that ended before an instant, and free their keys."""
        return self._db.call(lambda link: prune(link, self._say, before, limit), rows=limit)

    # --- Leases -------------------------------------------------------------------------------------

    def claim(self, request: ClaimRequest) -> Claimed:
        """Take leases on what is due, and load it while nobody else can change it."""

        def act(link: Link) -> leasing.Taken:
            taken = self._claimer.take(link, request)
            reading.learn(link, self._say, taken.fetched, self._plans)
            return taken

        taken = self._db.call(act, rows=max(request.limit, 0))
        executions, broken = taken.fetched.read_what_can_be(taken.ids, self._plans)
        if broken:
            self._postpone(broken, taken.now + request.lease)
        return Claimed(executions, taken.next_due, taken.now)

    def _postpone(self, broken: Mapping[str, Exception], until: int) -> None:
        """Put rows that can't be read aside for a while: the others go on."""
        for error in broken.values():
            _log.error("%s", error)
        self._db.call(lambda link: leasing.postpone(link, self._say, broken, until))

    def renew(self, leases: Sequence[Lease], lease: int) -> Sequence[Renewed]:
        """Prolong leases that are still held, in order; a connection is kept free for that."""
        if not leases:
            return []
        now = time_of(self._given_time())
        return self._db.call(lambda link: leasing.renew(link, self._say, leases, lease, now), reserved=True)

    def release(self, leases: Sequence[Lease], due_at: Mapping[str, int | None]) -> None:
        """Give up leases that are still held; each row is then due as given."""
        if leases:
            self._db.call(lambda link: leasing.release(link, self._say, leases, due_at))

    def lease_of(self, id: str) -> LeaseInfo | None:
        """Tell who holds an execution now, if anyone does."""
        statement = self._say("lease_of", id=id, now=time_of(self._given_time()))
        rows = self._db.call(lambda link: link.rows(statement))
        return LeaseInfo(*rows[0]) if rows else None

    # --- Reading ------------------------------------------------------------------------------------

    def _fetch(self, ids: Sequence[str]) -> Fetched:
        return self._db.call(lambda link: reading.fetch(link, self._say, ids, self._plans), rows=len(ids))

    def load(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Give those of the executions that exist, in the order asked for, as of one moment."""
        return self._fetch(ids).read(ids, self._plans)

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """Give the states of those of the executions that exist."""
        rows = self._db.call(lambda link: link.rows(self._say("states", ids=listed(ids))))
        return {id: State(state) for id, state in rows}

    def find(self, query: Query) -> Sequence[Execution]:
        """Give matching executions, newest first; one that can't be read is told in the log and left out."""
        ids = [id for (id,) in self._db.call(lambda link: link.rows(reading.page(self._say, query)))]
        executions, broken = self._fetch(ids).read_what_can_be(ids, self._plans)
        for error in broken.values():
            _log.error("%s", error)
        return executions

    # --- The rest -----------------------------------------------------------------------------------

    def listen(self, hint: Callable[[], None]) -> Callable[[], None] | None:  # noqa: ARG002 - the contract's
        """These servers tell nobody of anything: polling finds what there is."""
        return None

    def close(self) -> None:
        """Close what is open; the next call opens it anew."""
        self._db.close()
        self._inserter.forget()
