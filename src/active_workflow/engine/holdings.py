"""The executions in a worker's hands, and which of them have to be seen to, and how."""

from active_workflow.core.events import Event
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import Phase
from active_workflow.engine.alarms import Alarms
from active_workflow.engine.held import Held
from active_workflow.engine.pace import Pace

Marks = dict[str, None]
"""Ids of executions, in order."""


class Holdings:
    """What a worker has leases on.

    Attributes:
        by_id: The executions.
        dirty: To be looked at.
        stale: To be read again, and not to be moved before that.
        lapsed: To be renewed before anything of them starts.
        put_off: To be looked at as soon as the answer to their commit is there.
        alarms: When to look at them even if nothing happens until then.
        faults: Errors that should not happen: (execution id, error).
    """

    def __init__(self, pace: Pace) -> None:
        """Begin with empty hands; ``pace`` keeps room for what they are to start."""
        self._pace = pace
        self.by_id: dict[str, Held] = {}
        self.dirty: Marks = {}
        self.stale: Marks = {}
        self.lapsed: Marks = {}
        self.put_off: Marks = {}
        self.alarms: Alarms[str] = Alarms()
        self.faults: list[tuple[str, Exception]] = []
        self._over: set[str] = set()

    def __len__(self) -> int:
        """Give how many want a place; of one that is over, only the record is left to be written."""
        return len(self.by_id) - len(self._over)

    def take(self, execution: Execution, good_until: int, now: int) -> Held:
        """Take hold of an execution; what was held of it under an earlier token is lost."""
        self.drop(execution.id)
        held = self.by_id[execution.id] = Held(execution, good_until, now)
        self.look_soon(held)
        return held

    def drop(self, id: str) -> None:
        """Let an execution go: nothing of it is begun or recorded any more."""
        held = self.by_id.pop(id, None)
        if held is None:
            return
        held.tenure.good_until = 0
        self.alarms.set(id, None)
        self._over.discard(id)
        self._pace.unplan(id)
        for marks in (self.dirty, self.stale, self.lapsed, self.put_off):
            marks.pop(id, None)

    def fault(self, id: str, error: Exception) -> None:
        """The law refused what can't happen: let the execution go, so that it harms no other."""
        self.faults.append((id, error))
        self.drop(id)

    def look_soon(self, held: Held) -> None:
        """Have an execution looked at."""
        self.dirty[held.id] = None
        if held.known.phase is Phase.OVER:
            self._over.add(held.id)

    def tell(self, held: Held, event: Event, now: int) -> None:
        """Tell an execution a fact."""
        try:
            held.tell(event, now)
        except Exception as error:  # noqa: BLE001 - one bad execution must not hold up the others
            self.fault(held.id, error)
        else:
            self.look_soon(held)

    def reread(self, held: Held, execution: Execution | None, now: int) -> None:
        """Go on from what the store has, unless that has another owner by now."""
        self.stale.pop(held.id, None)
        if execution is None or execution.token != held.recorded.token:
            self.drop(held.id)
            return
        try:
            held.reread(execution, now)
        except Exception as error:  # noqa: BLE001 - one bad execution must not hold up the others
            self.fault(held.id, error)
        else:
            self.look_soon(held)

    def recorded(self, held: Held, execution: Execution, now: int) -> None:
        """Go on from what a step has recorded in its own transaction, unless it is read anew anyway.

        A commit under way was decided on without that: whatever becomes of it, the store knows better.
        """
        if held.sent is not None:
            self.stale[held.id] = None
        elif held.id in self.stale or execution.revision <= held.recorded.revision:
            self.look_soon(held)
        elif execution.phase is Phase.OVER:
            self.drop(held.id)
        else:
            self.reread(held, execution, now)

    def reject(self, held: Held, reason: str, now: int) -> None:
        """The database refuses the data of a change."""
        try:
            goes_on = held.reject(reason, now)
        except Exception as error:  # noqa: BLE001 - one bad execution must not hold up the others
            self.fault(held.id, error)
            return
        if goes_on:
            self.look_soon(held)
        else:
            self.fault(held.id, ValueError(f"the store refuses what is to be recorded of it: {reason}"))

    def doubt(self, id: str) -> None:
        """Only the store can say whether an execution's lease is still ours: nothing starts before that."""
        held = self.by_id.get(id)
        if held is not None:
            held.tenure.good_until = 0

    def renewed(self, held: Held, good_until: int) -> None:
        """Rely on a lease again, and look at an execution that had to stand still without it."""
        held.tenure.good_until = good_until
        if held.id in self.lapsed:
            del self.lapsed[held.id]
            self.dirty[held.id] = None

    def to_look_at(self, first: list[str], now: int) -> list[Held]:
        """Give those to be looked at now, the given ones before the others."""
        for id in self.alarms.ring(now):
            self.dirty[id] = None
        ids = {**dict.fromkeys(first), **self.dirty} if first else self.dirty
        self.dirty = {}
        found = []
        for id in ids:
            held = self.by_id.get(id)
            if held is None or id in self.stale:
                continue
            if held.sent is None:
                found.append(held)
            else:
                self.put_off[id] = None
        return found

    def answered(self, held: Held) -> None:
        """The answer to its commit is there, whatever it says."""
        self._pace.unplan(held.id)
        if held.id in self.put_off:
            del self.put_off[held.id]
            self.dirty[held.id] = None
