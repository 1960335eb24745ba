"""When two states are one: all that can make a difference later, as plain tuples, and nothing else.

Instants count from now, in whole ticks, and one that is past is just past, unless something is still
counted from it. What is only told (when a step began, what an error said) is left out; revisions and tokens
count from the row's own.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from hashlib import blake2b
from marshal import dumps
from typing import Any, ClassVar

from active_workflow.core.attempts import Run
from active_workflow.core.plan import Plan
from active_workflow.core.snapshot import Execution, Step
from active_workflow.engine.alarms import Alarms
from active_workflow.engine.call import Call, CallKind
from active_workflow.engine.pace import Pace

LONG_AGO = 10**14
"""No number as large as this is anything but an instant."""
PAST = 0

TOLD_ONLY = frozenset(
    {
        *("created_at", "started_at", "finished_at", "undone_at", "completed_at", "attempt_at"),
        *("received_at", "ended_at", "cancel_requested_at", "at", "errors", "error", "lost", "message"),
        *("details", "told"),
        *("input", "input_hash", "tags", "parent_id", "settings", "roll", "faults", "_serves", "_numbers"),
        *("_poll_interval", "_lease", "plan", "id", "key"),
    }
)
"""Fields that decide about nothing here."""
BASES = frozenset({"waiting_since", "undo_waiting_since", "heartbeat_at", "read_at", "called_at", "run_at"})
"""Instants from which something may still be counted when they are past."""
_INSTANTS = frozenset({"due_at", "good_until"})

Key = bytes


class Canonical:
    """Makes keys of states.

    Args:
        row: The execution, as the store has it.
        now: When that is.
        tick: How long a tick is, microseconds.
        bases: Those of ``BASES`` from which something is counted in this configuration.
    """

    def __init__(self, row: Execution, now: int, tick: int, bases: frozenset[str]) -> None:
        self._row, self._now, self._tick, self._bases = row, now, tick, bases
        self._horizon = 4 * tick  # no limit that is counted from the past is longer
        self._seen: dict[int, int] = {}
        self._row_told = False
        self._values: dict[int, Any] = {}

    def key(self, parts: object, *, row_told: bool = True) -> Key:
        """Give the key of a part of a state.

        Args:
            parts: What it consists of.
            row_told: Whether the row itself is told elsewhere, so that it need not be told here.
        """
        self._seen, self._row_told = {}, row_told
        return blake2b(dumps(self._of(parts), 2), digest_size=16).digest()

    def instant(self, value: int) -> int:
        """Give in how many ticks an instant is."""
        return -((self._now - value) // self._tick) if value > self._now else PAST

    def _of(self, value: Any) -> Any:
        if value is None:
            return None
        way = self._ways.get(type(value))
        return self._object(value) if way is None else way(self, value)

    def _int(self, value: int) -> int:
        return self.instant(value) if value > LONG_AGO else value

    def _same(self, value: Any) -> Any:
        return value

    def _list(self, value: Any) -> Any:
        return tuple([self._of(item) for item in value])

    def _set(self, value: Any) -> Any:
        return tuple(sorted([self._of(item) for item in value], key=repr))

    def _dict(self, value: Any) -> Any:
        items = [(self._of(key), self._of(item)) for key, item in value.items()]
        return tuple(sorted(items, key=repr) if len(items) > 1 else items)

    def _execution(self, x: Execution) -> Any:
        return "the row" if self._row_told and x == self._row else self._value(x)

    def _value(self, value: Any) -> Any:
        """Give a frozen value, worked out once however often it occurs."""
        told = self._values.get(id(value))
        if told is None:
            told = self._values[id(value)] = self._plain(value)
        return told

    def _call(self, call: Call) -> Any:
        """Give a call without the snapshot that it sees, of which only the age matters."""
        called_at, asks = call.called_at, call.kind is CallKind.VERIFY or call.kind is CallKind.DECIDE
        age = 0 if called_at is None else self._base(called_at, "called_at")
        return (
            *(
                call.kind.value,
                call.step,
                call.attempt,
                call.token - self._row.token,
                call.stopping,
                call.over,
            ),
            *(call.decided, called_at is not None, age, self.instant(call.tenure.good_until)),
            asks
            and (call.execution.revision == self._row.revision, call.execution.step(call.step).run.doubts),
        )

    def _pace(self, pace: Pace) -> Any:
        return (pace.in_use, pace.limit, pace.planned)

    def _alarms(self, alarms: Alarms[Any]) -> Any:
        return self._dict(alarms._at)  # noqa: SLF001 - what is in its heap beside that counts no more

    def _object(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, Mapping):
            return self._dict(value)
        number = self._seen.setdefault(id(value), len(self._seen))
        if number < len(self._seen) - 1:
            return ("again", number)
        return () if callable(value) else self._plain(value)

    def _plain(self, value: Any) -> Any:
        told: list[Any] = [type(value).__name__]
        for name in _fields(value):
            item = getattr(value, name)
            way = self._named.get(name)
            told.append(self._of(item) if item is None or way is None else way(self, item, name))
        return tuple(told)

    def _base(self, value: int, name: str) -> int:
        return max(value - self._now, -self._horizon) if name in self._bases else 0

    # --- How each type and each field is told ---------------------------------------------------------

    _ways: ClassVar[Mapping[type, Callable[..., Any]]] = {
        **dict.fromkeys((str, bytes, bool, float), _same),
        **dict.fromkeys((tuple, list), _list),
        **dict.fromkeys((set, frozenset), _set),
        int: _int,
        dict: _dict,
        Execution: _execution,
        Step: _value,
        Run: _value,
        Call: _call,
        Pace: _pace,
        Alarms: _alarms,
        Plan: lambda _, plan: plan.hash,
    }
    _named: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "revision": lambda self, value, _: value - self._row.revision,
        "token": lambda self, value, _: value - self._row.token,
        "asked_under": lambda self, value, _: value - self._row.token,
        "_claims": lambda self, claims, _: self._of(vars(claims)["_unserved"]),  # when it claims is free
        **dict.fromkeys(BASES, _base),
        **dict.fromkeys(_INSTANTS, lambda self, value, _: self.instant(value)),
    }


_fields_of: dict[type, tuple[str, ...]] = {}


def _fields(value: Any) -> tuple[str, ...]:
    """Give the names of an object's fields that count; all objects of a class here have the same ones."""
    kind = type(value)
    if kind not in _fields_of:
        slots = [name for parent in kind.__mro__ for name in vars(parent).get("__slots__", ())]
        _fields_of[kind] = tuple(sorted(set(slots or vars(value)) - TOLD_ONLY))
    return _fields_of[kind]
