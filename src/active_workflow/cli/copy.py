"""``copy``: move everything to another store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from active_workflow.cli.options import with_json
from active_workflow.cli.output import console
from active_workflow.cli.text import print_json
from active_workflow.engine.copying import Copied, copy_executions
from active_workflow.store import Store, open_store
from active_workflow.store.memory import MemoryStore
from active_workflow.store.sqlite.store import SqliteStore
from active_workflow.store.url import without_secrets

MOST_NAMED = 10


@click.command("copy")
@click.option("--from", "source", required=True, metavar="URL", help="The store to move from.")
@click.option("--to", "target", required=True, metavar="URL", help="The store to move to.")
@with_json
def copy_command(*, source: str, target: str, as_json: bool) -> None:
    """Move all executions to another store: from SQLite to PostgreSQL, or back.

    It may be ended in any way and run again: it goes on where it was. Nothing runs in both stores, and what
    the target has already is never overwritten. Exits with 1 while something is left to be moved.
    """
    with _opened(source, reads=True) as here, _opened(target) as there, _bar() as bar:
        copied = copy_executions(
            here,
            there,
            source_name=without_secrets(source),
            target_name=without_secrets(target),
            progress=_shown_in(bar),
        )
    if as_json:
        print_json({**asdict(copied), "complete": copied.complete})
    else:
        click.echo("\n".join(_told(copied)))
    if not copied.complete:
        raise SystemExit(1)


@contextmanager
def _opened(url: str, *, reads: bool = False) -> Iterator[Store]:
    store = open_store(url)
    if isinstance(store, MemoryStore):
        raise click.ClickException("memory:// ends with its process: there is nothing to move from or to.")
    if reads and isinstance(store, SqliteStore) and not Path(store.path).exists():
        raise click.ClickException(f"{store.path} is not there: name the file to move from.")
    try:
        yield store
    finally:
        store.close()


def _bar() -> Progress:
    screen = console(err=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)


def _shown_in(bar: Progress) -> Any:
    """Give what shows how far each stage is."""
    tasks = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage)
        bar.update(tasks[stage], completed=done, total=total)

    return show


def _told(copied: Copied) -> Iterator[str]:
    """Give the summary: what is there, then what is not and what to do about it."""
    there = copied.same + copied.went_on
    yield f"{there} of {copied.executions} executions are in the target, {copied.copied} copied by this run."
    if copied.went_on:
        yield f"Gone on there since: {copied.went_on}."
    if copied.gone:
        yield f"Moved earlier and no longer there: {copied.gone} (pruned, or moved on)."
    for worker, count in copied.held.items():
        yield f"Held by worker {worker}: {count}. Stop it and run this again."
    if copied.left:
        yield f"Came or changed meanwhile: {copied.left}. Run this again."
    for id, what in list(copied.conflicts.items())[:MOST_NAMED]:
        yield f"{id} was not copied: {what}."
    if len(copied.conflicts) > MOST_NAMED:
        yield f"… and {len(copied.conflicts) - MOST_NAMED} more (--json names all)."
    if copied.complete:
        yield "Nothing is left to copy."
