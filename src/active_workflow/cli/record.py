"""An execution as JSON."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from active_workflow.cli.text import HIDDEN, plain
from active_workflow.core.plan import Plan, StepPlan
from active_workflow.core.states import StepState
from active_workflow.dsl import Execution
from active_workflow.dsl.step_view import ErrorInfo, StepView
from active_workflow.errors import SerializationError


def summary(execution: Execution, hidden: Collection[str]) -> dict[str, Any]:
    """Give what ``list --json`` says of an execution."""
    return {
        "id": execution.id,
        "workflow": execution.workflow,
        "version": execution.version,
        "state": execution.state.value,
        "error": error_data(execution.error, hidden),
        "tags": plain(execution.tags, hidden),
        "idempotency_key": execution.idempotency_key,
        "parent_id": execution.parent_id,
        "created_at": moment(execution.created_at),
        "run_at": moment(execution.run_at),
        "started_at": moment(execution.started_at),
        "completed_at": moment(execution.completed_at),
    }


def whole(execution: Execution, plan: Plan, hidden: Collection[str]) -> dict[str, Any]:
    """Give what ``show --json`` says of it."""
    steps = {name: _step(step, plan.by_name[name], hidden) for name, step in execution.steps.items()}
    done = [step for step in steps.values() if step["state"] == StepState.COMPLETED]
    return {
        **summary(execution, hidden),
        "cancelled_at": moment(execution.cancelled_at),
        "cancel_requested_at": moment(execution.cancel_requested_at),
        "blocked_reason": execution.blocked_reason,
        "ctx": ctx_data(execution, hidden),
        "result": done[-1]["result"] if done else None,
        "steps": steps,
    }


def _step(step: StepView, plan: StepPlan, hidden: Collection[str]) -> dict[str, Any]:
    secret = plan.payload_key in hidden  # then the whole result is the value of such a key
    return {
        "name": step.name,
        "state": step.state.value,
        "attempts": step.attempts,
        "result": HIDDEN if secret else readable(lambda: step.result, hidden),
        "error": _step_error(step.error, hidden),
        "started_at": moment(step.started_at),
        "finished_at": moment(step.finished_at),
        "waiting_since": moment(step.waiting_since),
        "timeout_at": moment(step.timeout_at),
        "retry_at": moment(step.retry_at),
        "correlation_id": step.correlation_id,
    }


def ctx_data(execution: Execution, hidden: Collection[str]) -> dict[str, Any]:
    """Give ctx; each value that can't be read here says why."""
    ctx = execution.ctx
    return {
        key: HIDDEN if key in hidden else readable(lambda key=key: ctx[key], hidden)  # type: ignore[misc]
        for key in ctx
    }


def readable(read: Callable[[], Any], hidden: Collection[str]) -> Any:
    """Give a value as JSON knows it. A member of an Enum that only the user's code knows is told as such."""
    try:
        return plain(read(), hidden)
    except SerializationError as error:
        return f"(can't be read here: {error})"


def error_data(error: ErrorInfo | None, hidden: Collection[str]) -> dict[str, Any] | None:
    """Give an error."""
    if error is None:
        return None
    return {
        "type": error.type,
        "message": error.message,
        "step": error.step,
        "details": plain(error.details, hidden),
    }


def _step_error(error: ErrorInfo | None, hidden: Collection[str]) -> dict[str, Any] | None:
    told = error_data(error, hidden)
    return None if error is None or told is None else {**told, "traceback": error.traceback}


def moment(at: datetime | None) -> str | None:
    """Give an instant as ISO 8601."""
    return None if at is None else at.isoformat()
