"""``replay``: before a deploy, what the new code would do with the executions in flight."""

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from active_workflow.cli.opening import needs_workflows, opened
from active_workflow.cli.options import with_json, with_served_queues, with_store
from active_workflow.cli.output import console, show, table
from active_workflow.cli.text import print_json, printable
from active_workflow.engine.replaying.findings import Outcome
from active_workflow.engine.replaying.replay import Group, Replay, replay

_STYLES = {
    Outcome.BLOCK: "bold red",
    Outcome.FAIL: "bold red",
    Outcome.AGAIN: "yellow",
    Outcome.SKIP: "yellow",
    Outcome.KEEP: "dim",
}


@click.command("replay")
@click.argument("modules", metavar="MODULE...", nargs=-1, required=True)
@with_served_queues
@click.option(
    "--ignore",
    multiple=True,
    metavar="ID",
    help="Leave out AW211, AW211:Checkout or AW211:Checkout.audit. May be repeated, or have commas.",
)
@click.option(
    "--examples", type=click.IntRange(min=0), default=3, show_default=True, help="Ids for each finding."
)
@with_store
@with_json
def replay_command(
    *,
    modules: tuple[str, ...],
    queues: list[str] | None,
    ignore: tuple[str, ...],
    examples: int,
    store: str | None,
    as_json: bool,
) -> None:
    """Tell what the code of these modules would do with the executions in flight, before you deploy it.

    Exits 1 where one would be blocked, fail, skip something or run something again. The store is only read,
    and nothing of the modules is run but their import.
    """
    with opened(store, modules) as engine, _progress() as progress:
        needs_workflows(modules)
        served = engine.settings.queues if queues is None else queues
        try:
            found = replay(
                engine.store,
                engine.serializer,
                queues=served,
                ignore=[id for given in ignore for id in given.split(",")],
                examples=examples,
                progress=progress,
            )
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    if as_json:
        print_json(_data(found))
    else:
        _print(found)
    sys.exit(0 if found.clean else 1)


@contextmanager
def _progress() -> Iterator[Any]:
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} executions"), TimeElapsedColumn())
    to = console(err=True)
    with Progress(*columns, console=to, transient=True, disable=not to.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.update(task, completed=count)


def _data(found: Replay) -> dict[str, Any]:
    return {
        "clean": found.clean,
        "checked": found.checked,
        "unblocked": found.unblocked,
        "findings": [
            {
                **dataclasses.asdict(group.finding),
                "outcome": group.finding.outcome,
                "remedy": group.finding.remedy,
                "executions": group.count,
                "examples": group.examples,
            }
            for group in found.groups
        ],
    }


def _print(found: Replay) -> None:
    if found.groups:
        heads = ("outcome", "id", "step", "executions", "what")
        show(table(heads, [_row(group) for group in found.groups], long=("what",)))
        for id, remedy in {group.finding.id: group.finding.remedy for group in found.groups}.items():
            click.echo(f"{id}: {remedy}")
        for group in found.groups:
            if group.examples:
                click.echo(f"{group.finding.id} {_where(group)}, such as {' '.join(group.examples)}")
    counts = {
        outcome: sum(group.count for group in found.groups if group.finding.outcome is outcome)
        for outcome in Outcome
    }
    told = [f"{outcome} {count:,}" for outcome, count in counts.items() if count]
    click.echo(f"{found.checked:,} in flight: {', '.join(told) or 'nothing found'}.", err=True)
    if found.unblocked:
        click.echo(f"{found.unblocked:,} that are blocked for want of code would go on.", err=True)


def _row(group: Group) -> tuple[str | Text, ...]:
    one = group.finding
    return (
        Text(one.outcome, style=_STYLES[one.outcome]),
        one.id,
        _where(group),
        f"{group.count:,}",
        printable(one.told),
    )


def _where(group: Group) -> str:
    one = group.finding
    return printable(f"{one.workflow}.{one.step}" if one.step else one.workflow)
