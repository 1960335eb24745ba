"""The store's contract: it keeps aggregates and answers few set-based calls. It never decides.

An aggregate is an execution with its step rows and its unread signals, as ``core.Execution``. All
meaning of states, retries, timeouts, undo is in ``core``; a store compares revisions, tokens, times and
keys, and nothing else. Batch is the only form of every call. All calls are synchronous, safe to make
from several threads, and bounded by a deadline of the store's own; they raise ``StoreUnavailable`` (try
again), ``UnknownCommit`` (read again, then decide), ``DataRejected`` (never try that data again).

Instants are integer microseconds since the epoch. ``now`` in an answer is the store's own clock, unless
the store was given a clock, which then decides everywhere.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import State

Clock = Callable[[], int]
"""Gives the present instant in microseconds."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run an execution: whose, and with which token."""

    id: str
    token: int


REUSABLE: Mapping[str, frozenset[State]] = {
    "never": frozenset(),
    "failed": frozenset({State.FAILED, State.CANCELLED}),
    "terminal": frozenset({State.COMPLETED, State.FAILED, State.CANCELLED}),
}
"""The values of ``key_reuse``: in which end states of its holder a key may be taken over."""


@dataclass(frozen=True, slots=True)
class NewExecution:
    """An execution to be inserted.

    Attributes:
        execution: Its snapshot, revision 1. Its step rows (if its first steps are waits) are inserted too.
        key_reuse: ``"never"``, ``"failed"`` or ``"terminal"``: see ``REUSABLE``.
        lease_owner: The worker that takes it at once (``execution.token`` is then 1), or None.
        lease: For how long, microseconds.
        due_at: When a worker has to look at it, if nobody takes it at once.
    """

    execution: Execution
    key_reuse: str = "never"
    lease_owner: str | None = None
    lease: int = 0
    due_at: int | None = None


def children_of(change: Change) -> list[NewExecution]:
    """Give the executions that a change inserts: nobody's yet, and due when they are to run."""
    return [NewExecution(child.evolve(revision=1), due_at=child.run_at) for child in change.children]


@dataclass(frozen=True, slots=True)
class Holder:
    """The execution that holds an idempotency key, as far as it must be compared."""

    id: str
    workflow: str
    input_hash: str


@dataclass(frozen=True, slots=True)
class Inserted:
    """What became of one new execution: inserted (``holder`` None), or its key is held by another."""

    id: str
    holder: Holder | None = None


class Verdict(StrEnum):
    """What became of one change."""

    APPLIED = "applied"
    REFUSED = "refused"
    """The row's revision (or token) was another one; nothing of it was written."""
    REJECTED = "rejected"
    """The database refused the data itself; nothing of it was written, the rest of the batch was."""


class Applied(NamedTuple):
    """The answer to one change. ``revision`` and ``token`` are the row's after the call (0: no row)."""

    id: str
    verdict: Verdict
    revision: int
    token: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a worker asks for.

    Attributes:
        owner: The worker's name, unique per start of its process.
        limit: At most so many.
        lease: For how long, microseconds.
        workflows: Only these; None is all.
        queues: Only these; None is all.
        not_plans: None that is blocked and has one of these plan hashes.
    """

    owner: str
    limit: int
    lease: int
    workflows: Collection[str] | None = None
    queues: Collection[str] | None = None
    not_plans: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a worker got: executions with their new tokens, oldest due first.

    Attributes:
        executions: Claimed, each with ``token`` raised by one.
        next_due: When the next row that this request may claim is due (or loses its lease); None: never.
        now: The store's time.
    """

    executions: Sequence[Execution]
    next_due: int | None
    now: int


