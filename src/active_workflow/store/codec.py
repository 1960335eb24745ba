"""Rows: an execution and its steps as columns, and back.

What moves often or is looked for has a column. The rest is JSON that leaves out defaults: ``active`` holds
the story of each step that has begun and is neither over nor waiting, so that starting a step writes no row
(what it told before it was tried again, patch and result, is in a row all the same); ``marks`` holds what
rarely moves, and a step's ``story`` what its columns don't tell. ctx isn't kept: it is the input with the
patches of all steps laid over it, in the order in which they were recorded.

``FORMAT`` numbers this layout: a row of a later format is left to processes that know it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from active_workflow.core.plan import Plan
from active_workflow.core.snapshot import Execution, Signal, Step
from active_workflow.errors import CorruptRow
from active_workflow.store.jsontext import join_fragments, quote_ascii, split_fragments, write_ascii
from active_workflow.store.queues import queue_of
from active_workflow.store.step_rows import read_step_row
from active_workflow.store.stories import Moved, block_data, ending_data, read_marks, read_step, story_text

FORMAT = 1

Row = Sequence[Any]

# --- Executions -------------------------------------------------------------------------------------

LOADED = [
    "id",
    "plan",
    "key",
    "parent_id",
    "input",
    "input_hash",
    "tags",
    "active",
    "marks",
    "seq",
    "revision",
    "token",
    "created_at",
    "run_at",
    "started_at",
    "completed_at",
    "format",
]
"""The columns of ``aw_executions`` that ``read_execution`` takes, in its order."""

_marks = Moved(
    Execution,
    (),
    (
        *("phase", "ending", "signal_count", "signal_keys"),
        *("paused_at", "blocked", "elsewhere", "overdue", "cancel_requested_at", "asked_under"),
    ),
    {"ending": ending_data, "blocked": block_data, "elsewhere": asdict},
)


MOVED = ("queue", "state", "active", "marks", "seq", "started_at", "completed_at")
"""The columns of ``moved_columns``, in its order."""

FIXED = (
    *("id", "workflow", "version", "plan", "parent_id", "key", "input", "input_hash", "tags"),
    *("created_at", "run_at", "format"),
)
"""The columns of ``fixed_columns``, in its order."""


def moved_columns(execution: Execution) -> tuple[Any, ...]:
    """Give the columns that a change may move, in the order of ``MOVED``."""
    active = [f"{quote_ascii(step.name)}:{story_text(step)}" for step in execution.active_steps]
    marks = _marks(execution)
    return (
        queue_of(execution),
        execution.state.value,
        "{" + ",".join(active) + "}",
        write_ascii(marks) if marks else "{}",
        execution.seq,
        execution.started_at,
        execution.completed_at,
    )


def fixed_columns(execution: Execution) -> tuple[Any, ...]:
    """Give the columns that never change, in the order of ``FIXED``."""
    plan = execution.plan
    return (
        execution.id,
        plan.workflow,
        str(plan.version),
        plan.hash,
        execution.parent_id,
        execution.key,
        join_fragments(execution.input),
        execution.input_hash,
        tags_text(execution.tags),
        execution.created_at,
        execution.run_at,
        FORMAT,
    )


def tags_text(tags: Mapping[str, str]) -> str:
    """Give tags as a JSON object of texts."""
    return json.dumps(dict(tags), ensure_ascii=False) if tags else "{}"


def read_execution(row: Row, steps: Iterable[Row], signals: Iterable[Row], plan: Plan) -> Execution:
    """Give the execution of a row (columns ``LOADED``), its step rows and its unread signals.

    Raises:
        CorruptRow: Something in the rows can't be read.
    """
    if row[-1] > FORMAT:
        raise CorruptRow(
            f"execution {row[0]} was written by a later version of active-workflow (row format {row[-1]}, "
            f"this one reads {FORMAT}): upgrade this process"
        )
    try:
        return _read_execution(row, steps, signals, plan)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise corrupt(row[0], repr(error)) from error


def corrupt(id: str, reason: str) -> CorruptRow:
    """Give the error for an execution whose rows can't be read."""
    return CorruptRow(
        f"execution {id} can't be read back: {reason}. Restore all that is stored of it from a backup, or "
        f"delete that; all other executions go on"
    )


def _read_execution(row: Row, rows: Iterable[Row], signals: Iterable[Row], plan: Plan) -> Execution:
    (id, _, key, parent_id, begun, input_hash, tags, active, marks, seq, revision, token, *times, _) = row
    created_at, run_at, started_at, completed_at = times
    steps = {found[1]: read_step_row(found) for found in rows}
    for name, data in json.loads(active).items() if active != "{}" else ():
        told = steps.get(name, _UNTOLD)
        steps[name] = read_step(name, data).evolve(patch=told.patch, result=told.result)
    entered = split_fragments(begun)
    return Execution(
        id=id,
        plan=plan,
        input=entered,
        ctx=folded(entered, steps.values()),
        input_hash=input_hash,
        created_at=created_at,
        run_at=run_at,
        tags=json.loads(tags) if tags != "{}" else {},
        key=key,
        parent_id=parent_id,
        steps={name: steps[name] for name in sorted(steps, key=plan.positions.__getitem__)},
        seq=seq,
        signals=tuple(Signal(*signal) for signal in signals),
        revision=revision,
        token=token,
        started_at=started_at,
        completed_at=completed_at,
        **(read_marks(json.loads(marks)) if marks != "{}" else {}),
    )


_UNTOLD = Step("")


def folded(begun: Mapping[str, str], steps: Iterable[Step]) -> Mapping[str, str]:
    """Give ctx: the input, the patches in the order of their steps' outcomes, then those of the undos.

    A waiting step has a patch and no number yet; what it follows has one. Steps that the plan doesn't order
    can't write different values to one key, so their order is free.
    """
    done = sorted((step for step in steps if step.patch), key=lambda step: step.seq or _LAST)
    undone = sorted((step for step in steps if step.undo_patch), key=lambda step: step.undo_seq or _LAST)
    patches = [*(step.patch for step in done), *(step.undo_patch for step in undone)]
    if not patches:
        return begun
    ctx = dict(begun)
    for patch in patches:
        for key, text in patch.items():
            if text is None:
                ctx.pop(key, None)
            else:
                ctx[key] = text
    return ctx


_LAST = float("inf")
