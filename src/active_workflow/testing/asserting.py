"""Assertions about executions that, where they fail, tell what has happened."""

from collections.abc import Iterator
from datetime import datetime

from active_workflow.core.states import State, StepState
from active_workflow.dsl.handle import Execution
from active_workflow.dsl.step_def import StepName
from active_workflow.dsl.step_view import StepView
from active_workflow.testing.exploring.story import span


def timeline(execution: Execution) -> str:
    """Give an execution as text: its state, and a line for each step with its attempts, times and errors."""
    head = f"{execution.workflow} {execution.id} is {execution.state.value}"
    lines = [head, *(f"  {line}" for line in _marks(execution))]
    width = max(len(name) for name in execution.steps)
    lines += [f"  {name:<{width}}  {_line(execution, step)}" for name, step in execution.steps.items()]
    return "\n".join([*lines, f"  ctx: {dict(execution.ctx)!r}"])


def _marks(execution: Execution) -> Iterator[str]:
    if execution.error is not None:
        yield f"error: {execution.error}"
    if execution.blocked_reason is not None:
        yield f"blocked: {execution.blocked_reason}"
    if execution.cancel_requested_at is not None:
        yield f"cancel was asked for at {_since(execution, execution.cancel_requested_at)}"


def _line(execution: Execution, step: StepView) -> str:
    told = [f"{step.state.value:<12}"]
    if step.attempts:
        told.append(f"{step.attempts} attempt{'s' * (step.attempts > 1)}")
    if step.started_at is not None:
        told.append(f"began at {_since(execution, step.started_at)}")
    if step.finished_at is not None:
        told.append(f"ended at {_since(execution, step.finished_at)}")
    if step.retry_at is not None:
        told.append(f"again at {_since(execution, step.retry_at)}")
    if step.timeout_at is not None and step.state is StepState.WAITING:
        told.append(f"waits until {_since(execution, step.timeout_at)}")
    if step.error is not None:
        told.append(f"{step.error.type}: {step.error.message}")
    return "  ".join(told).rstrip()


def _since(execution: Execution, at: datetime) -> str:
    return f"+{span((at - execution.created_at).total_seconds())}"


def assert_state(execution: Execution, state: State | str) -> None:
    """Look again, and raise AssertionError with the timeline unless the execution is in a state."""
    if execution.refresh().state != state:
        raise AssertionError(f"it should be {State(state).value}\n\n{timeline(execution)}")


def assert_completed(execution: Execution) -> None:
    """Look again, and raise AssertionError with the timeline unless the execution is completed."""
    assert_state(execution, State.COMPLETED)


def assert_failed(execution: Execution, error: str | type[Exception] | None = None) -> None:
    """Look again, and raise AssertionError with the timeline unless the execution has failed.

    Args:
        execution: Which one.
        error: The class, or its name, of the error that it must have failed with.
    """
    assert_state(execution, State.FAILED)
    name = error.__name__ if isinstance(error, type) else error
    found = None if execution.error is None else execution.error.type
    if name is not None and found != name:
        raise AssertionError(f"it should have failed with {name}\n\n{timeline(execution)}")


def assert_cancelled(execution: Execution) -> None:
    """Look again, and raise AssertionError with the timeline unless the execution is cancelled."""
    assert_state(execution, State.CANCELLED)


def assert_waiting(execution: Execution, step: StepName) -> None:
    """Look again, and raise AssertionError with the timeline unless a step waits."""
    _assert_step(execution.refresh(), step, StepState.WAITING)


def assert_undone(execution: Execution, *steps: StepName) -> None:
    """Look again, and raise AssertionError with the timeline unless these steps are undone, and no others."""
    execution.refresh()
    for step in steps:
        _assert_step(execution, step, StepState.COMPENSATED)
    wanted = {execution.steps[step].name for step in steps}
    others = [n for n, s in execution.steps.items() if s.state is StepState.COMPENSATED and n not in wanted]
    if others:
        raise AssertionError(f"undone is {', '.join(others)}, too\n\n{timeline(execution)}")


def _assert_step(execution: Execution, step: StepName, state: StepState) -> None:
    found = execution.steps[step]
    if found.state is not state:
        raise AssertionError(f"{found.name} should be {state.value}\n\n{timeline(execution)}")
