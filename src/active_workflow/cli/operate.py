"""``cancel``, ``retry``, ``resolve``, ``pause``, ``resume``: what an operator does."""

from typing import Any

import click

from active_workflow.cli.opening import opened
from active_workflow.cli.options import json_value, with_json, with_store
from active_workflow.cli.outside import tell
from active_workflow.cli.text import on_one_line


@click.command("cancel")
@click.argument("id")
@click.option("--reason", help="Why, for the record.")
@with_store
@with_json
def cancel_command(*, id: str, reason: str | None, store: str | None, as_json: bool) -> None:
    """Have everything undone and the execution end cancelled; exits 1 where it is too late for that."""
    with opened(store) as engine:
        accepted = engine.cancel(id, reason)
        if not accepted:
            raise click.ClickException(on_one_line(f"It can't be cancelled any more. {engine.explain(id)}"))
    tell(id, accepted, yes="It is to end cancelled.", no="", as_json=as_json)


@click.command("retry")
@click.argument("id")
@with_store
@with_json
def retry_command(*, id: str, store: str | None, as_json: bool) -> None:
    """Try again what blocks an execution, or the undos that failed."""
    with opened(store) as engine:
        changed = engine.retry(id)
    tell(
        id, changed, yes="It tries again.", no="Nothing changed: there is nothing to retry.", as_json=as_json
    )


@click.command("pause")
@click.argument("id")
@with_store
@with_json
def pause_command(*, id: str, store: str | None, as_json: bool) -> None:
    """Start nothing more of an execution, until it is resumed."""
    with opened(store) as engine:
        changed = engine.pause(id)
    tell(id, changed, yes="Paused.", no="Nothing changed: it is over, or paused already.", as_json=as_json)


@click.command("resume")
@click.argument("id")
@with_store
@with_json
def resume_command(*, id: str, store: str | None, as_json: bool) -> None:
    """Let a paused execution go on."""
    with opened(store) as engine:
        changed = engine.resume(id)
    tell(id, changed, yes="It goes on.", no="Nothing changed: it is not paused.", as_json=as_json)


@click.command("resolve")
@click.argument("id")
@click.argument("step")
@click.option("--landed", "said", flag_value="landed", help="Its effect happened.")
@click.option("--not-landed", "said", flag_value="not-landed", help="Its effect did not happen.")
@click.option("--skip", "said", flag_value="skip", help="Pass it over.")
@click.option("--undone", "said", flag_value="undone", help="Its undo, which failed, was done by hand.")
@click.option(
    "--result",
    type=json_value,
    metavar="JSON",
    help="What the step would have returned, as JSON; an object is merged into ctx.",
)
@with_store
@with_json
def resolve_command(
    *, id: str, step: str, said: str | None, result: Any, store: str | None, as_json: bool
) -> None:
    """Say what became of a step that only a person can find out about."""
    if said is None:
        raise click.UsageError("Say what became of it: --landed, --not-landed, --skip or --undone.")
    if result is not None and said in {"not-landed", "undone"}:
        raise click.UsageError(f"--result goes with --landed or --skip: --{said} has none.")
    with opened(store) as engine:
        changed = engine.resolve(
            id,
            step,
            landed={"landed": True, "not-landed": False}.get(said),
            skip=said == "skip",
            undone=said == "undone",
            result=result,
        )
    tell(id, changed, yes="Resolved.", no="Nothing changed.", as_json=as_json)
