"""The timeline of an execution: a line for each step, with its errors and what it waits for."""

import json
from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.text import Text

from active_workflow.cli.output import state_text, table
from active_workflow.cli.record import ctx_data
from active_workflow.cli.text import instant, labels, printable, span
from active_workflow.core.plan import StepKind, StepPlan
from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.core.snapshot import Step
from active_workflow.core.states import StepState
from active_workflow.dsl import Execution
from active_workflow.dsl.durations import as_datetime
from active_workflow.dsl.step_view import StepView

LONGEST_VALUE = 120
COLUMNS = ("step", "state", "attempts", "started", "took", "undone", "")


def timeline(execution: Execution, snapshot: Snapshot, hidden: Collection[str]) -> RenderableType:
    """Give an execution as a page: what it is, its steps, its ctx.

    Args:
        execution: As users see it.
        snapshot: The same as the store keeps it: it knows what a step waits for, and about undo.
        hidden: Keys of ctx whose values are not to be shown.
    """
    return Group(*_head(execution, hidden), Text(), _steps(execution, snapshot), *_ctx(execution, hidden))


def tracebacks(execution: Execution) -> Iterator[RenderableType]:
    """Give where the newest error of each step was raised, as far as that is known."""
    for name, view in execution.steps.items():
        if view.error is not None and view.error.traceback:
            lines = (printable(line) for line in view.error.traceback.splitlines())
            yield Text()
            yield Text(printable(name), style="bold")
            yield Text("\n".join(lines))


def _head(execution: Execution, hidden: Collection[str]) -> Iterator[RenderableType]:
    head = Text.assemble((printable(execution.workflow), "bold"), " ", execution.id, "  ")
    head.append_text(state_text(execution.state.value))
    head.no_wrap, head.overflow = True, "ignore"
    yield head
    ended = execution.completed_at
    took = f", over after {span((ended - execution.created_at).total_seconds())}" if ended else ""
    yield Text(f"  accepted {instant(execution.created_at)}{took}")
    if execution.run_at > execution.created_at:
        yield Text(f"  to start at {instant(execution.run_at)}")
    for label, value in (
        ("key", execution.idempotency_key),
        ("parent", execution.parent_id),
        ("tags", labels(execution.tags, hidden)),
        ("error", execution.error),
        ("blocked", execution.blocked_reason),
    ):
        if value:
            yield Text(f"  {label}: {printable(value)}", style="red" if label in {"error", "blocked"} else "")


def _steps(execution: Execution, snapshot: Snapshot) -> RenderableType:
    rows = []
    for name, view in execution.steps.items():
        step, plan = snapshot.step(name), snapshot.plan.by_name[name]
        rows.append(
            (
                name,
                state_text(view.state.value),
                _attempts(step),
                _since_start(execution, view.started_at),
                _took(view),
                _undone(execution, step),
                "; ".join(_notes(view, plan)),
            )
        )
    return table(COLUMNS, rows, long=("",))


def _attempts(step: Step) -> str:
    run = step.run
    if not run.attempts:
        return ""
    return f"{run.attempts} ({run.lost} interrupted)" if run.lost else str(run.attempts)


def _since_start(execution: Execution, at: datetime | None) -> str:
    return "" if at is None else f"+{span(max(0.0, (at - execution.created_at).total_seconds()))}"


def _took(view: StepView) -> str:
    if view.started_at is None or view.finished_at is None or not view.attempts:
        return ""
    return span((view.finished_at - view.started_at).total_seconds())


def _undone(execution: Execution, step: Step) -> str:
    """When its undo started; that of the step done last comes first."""
    run = step.undo
    if run.started_at is None:
        return ""
    at = _since_start(execution, as_datetime(run.started_at))
    return at if run.attempts == 1 else f"{at} ({run.attempts} attempts)"


def _notes(view: StepView, plan: StepPlan) -> Iterator[str]:
    if view.error is not None:
        yield f"{view.error.type}: {printable(view.error.message)}"
    if view.state is StepState.WAITING:
        yield _waits_for(view, plan)
    if view.retry_at is not None:
        yield f"again at {_when(view.retry_at)}"
    if view.state is StepState.IN_DOUBT:
        yield "did it happen? say so with `resolve`"


def _waits_for(view: StepView, plan: StepPlan) -> str:
    what = {
        StepKind.SIGNAL: f"waits for signal {' or '.join(plan.signals)}",
        StepKind.SLEEP: "sleeps",
        StepKind.EXTERNAL: "waits for its completion",
    }.get(plan.kind, "waits")
    if view.correlation_id:
        what += f" ({printable(view.correlation_id)})"
    return what if view.timeout_at is None else f"{what} until {_when(view.timeout_at)}"


def _when(at: datetime) -> str:
    left = (at - datetime.now(UTC)).total_seconds()
    return f"{instant(at)} ({f'in {span(left)}' if left > 0 else 'now'})"


def _ctx(execution: Execution, hidden: Collection[str]) -> Iterator[RenderableType]:
    values = ctx_data(execution, hidden)
    if values:
        yield Text()
        yield table(("ctx", ""), [(key, _short(value)) for key, value in values.items()], long=("",))


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}… (all of it: --json)"
