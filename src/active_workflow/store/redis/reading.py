"""From the fields of an execution back to its rows, which ``codec`` reads as it does those of any store."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from active_workflow.core.snapshot import Execution
from active_workflow.errors import CorruptRow
from active_workflow.store.codec import corrupt
from active_workflow.store.fetched import Fetched
from active_workflow.store.jsontext import write_json
from active_workflow.store.plans import Plans
from active_workflow.store.step_rows import STEP_COLUMNS

Fields = Sequence[bytes]
"""Names and values in turn, as the server gives them."""
FetchPlans = Callable[[list[str]], Iterable[tuple[str, str]]]

_BEAT_AT = STEP_COLUMNS.index("heartbeat_at")
_BEAT = STEP_COLUMNS.index("heartbeat")


def read(
    found: Iterable[tuple[str, Fields]], plans: Plans, fetch_plans: FetchPlans
) -> tuple[list[Execution], dict[str, CorruptRow]]:
    """Give executions from their fields, in order; beside them those that can't be read."""
    fetched, broken = Fetched(), dict[str, CorruptRow]()
    order = []
    for id, fields in found:
        order.append(id)
        try:
            _sort_out(id, fields, fetched)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            fetched.executions.pop(id, None)
            broken[id] = corrupt(id, repr(error))
    plans.learn(fetched.plans(), fetch_plans)
    executions, unread = fetched.read_what_can_be(order, plans)
    return executions, {**broken, **unread}


def _sort_out(id: str, fields: Fields, fetched: Fetched) -> None:
    """Put an execution's fields among the rows of all."""
    texts = iter([field.decode() for field in fields])
    named = dict(zip(texts, texts, strict=True))
    tags: dict[str, str] = {}
    beats: dict[str, str] = {}
    steps: list[tuple[Any, ...]] = []
    signals: list[tuple[Any, ...]] = []
    for name, text in named.items():
        if name.startswith("s:"):
            steps.append((id, name[2:], *json.loads(text)))
        elif name.startswith("g:"):
            signals.append((int(name[2:]), *json.loads(text)))
        elif name.startswith("t:"):
            tags[name[2:]] = text
        elif name.startswith("b:"):
            beats[name[2:]] = text
    fetched.executions[id] = _row(id, named, tags)
    fetched.steps[id] = [_with_beat(row, beats.get(row[1])) for row in steps]
    fetched.signals[id] = sorted(signals)


def _row(id: str, named: dict[str, str], tags: dict[str, str]) -> tuple[Any, ...]:
    """Give the columns ``codec.LOADED``."""
    plan, _, input_hash, created_at, run_at, row_format = json.loads(named["fixed"])
    seq, started_at, completed_at = json.loads(named["moved"])
    return (
        id,
        plan,
        named.get("key"),
        named.get("parent"),
        named["input"],
        input_hash,
        write_json(dict(sorted(tags.items()))),
        named["active"],
        named["marks"],
        seq,
        int(named["revision"]),
        int(named["token"]),
        created_at,
        run_at,
        started_at,
        completed_at,
        row_format,
    )


def _with_beat(row: tuple[Any, ...], beat: str | None) -> tuple[Any, ...]:
    """Give a step's row with its last sign of life."""
    if beat is None:
        return row
    at, colon, details = beat.partition(":")
    values = list(row)
    values[_BEAT_AT], values[_BEAT] = int(at), details if colon else None
    return tuple(values)
