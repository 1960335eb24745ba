"""A complete store over one JSON file, as short as can be while right: see docs/howto/write-a-store.md.

Every call locks the file, reads it if others have changed it, and replaces it whole if it changed something.
So it is slow, and many processes may share it.
"""

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import State
from active_workflow.errors import CorruptRow
from active_workflow.store import base
from active_workflow.store.codec import (
    FIXED,
    FORMAT,
    LOADED,
    MOVED,
    fixed_columns,
    moved_columns,
    read_execution,
)
from active_workflow.store.faults import is_text
from active_workflow.store.keys import Held, check_keys, settle_keys
from active_workflow.store.plans import Plans
from active_workflow.store.step_rows import STEP_COLUMNS, step_row

Row = dict[str, Any]
log = logging.getLogger("active_workflow")


class JsonStore:
    def __init__(self, path: str | os.PathLike[str], clock: base.Clock | None = None) -> None:
        self.path = Path(path)
        self._clock = clock or (lambda: time.time_ns() // 1000)
        self._threads = threading.RLock()
        self._read: tuple[int, ...] | None = None  # what the file was when it was read last
        self._data: dict[str, Any] = {}
        self._plans = Plans()

    # --- The file -----------------------------------------------------------------------------------

    @contextmanager
    def _open(self, *, write: bool = False) -> Iterator[dict[str, Row]]:
        """Give all rows by id, with nobody else at them; what was changed is kept if no error is raised."""
        with self._threads, self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._read != (found := self._stamp()):
                self._data = (
                    json.loads(self.path.read_text()) if found else {"plans": {}, "keys": {}, "rows": {}}
                )
                self._read = found
            try:
                yield self._data["rows"]
                if write:
                    self._replace()
            except BaseException:
                self._read = None  # what is in memory may be half done: read the file again
                raise

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return ()
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def _replace(self) -> None:
        new = self.path.with_suffix(".new")
        with new.open("w") as file:
            json.dump(self._data, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        self._read = self._stamp()

    def prepare(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Nothing stays open between calls."""

    def now(self) -> int:
        return self._clock()

    def listen(self, hint: Callable[[], None]) -> None:
        """A file tells nobody: workers poll."""

    # --- Writing ------------------------------------------------------------------------------------

    def insert(
        self, new: Sequence[base.NewExecution], *, skip_conflicts: bool = True
    ) -> Sequence[base.Inserted]:
        check_keys(new)
        with self._open(write=True) as rows:
            held = {}
            for key in (item.execution.key for item in new):
                holder = rows.get(self._data["keys"].get(key))
                if key is not None and holder is not None:
                    who = base.Holder(holder["id"], holder["workflow"], holder["input_hash"])
                    held[key] = Held(who, holder["state"])
            answers, accepted = settle_keys(new, held, rows, skip_conflicts=skip_conflicts)
            for item in accepted:
                self._put(rows, item)
            return answers

    def _put(self, rows: dict[str, Row], new: base.NewExecution) -> None:
        x = new.execution
        self._data["plans"].setdefault(x.plan.hash, self._plans.body(x.plan))
        if x.key is not None:
            self._data["keys"][x.key] = x.id
        row: Row = dict(zip(FIXED, fixed_columns(x), strict=True))
        row.update(revision=x.revision, token=x.token, due_at=new.due_at, steps={}, signals={})
        row.update(owner=new.lease_owner, until=self.now() + new.lease if new.lease_owner else None)
        rows[x.id] = row
        _move(row, x, [step for step in x.steps.values() if not step.active], x.signals, ())

    def commit(self, changes: Sequence[Change]) -> Sequence[base.Applied]:
        with self._open(write=True) as rows:
            return [self._commit(rows, change) for change in changes]

    def _commit(self, rows: dict[str, Row], change: Change) -> base.Applied:
        x, row = change.after, rows.get(change.id)
        if row is None:
            return base.Applied(x.id, base.Verdict.REFUSED, 0, 0)
        guards = row["revision"], row["token"]
        if guards[0] != change.guarded_revision or (change.owned and guards[1] != x.token):
            return base.Applied(x.id, base.Verdict.REFUSED, *guards)
        if not all(is_text(text or "") for s in change.steps for text in (s.result, *s.patch.values())):
            return base.Applied(x.id, base.Verdict.REJECTED, *guards, "half a surrogate pair")
        row["revision"] = x.revision
        _move(row, x, change.steps, change.received, change.taken)
        if change.owned and change.release:
            row.update(due_at=change.due_at, owner=None, until=None)
        elif not change.owned and row["until"] is None:
            row["due_at"] = change.due_at
        for child in base.children_of(change):
            if child.execution.id not in rows:
                self._put(rows, child)
        return base.Applied(x.id, base.Verdict.APPLIED, x.revision, guards[1])

    def touch(self, beats: Sequence[base.Heartbeat]) -> Sequence[bool]:
        with self._open(write=True) as rows:
            return [self._touch(rows.get(beat.id), beat) for beat in beats]

    def _touch(self, row: Row | None, beat: base.Heartbeat) -> bool:
        step = row["steps"].get(beat.step) if row else None
        if (
            row is None
            or step is None
            or step["state"] != "waiting"
            or beat.step in json.loads(row["active"])
        ):
            return False
        step.update(heartbeat_at=self.now(), heartbeat=beat.details)
        return True

    def prune(self, before: int, limit: int) -> int:
        with self._open(write=True) as rows:
            ended = [(r["completed_at"], id) for id, r in rows.items() if r["completed_at"] is not None]
            old = sorted(item for item in ended if item[0] < before)[:limit]
            for _, id in old:
                key = rows.pop(id)["key"]
                if self._data["keys"].get(key) == id:
                    del self._data["keys"][key]
            return len(old)

    # --- Leases -------------------------------------------------------------------------------------

    def claim(self, request: base.ClaimRequest) -> base.Claimed:
        with self._open(write=request.limit > 0) as rows:
            now = self.now()
            wanted = [row for row in rows.values() if _is_wanted(row, request)]
            due = sorted(
                (at, row["id"]) for row in wanted if (at := _claimable_at(row)) is not None and at <= now
            )
            taken: list[Execution] = []
            for _, id in due[: max(request.limit, 0)]:
                row = rows[id]
                found = self._read_or_tell(row)
                if found is None:
                    row.update(due_at=now + request.lease, owner=None, until=None)
                else:
                    row.update(token=row["token"] + 1, owner=request.owner, until=now + request.lease)
                    taken.append(found.evolve(token=row["token"]))
            times = [at for row in wanted if (at := _claimable_at(row)) is not None]
            return base.Claimed(taken, min(times, default=None), now)

    def renew(self, leases: Sequence[base.Lease], lease: int) -> Sequence[base.Renewed]:
        with self._open(write=True) as rows:
            return [self._renew(rows, each, lease) for each in leases]

    def _renew(self, rows: dict[str, Row], lease: base.Lease, time: int) -> base.Renewed:
        held = _held(rows, lease)
        if held is not None:
            held["until"] = self.now() + time
        return base.Renewed(lease.id, held is not None, rows[lease.id]["revision"] if lease.id in rows else 0)

    def release(self, leases: Sequence[base.Lease], due_at: Mapping[str, int | None]) -> None:
        with self._open(write=True) as rows:
            for lease in leases:
                if (row := _held(rows, lease)) is not None:
                    row.update(due_at=due_at.get(lease.id), owner=None, until=None)

    def lease_of(self, id: str) -> base.LeaseInfo | None:
        with self._open() as rows:
            row = rows.get(id)
            if row is None or row["until"] is None or row["until"] <= self.now():
                return None
            return base.LeaseInfo(row["owner"], row["until"])

    # --- Reading ------------------------------------------------------------------------------------

    def load(self, ids: Sequence[str]) -> Sequence[Execution]:
        with self._open() as rows:
            return [self._execution(rows[id]) for id in ids if id in rows]

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        with self._open() as rows:
            return {id: State(rows[id]["state"]) for id in ids if id in rows}

    def find(self, query: base.Query) -> Sequence[Execution]:
        with self._open() as rows:
            found = sorted((row for row in rows.values() if _matches(row, query)), key=_age, reverse=True)
            if query.after is not None:
                cursor = rows.get(query.after)
                found = [row for row in found if cursor is not None and _age(row) < _age(cursor)]
            return [x for row in found[: query.limit] if (x := self._read_or_tell(row)) is not None]

    def _execution(self, row: Row) -> Execution:
        """Give the execution of a row; CorruptRow where it can't be read."""
        self._plans.learn(
            [row["plan"]], lambda unknown: [(each, self._data["plans"][each]) for each in unknown]
        )
        plan = self._plans.get(row["plan"])
        if plan is None:
            raise CorruptRow(f"execution {row['id']} can't be read back: its plan is damaged")
        steps = [[step[name] for name in STEP_COLUMNS] for step in row["steps"].values()]
        signals = [signal for _, signal in sorted(row["signals"].items(), key=lambda item: int(item[0]))]
        return read_execution([row[name] for name in LOADED], steps, signals, plan)

    def _read_or_tell(self, row: Row) -> Execution | None:
        try:
            return self._execution(row)
        except CorruptRow as error:
            log.error("%s", error)  # noqa: TRY400 - the message says it all
            return None


def _move(
    row: Row, x: Execution, steps: Sequence[Step], received: Sequence[Any], taken: Sequence[int]
) -> None:
    """Write what a change moves: columns, rows of steps, signals."""
    row.update(zip(MOVED, moved_columns(x), strict=True))
    for step in steps:
        new = dict(zip(STEP_COLUMNS, step_row(x, step), strict=True))
        old = row["steps"].get(step.name)
        if old and old["state"] == new["state"] == "waiting" and old["waiting_since"] == new["waiting_since"]:
            newer = max(old, new, key=lambda each: each["heartbeat_at"] or 0)  # `touch` raises no revision
            new.update(heartbeat_at=newer["heartbeat_at"], heartbeat=newer["heartbeat"])
        row["steps"][step.name] = new
    for s in received:
        row["signals"][str(s.number)] = [s.number, s.name, s.payload, s.key, s.received_at]
    for number in taken:
        row["signals"].pop(str(number), None)


def _claimable_at(row: Row) -> int | None:
    """When it may be claimed: once its lease is over, or when it is due."""
    at: int | None = row["due_at"] if row["until"] is None else row["until"]
    return at


def _is_wanted(row: Row, request: base.ClaimRequest) -> bool:
    return (
        row["format"] <= FORMAT
        and (request.workflows is None or row["workflow"] in request.workflows)
        and (request.queues is None or row["queue"] in request.queues)
        and (row["state"] != State.BLOCKED or row["plan"] not in request.not_plans)
    )


def _held(rows: dict[str, Row], lease: base.Lease) -> Row | None:
    row = rows.get(lease.id)
    return row if row and row["until"] is not None and row["token"] == lease.token else None


def _matches(row: Row, query: base.Query) -> bool:
    return (
        (not query.states or row["state"] in query.states)
        and (query.workflow is None or row["workflow"] == query.workflow)
        and (query.since is None or row["created_at"] >= query.since)
        and (query.parent_id is None or row["parent_id"] == query.parent_id)
        and query.tags.items() <= json.loads(row["tags"]).items()
    )


def _age(row: Row) -> tuple[int, str]:
    return (row["created_at"], row["id"])
