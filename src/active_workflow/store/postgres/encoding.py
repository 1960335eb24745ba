"""Batches as one JSON text each: one parameter costs the driver next to nothing, lists cost it dearly."""

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from active_workflow.core.change import Change
from active_workflow.core.plan import Plan
from active_workflow.core.snapshot import Execution, Signal, Step
from active_workflow.store.base import Heartbeat, Lease, NewExecution, children_of
from active_workflow.store.codec import FIXED, MOVED, fixed_columns, moved_columns
from active_workflow.store.faults import is_text
from active_workflow.store.jsontext import quote_ascii, write_ascii
from active_workflow.store.plans import Plans
from active_workflow.store.step_rows import STEP_COLUMNS, step_row

_NEW = (*FIXED, *MOVED)


def ids_text(ids: Iterable[str]) -> str:
    """Give ids, each once; what is no text is left out, for nothing can be stored under it."""
    found = dict.fromkeys(ids)
    text = write_ascii(list(found))
    if "\\u0000" in text or "\\ud" in text:
        text = write_ascii([id for id in found if "\0" not in id and is_text(id)])
    return text


def plans_text(plans: Iterable[Plan], bodies: Plans) -> str:
    """Give the rows of plans."""
    return write_ascii([{"hash": p.hash, "workflow": p.workflow, "body": bodies.body(p)} for p in plans])


_STEP_LABELS = tuple(f'"{name}":' for name in STEP_COLUMNS[1:])


def _step_text(execution: Execution, step: Step) -> str:
    """Give the row of a step as a JSON object, put together by hand: there is one in nearly every change."""
    found = [
        label + (quote_ascii(value) if isinstance(value, str) else str(value))
        for label, value in zip(_STEP_LABELS, step_row(execution, step)[1:], strict=True)
        if value is not None
    ]
    return "{" + ",".join(found) + "}"


def _steps_text(execution: Execution, steps: Iterable[Step]) -> str:
    return "[" + ",".join([_step_text(execution, step) for step in steps]) + "]"


def _signal_data(signal: Signal) -> dict[str, Any]:
    return {
        "number": signal.number,
        "name": signal.name,
        "payload": signal.payload,
        "key": signal.key,
        "received_at": signal.received_at,
    }


# --- Changes ----------------------------------------------------------------------------------------


def changes_text(changes: Sequence[Change]) -> str:
    """Give a batch of changes, by id: whoever locks rows in that order waits for nobody in a circle."""
    return "[" + ",".join([_change_text(c) for c in sorted(changes, key=lambda c: c.after.id)]) + "]"


def _change_text(change: Change) -> str:
    """Give a change as a JSON object, put together by hand: a generic encoder takes half as long again."""
    after = change.after
    queue, state, active, marks, seq, started_at, completed_at = moved_columns(after)
    text = (
        f'{{"id":{quote_ascii(after.id)},"revision":{after.revision},"queue":{quote_ascii(queue)},'
        f'"state":"{state}","active":{quote_ascii(active)},"marks":{quote_ascii(marks)},"seq":{seq}'
    )
    if started_at is not None:
        text += f',"started_at":{started_at}'
    if completed_at is not None:
        text += f',"completed_at":{completed_at}'
    if change.owned:
        text += f',"token":{after.token},"release":{"true" if change.release else "false"}'
    if change.due_at is not None:
        text += f',"due_at":{change.due_at}'
    if change.steps:
        text += f',"steps":{_steps_text(after, change.steps)}'
    if change.received or change.taken or change.children:
        text += _rare_text(change)
    return text + "}"


def _rare_text(change: Change) -> str:
    text = ""
    if change.received:
        text += f',"received":{write_ascii([_signal_data(signal) for signal in change.received])}'
    if change.taken:
        text += f',"taken":{write_ascii(change.taken)}'
    if change.children:
        text += f',"children":{write_ascii([_new_data(child) for child in children_of(change)])}'
    return text


# --- New executions ---------------------------------------------------------------------------------


def new_text(item: NewExecution, *, takes_key: bool) -> str:
    """Give one new execution; ``takes_key`` says whether its key is to be entered as well."""
    data = _new_data(item)
    execution = item.execution
    if takes_key:
        data["new_key"] = execution.key
    if item.lease_owner is not None:
        data["lease_owner"] = item.lease_owner
        data["lease"] = item.lease
    if execution.signals:
        data["signals"] = [_signal_data(signal) for signal in execution.signals]
    text = write_ascii(data)
    if not execution.steps:
        return text
    steps = [step for step in execution.steps.values() if not step.active]
    return f'{text[:-1]},"steps":{_steps_text(execution, steps)}}}'


def _new_data(item: NewExecution) -> dict[str, Any]:
    execution = item.execution
    data = dict(zip(_NEW, chain(fixed_columns(execution), moved_columns(execution)), strict=True))
    data["tags"] = dict(execution.tags)
    data["revision"] = execution.revision
    data["token"] = execution.token
    data["due_at"] = item.due_at
    return data


# --- Leases and heartbeats --------------------------------------------------------------------------


def leases_text(leases: Iterable[Lease]) -> str:
    """Give leases, by id."""
    ordered = sorted(leases, key=lambda lease: lease.id)
    return write_ascii([{"id": lease.id, "token": lease.token} for lease in ordered])


def beats_text(beats: Sequence[Heartbeat]) -> str:
    """Give signs of life, numbered, each with its step's name as a probe into ``active``."""
    return write_ascii(
        [
            {"n": n, "id": b.id, "step": b.step, "probe": _probe(b.step), "details": b.details}
            for n, b in enumerate(beats)
        ]
    )


def _probe(name: str) -> str:
    """Give a name as it reads once its escapes have been blunted, as the statement does with ``active``."""
    probe: str = json.loads(quote_ascii(name).replace("\\\\", "").replace("\\u", "u"))
    return probe
