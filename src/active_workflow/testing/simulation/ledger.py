"""What really happened outside the store: every call of user code, every effect, every answer."""

from collections import defaultdict
from dataclasses import dataclass, field

from active_workflow.engine.call import Call, CallKind


@dataclass(slots=True, eq=False)
class Entry:
    """One call of user code.

    Attributes:
        call: Which call.
        worker: Whose process made it.
        began: When.
        effect: Whether it had its effect on the world, by now.
        end: How it ended: ``returned``, ``raised``, ``skipped``, ``unfit`` (returned what can't be
            recorded), ``stopped`` (cancelled), ``rolled back`` (returned, and its transaction came to
            nothing), ``died`` (with its process); None while it runs.
        answer: What it returned.
        ended: When it ended, as far as that is watched.
        correlation: The id under which the partner of an external step knows it.
    """

    call: Call
    worker: str
    began: int
    effect: bool = False
    end: str | None = None
    answer: object = None
    ended: int | None = None
    correlation: str | None = None

    @property
    def transactional(self) -> bool:
        """Whether its effect is recorded with it, or does not happen."""
        call = self.call
        plan = call.execution.plan.by_name[call.step]
        return plan.transactional and call.kind in (CallKind.RUN, CallKind.UNDO)


Key = tuple[str, str]
"""An execution's id and a step's name."""


@dataclass(slots=True)
class Ledger:
    """All entries, by step."""

    runs: dict[Key, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    undos: dict[Key, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    verdicts: dict[Key, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    made: set[tuple[str, CallKind, str, int]] = field(default_factory=set)

    def enter(self, entry: Entry) -> None:
        """Write down that a call has begun."""
        call = entry.call
        key = (call.id, call.step)
        if call.kind is CallKind.RUN:
            self.runs[key].append(entry)
        elif call.kind is CallKind.UNDO:
            self.undos[key].append(entry)
        elif call.kind is CallKind.VERIFY:
            self.verdicts[key].append(entry)

    def landed(self, key: Key) -> Entry | None:
        """Give the last call of a step that had its effect."""
        return next((entry for entry in reversed(self.runs.get(key, ())) if entry.effect), None)

    def values(self, key: Key) -> set[object]:
        """Give everything that a step's calls and verdicts ever answered."""
        return {entry.answer for entry in (*self.runs.get(key, ()), *self.verdicts.get(key, ()))}
