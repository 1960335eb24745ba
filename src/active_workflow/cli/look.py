"""``list``, ``show``, ``explain``: what there is, and how it stands."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import islice

import click
from rich.text import Text

from active_workflow.cli.opening import opened
from active_workflow.cli.options import key_value, since, with_json, with_store
from active_workflow.cli.output import show, state_text, table
from active_workflow.cli.record import summary, whole
from active_workflow.cli.text import instant, labels, print_json, printable
from active_workflow.cli.timeline import timeline, tracebacks
from active_workflow.core.states import State
from active_workflow.dsl import Execution

STATES = [state.value for state in State]  # for click, an Enum's members would be NAMES


@click.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="May be repeated.")
@click.option("--workflow", help="Only of this workflow.")
@click.option(
    "--tag",
    "tags",
    multiple=True,
    type=key_value,
    metavar="KEY=VALUE",
    help="May be repeated: all must be there.",
)
@click.option(
    "--since",
    "since_",
    type=since,
    metavar="TIME",
    help="Accepted since: 2h (ago) or 2026-11-24T08:00 (UTC).",
)
@click.option(
    "--children/--no-children",
    default=True,
    help="Whether to list those, too, that a step of another one has started; parent_id says which one's.",
)
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@with_store
@with_json
def list_command(
    *,
    states: tuple[str, ...],
    workflow: str | None,
    tags: tuple[tuple[str, str], ...],
    since_: datetime | None,
    children: bool,
    limit: int,
    store: str | None,
    as_json: bool,
) -> None:
    """List executions, newest first."""
    with opened(store) as engine:
        found = engine.find(
            state=states or None,
            workflow=workflow,
            tags=dict(tags),
            since=since_,
            limit=limit + 1 if children else None,
        )
        wanted = (one for one in found if children or one.parent_id is None)
        executions = list(islice(wanted, limit + 1))
        hidden = engine.settings.redact
    shown = executions[:limit]
    if as_json:
        print_json([summary(execution, hidden) for execution in shown])
    else:
        _print_list(shown, hidden)
    if len(executions) > limit:
        click.echo(f"There are more: these are the newest {limit}; --limit shows more.", err=True)


def _print_list(executions: Sequence[Execution], hidden: Collection[str]) -> None:
    if not executions:
        click.echo("No executions.", err=True)
        return
    heads: tuple[str, ...] = ("id", "workflow", "state", "accepted", "tags", "error")
    rows: list[tuple[str | Text, ...]] = [
        (
            execution.id,
            execution.workflow,
            state_text(execution.state.value),
            instant(execution.created_at),
            labels(execution.tags, hidden),
            str(execution.error or execution.blocked_reason or ""),
        )
        for execution in executions
    ]
    if any(execution.parent_id for execution in executions):
        heads = (*heads, "child of")
        parents = (execution.parent_id or "" for execution in executions)
        rows = [(*row, parent) for row, parent in zip(rows, parents, strict=True)]
    show(table(heads, rows, long=("tags", "error")))


@click.command("show")
@click.argument("id")
@click.option("--traceback", "traces", is_flag=True, help="Where each step's error was raised, too.")
@with_store
@with_json
def show_command(*, id: str, traces: bool, store: str | None, as_json: bool) -> None:
    """Show an execution: its steps with attempts, times and errors, what it waits for, and its ctx."""
    with opened(store) as engine:
        snapshot = engine.load(id)
        execution = Execution(snapshot, engine)  # of one and the same moment
        hidden = engine.settings.redact
        if as_json:
            print_json(whole(execution, snapshot.plan, hidden))
        else:
            show(timeline(execution, snapshot, hidden), *(tracebacks(execution) if traces else ()))


@click.command("explain")
@click.argument("id")
@with_store
@with_json
def explain_command(*, id: str, store: str | None, as_json: bool) -> None:
    """Say in plain words what an execution does or waits for, and what would move it on."""
    with opened(store) as engine:
        told = engine.explain(id)
    if as_json:
        print_json({"id": id, "explanation": told})
    else:
        click.echo("\n".join(printable(line) for line in told.splitlines()))
