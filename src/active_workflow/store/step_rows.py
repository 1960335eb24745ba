"""The rows of steps: columns for what is looked for, a ``story`` for the rest."""

import json
from collections.abc import Sequence
from typing import Any

from active_workflow.core.attempts import NOT_RUN, Run
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Effect, StepState
from active_workflow.store.jsontext import join_fragments, split_patch, write_ascii
from active_workflow.store.stories import (
    STEP_READERS,
    Moved,
    attempts_data,
    completion_data,
    read_run,
    run_data,
)

STEP_COLUMNS = (
    *("execution_id", "name", "position", "state", "seq", "attempts", "result", "patch", "error"),
    *("started_at", "finished_at", "waiting_since", "timeout_at", "correlation_id"),
    *("heartbeat_at", "heartbeat", "story"),
)
"""The columns of ``aw_steps``, in the order of ``step_row`` and ``read_step_row``."""

_EFFECTS = {StepState.COMPLETED: Effect.LANDED, StepState.COMPENSATED: Effect.UNDONE}
"""What is known of a step's effect where its story says nothing else."""

_run_rest = Moved(
    Run,
    (),
    (
        *("failures", "interruptions", "strikes", "running", "suspect", "retry_at", "unknown", "doubts"),
        *("lingering", "abandon_at", "errors", "lost"),
    ),
    {"errors": attempts_data},
)
_rest = Moved(
    Step,
    (),
    (
        *("undo", "undo_seq", "undo_patch", "undone_at", "keys", "payload", "early", "decided"),
        "undo_waiting_since",
    ),
    {"undo": run_data, "early": completion_data},
)


def step_row(execution: Execution, step: Step) -> tuple[Any, ...]:
    """Give the row of a step that is over or waits, or has told something before it was tried again."""
    run = step.run
    error = step.error
    return (
        execution.id,
        step.name,
        execution.plan.positions[step.name],
        step.state.value,
        step.seq,
        run.attempts,
        step.result,
        join_fragments(step.patch) if step.patch else None,
        write_ascii({"type": error.type, "message": error.message}) if error else None,
        run.started_at,
        step.finished_at,
        step.waiting_since,
        step.timeout_at,
        step.correlation_id,
        step.heartbeat_at,
        step.heartbeat,
        _story(step),
    )


def _story(step: Step) -> str | None:
    """Give what the columns don't tell; for a step that went well at once that is nothing."""
    run = step.run
    expected = step.effect is _EFFECTS.get(step.state, Effect.NONE)
    at_once = run.attempt_at == run.started_at and _run_rest.none_of_the_rare(run)
    if expected and at_once and _rest.none_of_the_rare(step):
        return None
    data = _rest(step)
    if not expected:
        data["effect"] = step.effect
    moved = _run_rest(run)
    if run.attempt_at != run.started_at:
        moved["attempt_at"] = run.attempt_at
    if moved:
        data["run"] = moved
    return write_ascii(data) if data else None


def read_step_row(row: Sequence[Any]) -> Step:
    """Give the step of a row; a broken one raises one of Python's own errors."""
    (_, name, _, state, seq, attempts, result, patch, _, started_at, *more) = row
    finished_at, waiting_since, timeout_at, correlation_id, heartbeat_at, heartbeat, story = more
    data = json.loads(story) if story is not None else {}
    rest = data.pop("run", {})
    values = {key: STEP_READERS[key](item) if key in STEP_READERS else item for key, item in data.items()}
    state = StepState(state)
    values.setdefault("effect", _EFFECTS.get(state, Effect.NONE))
    return Step(
        name,
        state=state,
        run=_run(attempts, started_at, rest),
        seq=seq,
        result=result,
        patch=split_patch(patch) if patch is not None else {},
        finished_at=finished_at,
        waiting_since=waiting_since,
        timeout_at=timeout_at,
        heartbeat_at=heartbeat_at,
        heartbeat=heartbeat,
        correlation_id=correlation_id,
        **values,
    )


def _run(attempts: int, started_at: int | None, rest: dict[str, Any]) -> Run:
    if not attempts and not rest and started_at is None:
        return NOT_RUN
    return read_run({"attempts": attempts, "started_at": started_at, "attempt_at": started_at, **rest})
