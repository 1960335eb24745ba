"""``start``: an execution from the shell."""

from typing import Any

import click

from active_workflow.cli.opening import opened, program_named
from active_workflow.cli.options import ctx_value, json_object, key_value, with_json, with_modules, with_store
from active_workflow.cli.text import print_json
from active_workflow.dsl.ctx_json import is_text, read_json
from active_workflow.dsl.ctx_types import CtxType


@click.command("start")
@click.argument("workflow")
@click.argument("values", metavar="[KEY=VALUE]...", nargs=-1, type=key_value)
@with_modules
@click.option(
    "--ctx",
    type=json_object,
    metavar="JSON",
    help="ctx as a JSON object: written out, @file, or - for standard input.",
)
@click.option("--key", help="The idempotency key, in place of the workflow's own.")
@click.option(
    "--tag", "tags", multiple=True, type=key_value, metavar="KEY=VALUE", help="A label; may be repeated."
)
@with_store
@with_json
def start_command(
    *,
    workflow: str,
    values: tuple[tuple[str, str], ...],
    modules: tuple[str, ...],
    ctx: dict[str, Any] | None,
    key: str | None,
    tags: tuple[tuple[str, str], ...],
    store: str | None,
    as_json: bool,
) -> None:
    """Start an execution and print its id; a worker runs it.

    A value is read as JSON where it is JSON (42, true, [1]) and as text otherwise; '"42"' is the text 42.
    Where there is a ctx type, it says what is text, a Decimal ("9.99") or a time ("2026-11-24T08:00Z").
    """
    with opened(store, modules, makes=True) as engine:
        known = program_named(workflow, modules).ctx_type
        pairs = {name: _value(known, name, text) for name, text in values}
        given = read_json(known, {**(ctx or {}), **pairs})
        execution = engine.start(workflow, given, idempotency_key=key, tags=dict(tags))
        if as_json:
            print_json(
                {
                    "id": execution.id,
                    "workflow": execution.workflow,
                    "state": execution.state,
                    "key": execution.idempotency_key,
                }
            )
        else:
            click.echo(execution.id)


def _value(known: CtxType | None, name: str, text: str) -> Any:
    """Read the value of ``name=text``; for a field that is text, what only looks like JSON is text, too."""
    value = ctx_value(text)
    return value if value is None or isinstance(value, str) or not is_text(known, name) else text
