"""Who gets an idempotency key: one decision for all stores."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from active_workflow.core.states import State
from active_workflow.errors import DataRejected
from active_workflow.store.base import REUSABLE, Holder, Inserted, NewExecution
from active_workflow.store.faults import is_text


@dataclass(frozen=True, slots=True)
class Held:
    """A key's holder, and the state it is in."""

    holder: Holder
    state: str


def held_by(rows: Iterable[Sequence[Any]]) -> dict[str, Held]:
    """Give the holders of keys from rows of key, id, workflow, input hash and state."""
    return {
        key: Held(Holder(id, workflow, input_hash), state) for key, id, workflow, input_hash, state in rows
    }


def check_keys(new: Sequence[NewExecution]) -> None:
    """Raise DataRejected for a key (or id) that some database could not keep byte by byte."""
    for item in new:
        id, key = item.execution.id, item.execution.key
        if key is not None and ("\0" in key or not is_text(key)):
            raise _no_text(f"the idempotency key {key!r}")
        if "\0" in id or not is_text(id):
            raise _no_text(f"the id {id!r}")


def _no_text(what: str) -> DataRejected:
    return DataRejected(f"{what} has a NUL character or half of a surrogate pair: take it out")


def settle_keys(
    new: Sequence[NewExecution],
    held: Mapping[str, Held],
    existing: Collection[str],
    *,
    skip_conflicts: bool,
) -> tuple[Sequence[Inserted], Sequence[NewExecution]]:
    """Decide about a batch in order; its own members hold keys against later ones.

    Args:
        new: The batch.
        held: The present holders of its keys.
        existing: Those of its ids that are taken: these are answered as inserted and left alone.
        skip_conflicts: Whether a holder of another workflow or input merely keeps its key.

    Returns:
        The answers in order, and what is to be inserted: nothing, if a conflict undoes the call.
    """
    holders = dict(held)
    seen = set(existing)
    answers: list[Inserted] = []
    accepted: list[NewExecution] = []
    conflict = False
    for item in new:
        execution = item.execution
        current = holders.get(execution.key) if execution.key is not None else None
        if execution.id in seen:
            answers.append(Inserted(execution.id))
            continue
        own = Holder(execution.id, execution.plan.workflow, execution.input_hash)
        if current is not None and State(current.state) not in REUSABLE[item.key_reuse]:
            conflict = conflict or current.holder != replace(own, id=current.holder.id)
            answers.append(Inserted(execution.id, current.holder))
            continue
        seen.add(execution.id)
        if execution.key is not None:
            holders[execution.key] = Held(own, execution.state)
        answers.append(Inserted(execution.id))
        accepted.append(item)
    return answers, () if conflict and not skip_conflicts else accepted