@dataclass(frozen=True, slots=True)
class Renewed:
    """The answer for one lease: whether it is still held, and the row's revision."""

    id: str
    held: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life of a waiting external step; changes neither revision nor due time."""

    id: str
    step: str
    details: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """Which executions to find, newest first.

    Attributes:
        states: Only in these states; empty is all.
        workflow: Only of this workflow.
        tags: Only with all of these tags.
        since: Only created at or after this instant.
        parent_id: Only children of this execution.
        after: Only those listed after the one with this id (the cursor of the next page).
        limit: At most so many.
    """

    states: Collection[State] = ()
    workflow: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    since: int | None = None
    parent_id: str | None = None
    after: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class LeaseInfo:
    """Who holds an execution's lease, and until when."""

    owner: str
    until: int


@runtime_checkable
class Store(Protocol):
    """Where executions are kept. Implement it, and prove it with ``testing.StoreContract``."""

    def prepare(self) -> Sequence[str] | None:
        """Make the tables or bring them up to date; SchemaError where that is not possible.

        Gives the names of the migrations that were applied, if there are any to be named.
        """
        ...

    def now(self) -> int:
        """Give the store's time."""
        ...

    def insert(self, new: Sequence[NewExecution], *, skip_conflicts: bool = True) -> Sequence[Inserted]:
        """Insert all of them in one transaction and answer in order.

        One whose idempotency key is held is not inserted; its answer names the holder. With
        ``skip_conflicts`` false a holder of another workflow or input undoes the whole call: the answers
        then name every conflicting holder and nothing was inserted. An execution whose *id* exists is
        answered as inserted and left as it is: repeating an insert of unknown outcome is safe.
        """
        ...

    def load(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Give those of the executions that exist, in the order asked for, all as of one moment.

        One that can't be read raises CorruptRow.
        """
        ...

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """Give the states of those of the executions that exist: what a waiter asks for, cheaply."""
        ...

    def commit(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Apply changes, each whole or not at all, and answer in order; at most one for each execution.

        A change is applied if the row has the guarded revision and, where ``owned``, the token. Several
        changes share one commit of the database. Children are inserted with their parent's change.
        ``release`` counts for an owner only. A sign of life that ``touch`` recorded since the snapshot was
        taken is kept, as long as the step still waits the same wait.
        """
        ...

    def claim(self, request: ClaimRequest) -> Claimed:
        """Take leases on executions that are due, or whose lease is over; raises their token by one.

        A lease is over at its last instant, not after it. A row that can't be read is passed over: it is
        told in the log and put off by the length of a lease.
        """
        ...

    def renew(self, leases: Sequence[Lease], lease: int) -> Sequence[Renewed]:
        """Prolong leases to ``lease`` microseconds from now, those still held with this token; in order."""
        ...

    def release(self, leases: Sequence[Lease], due_at: Mapping[str, int | None]) -> None:
        """Give up leases that are still held with this token, leaving each row's due time as given."""
        ...

    def lease_of(self, id: str) -> LeaseInfo | None:
        """Tell who holds an execution now, if anyone does."""
        ...

    def touch(self, beats: Sequence[Heartbeat]) -> Sequence[bool]:
        """Record signs of life; True where the step is waiting."""
        ...

    def find(self, query: Query) -> Sequence[Execution]:
        """Give matching executions, newest first (by ``created_at``, then id).

        One that can't be read is told in the log and left out. After a cursor that was pruned comes nothing.
        """
        ...

    def prune(self, before: int, limit: int) -> int:
        """Delete at most ``limit`` terminal executions that ended before an instant, and free their keys."""
        ...

    def listen(self, hint: Callable[[], None]) -> Callable[[], None] | None:
        """Call ``hint`` soon after another process changed something; give a function that stops it.

        None where the backend can't: then polling finds what there is. A hint is never a promise.
        """
        ...

    def close(self) -> None:
        """Close what is open; the store may be used again after that and opens it anew."""
        ...


@runtime_checkable
class ProvesHints(Protocol):
    """What a store has whose hints can be relied on for a while: workers then look for work more seldom."""

    def hears(self) -> bool:
        """Tell whether it was proved a moment ago that whoever called ``listen`` is told what others do.

        When that ends, ``hint`` is called, so that nothing is missed that was told in between.
        """
        ...
