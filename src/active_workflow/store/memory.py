"""The memory store: for tests, the REPL and simulations. The same answers as a database gives, no rows."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import State, StepState
from active_workflow.store.base import (
    Applied,
    Claimed,
    ClaimRequest,
    Clock,
    Heartbeat,
    Holder,
    Inserted,
    Lease,
    LeaseInfo,
    NewExecution,
    Query,
    Renewed,
    Verdict,
    children_of,
)
from active_workflow.store.clock import system_clock
from active_workflow.store.faults import is_text
from active_workflow.store.keys import Held, check_keys, settle_keys
from active_workflow.store.queues import queue_of


@dataclass(slots=True)
class _Row:
    """What the store knows of one execution."""

    execution: Execution
    due_at: int | None = None
    lease_owner: str | None = None
    lease_until: int | None = None

    @property
    def claimable_at(self) -> int | None:
        """When it may be claimed: once its lease is over, or when it is due."""
        return self.due_at if self.lease_until is None else self.lease_until

    def give_up(self, due_at: int | None) -> None:
        self.due_at, self.lease_owner, self.lease_until = due_at, None, None


class MemoryStore:
    """Keeps executions in this process's memory, as the frozen snapshots they are.

    Args:
        clock: Gives the time in microseconds; the machine's own unless given.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or system_clock
        self._lock = threading.RLock()
        self._rows: dict[str, _Row] = {}
        self._open: dict[str, _Row] = {}  # those that can be claimed some day: a claim looks at no others
        self._keys: dict[str, str] = {}

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def now(self) -> int:
        """Give the store's time."""
        return self._clock()

    # --- Writing ------------------------------------------------------------------------------------

    def insert(self, new: Sequence[NewExecution], *, skip_conflicts: bool = True) -> Sequence[Inserted]:
        """Insert all of them and answer in order; see ``Store.insert``."""
        check_keys(new)
        with self._lock:
            held = self._holders(new)
            answers, accepted = settle_keys(new, held, self._rows, skip_conflicts=skip_conflicts)
            for item in accepted:
                self._put(item)
            return answers

    def _holders(self, new: Iterable[NewExecution]) -> dict[str, Held]:
        held = {}
        for key in (item.execution.key for item in new):
            row = self._rows.get(self._keys.get(key, "")) if key is not None else None
            if key is not None and row is not None:
                e = row.execution
                held[key] = Held(Holder(e.id, e.plan.workflow, e.input_hash), e.state)
        return held

    def _put(self, item: NewExecution) -> None:
        execution = item.execution
        row = _Row(execution, item.due_at)
        if item.lease_owner is not None:
            row.lease_owner, row.lease_until = item.lease_owner, self.now() + item.lease
        if execution.key is not None:
            self._keys[execution.key] = execution.id
        self._rows[execution.id] = row
        self._keep(row)

    def _keep(self, row: _Row) -> None:
        """Keep a row among those that can be claimed some day, or leave it out."""
        if row.claimable_at is None:
            self._open.pop(row.execution.id, None)
        else:
            self._open[row.execution.id] = row

    def commit(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Apply changes, each whole or not at all; see ``Store.commit``."""
        with self._lock:
            return [self._commit(change) for change in changes]

    def _commit(self, change: Change) -> Applied:
        row = self._rows.get(change.id)
        if row is None:
            return Applied(change.id, Verdict.REFUSED, 0, 0)
        before = row.execution
        if before.revision != change.guarded_revision or (
            change.owned and before.token != change.after.token
        ):
            return Applied(change.id, Verdict.REFUSED, before.revision, before.token)
        if not all(_storable(step) for step in change.steps):
            return Applied(
                change.id, Verdict.REJECTED, before.revision, before.token, "half a surrogate pair"
            )
        row.execution = _with_newer_beats(before, change.after)
        if row.execution.token != before.token:
            row.execution = row.execution.evolve(token=before.token)
        if change.owned and change.release:
            row.give_up(change.due_at)
        elif not change.owned and row.lease_until is None:
            row.due_at = change.due_at
        self._keep(row)
        if change.children:
            self.insert(children_of(change))
        return Applied(change.id, Verdict.APPLIED, change.after.revision, before.token)

    def touch(self, beats: Sequence[Heartbeat]) -> Sequence[bool]:
        """Record signs of life; True where the step is waiting."""
        with self._lock:
            return [self._touch(beat) for beat in beats]

    def _touch(self, beat: Heartbeat) -> bool:
        row = self._rows.get(beat.id)
        step = row.execution.steps.get(beat.step) if row else None
        if row is None or step is None or step.state is not StepState.WAITING:
            return False
        touched = step.evolve(heartbeat_at=self.now(), heartbeat=beat.details)
        row.execution = row.execution.with_step(touched)
        return True

    def prune(self, before: int, limit: int) -> int:
        """Delete terminal executions that ended before an instant, and free their keys."""
        with self._lock:
            ended = [
                (row.execution.completed_at, id)
                for id, row in self._rows.items()
                if row.execution.completed_at is not None and row.execution.completed_at < before
            ]
            for _, id in sorted(ended)[:limit]:
                key = self._rows.pop(id).execution.key
                self._open.pop(id, None)
                if key is not None and self._keys.get(key) == id:
                    del self._keys[key]
            return min(len(ended), limit)

    # --- Leases -------------------------------------------------------------------------------------

    def claim(self, request: ClaimRequest) -> Claimed:
        """Take leases on what is due, or on what nobody renewed."""
        with self._lock:
            now = self.now()
            wanted = [row for row in self._open.values() if _wanted(row.execution, request)]
            due = sorted(
                (at, row.execution.id) for row in wanted if (at := row.claimable_at) is not None and at <= now
            )
            taken = [self._rows[id] for _, id in due[: max(request.limit, 0)]]
            for row in taken:
                row.execution = row.execution.evolve(token=row.execution.token + 1)
                row.lease_owner, row.lease_until = request.owner, now + request.lease
            times = [at for row in wanted if (at := row.claimable_at) is not None]
            return Claimed([row.execution for row in taken], min(times, default=None), now)

    def renew(self, leases: Sequence[Lease], lease: int) -> Sequence[Renewed]:
        """Prolong leases that are still held, in order."""
        with self._lock:
            until = self.now() + lease
            return [self._renew(each, until) for each in leases]

    def _renew(self, lease: Lease, until: int) -> Renewed:
        row = self._held(lease)
        if row is not None:
            row.lease_until = until
            return Renewed(lease.id, held=True, revision=row.execution.revision)
        lost = self._rows.get(lease.id)
        return Renewed(lease.id, held=False, revision=lost.execution.revision if lost else 0)

    def _held(self, lease: Lease) -> _Row | None:
        row = self._rows.get(lease.id)
        if row is None or row.lease_until is None or row.execution.token != lease.token:
            return None
        return row

    def release(self, leases: Sequence[Lease], due_at: Mapping[str, int | None]) -> None:
        """Give up leases that are still held; each row is then due as given."""
        with self._lock:
            for lease in leases:
                row = self._held(lease)
                if row is not None:
                    row.give_up(due_at.get(lease.id))
                    self._keep(row)

    def lease_of(self, id: str) -> LeaseInfo | None:
        """Tell who holds an execution now, if anyone does."""
        with self._lock:
            row = self._rows.get(id)
            if row is None or row.lease_owner is None or row.lease_until is None:
                return None
            return LeaseInfo(row.lease_owner, row.lease_until) if row.lease_until > self.now() else None

    # --- Reading ------------------------------------------------------------------------------------

    def load(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Give those of the executions that exist, in the order asked for."""
        with self._lock:
            return [self._rows[id].execution for id in ids if id in self._rows]

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """Give the states of those of the executions that exist."""
        with self._lock:
            return {id: self._rows[id].execution.state for id in ids if id in self._rows}

    def find(self, query: Query) -> Sequence[Execution]:
        """Give matching executions, newest first."""
        with self._lock:
            found = [row.execution for row in self._rows.values() if _matches(row.execution, query)]
            if query.after is not None:
                cursor = self._rows.get(query.after)
                found = [e for e in found if cursor and _age(e) < _age(cursor.execution)]
            return sorted(found, key=_age, reverse=True)[: query.limit]

    # --- The rest -----------------------------------------------------------------------------------

    def listen(self, hint: Callable[[], None]) -> Callable[[], None] | None:  # noqa: ARG002 - the contract's
        """Nobody else can change anything here."""
        return None

    def close(self) -> None:
        """There is nothing to close; what was stored stays for as long as the object lives."""


def _wanted(execution: Execution, request: ClaimRequest) -> bool:
    plan = execution.plan
    return (
        (request.workflows is None or plan.workflow in request.workflows)
        and (request.queues is None or queue_of(execution) in request.queues)
        and not (execution.state is State.BLOCKED and plan.hash in request.not_plans)
    )


def _matches(execution: Execution, query: Query) -> bool:
    return (
        (not query.states or execution.state in query.states)
        and (query.workflow is None or execution.plan.workflow == query.workflow)
        and (query.since is None or execution.created_at >= query.since)
        and (query.parent_id is None or execution.parent_id == query.parent_id)
        and query.tags.items() <= execution.tags.items()
    )


def _age(execution: Execution) -> tuple[int, str]:
    return (execution.created_at, execution.id)


def _storable(step: Step) -> bool:
    """Tell whether a database could keep it: it refuses text that is none."""
    return is_text(step.result or "") and all(text is None or is_text(text) for text in step.patch.values())


def _with_newer_beats(before: Execution, after: Execution) -> Execution:
    """Keep signs of life that came since the snapshot was taken: ``touch`` raises no revision."""
    for name, old in before.steps.items():
        if old.heartbeat_at is None or old.state is not StepState.WAITING:
            continue
        step = after.step(name)
        if (
            step.state is StepState.WAITING
            and old.waiting_since == step.waiting_since
            and old.heartbeat_at > (step.heartbeat_at or 0)
        ):
            after = after.with_step(step.evolve(heartbeat_at=old.heartbeat_at, heartbeat=old.heartbeat))
    return after
