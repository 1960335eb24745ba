"""The Redis store: any number of processes on any number of machines, in a server's memory and its log."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import State
from active_workflow.errors import ConfigurationError
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
from active_workflow.store.faults import is_text
from active_workflow.store.keys import check_keys
from active_workflow.store.listening import Listeners, Origin
from active_workflow.store.plans import Plans
from active_workflow.store.redis import finding, leasing
from active_workflow.store.redis.committing import Committer
from active_workflow.store.redis.connection import Address
from active_workflow.store.redis.database import Database, Options
from active_workflow.store.redis.inserting import Inserter
from active_workflow.store.redis.listening import Listener
from active_workflow.store.redis.packing import number, sortable
from active_workflow.store.redis.reading import Fields, read
from active_workflow.store.redis.server import check_store, make_store

_log = logging.getLogger("active_workflow.store")
_PRUNED = 500
"""Executions that one script deletes at most."""


class RedisStore:
    """Keeps executions in Redis or Valkey. Nothing is opened before it is used.

    Args:
        address: The server, or any of a cluster's.
        clock: Gives the time in microseconds; the server's own unless given.
        prefix: What the names of its keys begin with, in braces: a cluster keeps them together.
        options: How the server is used.

    Raises:
        ConfigurationError: The prefix can't be used.
    """

    def __init__(
        self,
        address: Address | None = None,
        clock: Clock | None = None,
        *,
        prefix: str = "aw",
        options: Options | None = None,
    ) -> None:
        if not prefix or not is_text(prefix) or set(prefix) & set("{}\0"):
            raise ConfigurationError(f"the prefix {prefix!r} can't be used: some letters, but no braces")
        self._clock = clock
        self._plans = Plans()
        self._origin = Origin()
        self._listeners = Listeners()
        self._db = Database(address or Address(), f"{{{prefix}}}", options or Options(), self._forget)
        self._inserter = Inserter(self._db, self._plans, self._origin)
        self._committer = Committer(self._db, self._plans, self._inserter, self._origin)

    def __repr__(self) -> str:
        return f"RedisStore({str(self._db.where)!r}, {self._db.root!r})"

    def _forget(self) -> None:
        self._inserter.forget()

    def _given_time(self) -> str:
        """Give the time of a clock that was given; nothing leaves it to the server."""
        return str(self._clock()) if self._clock else ""

    def prepare(self) -> Sequence[str]:
        """Check that the server keeps what it is given, and make the store unless it is there.

        Raises:
            ConfigurationError: The server may drop data, or keeps too little on disk.
            SchemaError: A later version of the library made the store.
        """
        return make_store(self._db)

    prepares_itself = False
    """Its first use looks for the store and makes none, lest one be lost unseen; see ``ChecksTables``."""

    def check(self) -> None:
        """Raise SchemaError unless a store of this format is there; ConfigurationError: see ``prepare``."""
        check_store(self._db)

    def now(self) -> int:
        """Give the store's time."""
        return self._clock() if self._clock else int(self._db.run("now"))

    # --- Writing ------------------------------------------------------------------------------------

    def insert(self, new: Sequence[NewExecution], *, skip_conflicts: bool = True) -> Sequence[Inserted]:
        """Insert all of them by one script and answer in order; see ``Store.insert``."""
        check_keys(new)
        if not new:
            return []
        return self._inserter.insert(new, self._given_time(), skip_conflicts=skip_conflicts)

    def commit(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Apply changes, each whole or not at all; see ``Store.commit``."""
        return self._committer.commit(changes, self._given_time())

    def touch(self, beats: Sequence[Heartbeat]) -> Sequence[bool]:
        """Record signs of life; True where the step is waiting."""
        words = [
            word
            for beat in beats
            for word in (beat.id, beat.step, "" if beat.details is None else f":{beat.details}")
        ]
        return [bool(found) for found in self._db.run("touch", self._given_time(), *words)] if beats else []

    def prune(self, before: int, limit: int) -> int:
        """Delete terminal executions that ended before an instant, and free their keys."""
        pruned = 0
        while pruned < limit:
            wanted = min(limit - pruned, _PRUNED)
            found: int = self._db.run("prune", sortable(before), wanted)
            pruned += found
            if found < wanted:
                break
        return pruned

    # --- Leases -------------------------------------------------------------------------------------

    def claim(self, request: ClaimRequest) -> Claimed:
        """Take leases on what is due, and give it as it was at that moment."""
        taken = leasing.take(self._db, request, self._given_time)
        executions, broken = self._read(taken.found)
        if broken:
            self._db.run("postpone", taken.now + request.lease, *broken)
        return Claimed(executions, taken.next_due, taken.now)

    def renew(self, leases: Sequence[Lease], lease: int) -> Sequence[Renewed]:
        """Prolong leases that are still held, in order; a connection is kept free for that."""
        return leasing.renew(self._db, leases, lease, self._given_time()) if leases else []

    def release(self, leases: Sequence[Lease], due_at: Mapping[str, int | None]) -> None:
        """Give up leases that are still held; each row is then due as given."""
        words = [word for each in leases for word in (each.id, each.token, number(due_at.get(each.id)))]
        if leases:
            self._db.run("release", str(self._origin), *words)

    def lease_of(self, id: str) -> LeaseInfo | None:
        """Tell who holds an execution now, if anyone does."""
        found = self._db.run("lease_of", self._given_time(), id)
        return LeaseInfo(found[0].decode(), int(found[1])) if found else None

    # --- Reading ------------------------------------------------------------------------------------

    def _read(self, found: Iterable[tuple[str, Fields]]) -> tuple[list[Execution], dict[str, Any]]:
        """Give executions from their fields; those that can't be read are told in the log."""
        executions, broken = read(found, self._plans, self._fetch_plans)
        for error in broken.values():
            _log.error("%s", error)
        return executions, broken

    def _fetch_plans(self, hashes: list[str]) -> list[tuple[str, str]]:
        bodies = self._db.run("plans", *hashes)
        return [(digest, body.decode()) for digest, body in zip(hashes, bodies, strict=True) if body]

    def load(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Give those of the executions that exist, in the order asked for, as of one moment."""
        wanted = [id for id in ids if is_text(id)]
        rows = self._db.run("load", *wanted, rows=len(wanted)) if wanted else ()
        found = ((id, fields) for id, fields in zip(wanted, rows, strict=True) if fields)
        executions, broken = read(found, self._plans, self._fetch_plans)
        for error in broken.values():
            raise error
        return executions

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """Give the states of those of the executions that exist."""
        wanted = [id for id in ids if is_text(id)]
        states = self._db.run("states", *wanted, rows=len(wanted)) if wanted else ()
        found = zip(wanted, states, strict=True)
        return {id: State(state.decode()) for id, state in found if state is not None}

    def find(self, query: Query) -> Sequence[Execution]:
        """Give matching executions, newest first; one that can't be read is told in the log and left out."""
        return self._read(finding.find(self._db, query))[0]

    # --- The rest -----------------------------------------------------------------------------------

    def listen(self, hint: Callable[[], None]) -> Callable[[], None] | None:
        """Call ``hint`` soon after another store has changed something; give a function that stops it."""
        return self._listeners.add(Listener(self._db, str(self._origin), hint))

    def hears(self) -> bool:
        """Tell whether hints surely come; see ``ProvesHints``."""
        return self._listeners.hear()

    def close(self) -> None:
        """Close what is open; the next call opens it anew."""
        self._db.close()
        self._inserter.forget()
