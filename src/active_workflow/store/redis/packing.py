"""Batches as the scripts take them: MessagePack, which Lua unpacks at once, of texts and lists of texts only.

Texts are packed as they are, so nothing is escaped, and no number is ever rounded on its way through Lua.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Union

from active_workflow.core.change import Change
from active_workflow.core.plan import Plan
from active_workflow.core.snapshot import Execution, Signal, Step
from active_workflow.core.states import State, StepState
from active_workflow.store.base import NewExecution, children_of
from active_workflow.store.codec import FORMAT, moved_columns
from active_workflow.store.jsontext import join_fragments, write_ascii, write_json
from active_workflow.store.plans import Plans
from active_workflow.store.step_rows import step_row

Packable = Union[str, "Sequence[Packable]"]

_SHORT, _LONG = 32, 65_536
_text = Struct(">BI").pack
_list = Struct(">BI").pack
_TEXT, _LIST = 0xDB, 0xDD
_MIDDLE = 1 << 63
_TELLING = frozenset({State.BLOCKED, State.PAUSED, State.COMPENSATION_FAILED})
_OF_TERMINAL = {state: state.value for state in State if state.terminal}
LIVE = "live"


def packed(value: Packable) -> bytes:
    """Give a value as MessagePack; text that is none raises UnicodeEncodeError."""
    parts: list[bytes] = []
    _pack(value, parts)
    return b"".join(parts)


def _pack(value: Packable, parts: list[bytes]) -> None:
    if isinstance(value, str):
        data = value.encode()
        length = len(data)
        parts.append(bytes((0xA0 | length,)) if length < _SHORT else _text(_TEXT, length))
        parts.append(data)
    else:
        parts.append(_list(_LIST, len(value)))
        for item in value:
            _pack(item, parts)


def sortable(instant: int) -> str:
    """Give an instant as a text that sorts as the number does."""
    return f"{instant + _MIDDLE:020d}"


def marked(text: str | None) -> str:
    """Give a text that may be missing: with a mark before it, or nothing at all."""
    return "" if text is None else f"={text}"


def number(value: int | None) -> str:
    """Give a number that may be missing."""
    return "" if value is None else str(value)


def list_of(state: State) -> str:
    """Give the list that executions in a state are in."""
    return _OF_TERMINAL.get(state, LIVE)


def kind_of(plan: Plan, queue: str, state: str) -> str:
    """Give what claims choose by; kept with the plan."""
    kinds: dict[tuple[str, bool], str] = plan.__dict__.setdefault("_redis_kinds", {})
    blocked = state == State.BLOCKED
    kind = kinds.get((queue, blocked))
    if kind is None:
        kind = kinds[queue, blocked] = write_ascii([FORMAT, plan.hash, plan.workflow, queue, int(blocked)])
    return kind


def bodies(plans: Iterable[Plan], known: Plans) -> bytes:
    """Give plans as hashes, each followed by its body."""
    return packed([text for plan in plans for text in (plan.hash, known.body(plan))])


# --- Fields of an execution -------------------------------------------------------------------------


def _moved_fields(active: str, marks: str, *rest: int | None) -> list[str]:
    return ["active", active, "marks", marks, "moved", write_ascii(rest)]


def _step_fields(execution: Execution, steps: Iterable[Step]) -> list[str]:
    fields: list[str] = []
    for step in steps:
        fields += (f"s:{step.name}", write_json(step_row(execution, step)[2:]))
    return fields


def _signal_fields(signals: Iterable[Signal]) -> list[str]:
    fields: list[str] = []
    for each in signals:
        fields += (f"g:{each.number}", write_json([each.name, each.payload, each.key, each.received_at]))
    return fields


def _waits(execution: Execution) -> str:
    waits = {
        step.name: number(step.waiting_since)
        for step in execution.steps.values()
        if step.state is StepState.WAITING
    }
    return write_ascii(waits) if waits else ""


def _fixed_field(execution: Execution) -> str:
    plan = execution.plan
    return write_json(
        [plan.hash, str(plan.version), execution.input_hash, execution.created_at, execution.run_at, FORMAT]
    )


# --- Changes and new executions ---------------------------------------------------------------------


def change(item: Change) -> bytes:
    """Give a change as ``commit`` takes it."""
    after = item.after
    queue, state, *moved = moved_columns(after)
    kind, revision, in_list = kind_of(after.plan, queue, state), str(after.revision), list_of(after.state)
    children = [_new_item(child) for child in children_of(item)] if item.children else []
    told = bool(children) or after.completed_at is not None or after.state in _TELLING
    sets = ["revision", revision, "state", state, "kind", kind, "list", in_list, *_moved_fields(*moved)]
    sets += (*_step_fields(after, item.steps), *_signal_fields(item.received))
    return packed(
        [
            after.id,
            str(item.guarded_revision),
            revision,
            str(after.token) if item.owned else "",
            "1" if item.owned and item.release else "",
            number(item.due_at),
            kind,
            in_list,
            "" if after.completed_at is None else sortable(after.completed_at),
            sets,
            [f"g:{taken}" for taken in item.taken],
            _waits(after),
            "1" if told else "",
            children,
        ]
    )


def new_item(item: NewExecution) -> bytes:
    """Give a new execution as ``insert`` takes it."""
    return packed(_new_item(item))


def _new_item(item: NewExecution) -> list[Packable]:
    execution = item.execution
    queue, state, *moved = moved_columns(execution)
    kind, made, in_list = (
        kind_of(execution.plan, queue, state),
        sortable(execution.created_at),
        list_of(execution.state),
    )
    over = "" if execution.completed_at is None else sortable(execution.completed_at)
    fields = [
        *("workflow", execution.plan.workflow, "kind", kind, "list", in_list, "made", made, "state", state),
        *("revision", str(execution.revision), "token", str(execution.token)),
        *("input", join_fragments(execution.input), "fixed", _fixed_field(execution)),
        *_moved_fields(*moved),
        *(text for name, value in execution.tags.items() for text in (f"t:{name}", value)),
        *_step_fields(execution, (step for step in execution.steps.values() if not step.active)),
        *_signal_fields(execution.signals),
    ]
    rare = {
        "key": execution.key,
        "parent": execution.parent_id,
        "over": over or None,
        "due": None if item.due_at is None else str(item.due_at),
        "owner": item.lease_owner,
        "waits": _waits(execution) or None,
    }
    fields += (text for name, value in rare.items() if value is not None for text in (name, value))
    return [
        execution.id,
        marked(execution.key),
        marked(execution.parent_id),
        kind,
        in_list,
        made,
        over,
        number(item.due_at),
        "" if item.lease_owner is None else str(item.lease),
        fields,
    ]
