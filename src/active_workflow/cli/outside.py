"""``signal``, ``complete``, ``fail``: tell an execution what happened outside."""

from typing import Any

import click

from active_workflow.cli.opening import opened
from active_workflow.cli.options import json_value, with_json, with_store
from active_workflow.cli.text import print_json


def tell(id: str, changed: bool, *, yes: str, no: str, as_json: bool) -> None:
    """Say whether something was changed."""
    if as_json:
        print_json({"id": id, "changed": changed})
    else:
        click.echo(yes if changed else no)


TOO_LATE = "Nothing changed: it was a repeat, or came too late."

with_key = click.option("--key", help="The event's own id: sent again under it, it changes nothing.")


@click.command("signal")
@click.argument("id")
@click.argument("name")
@click.option(
    "--payload",
    type=json_value,
    metavar="JSON",
    help="A JSON value: written out, @file, or - for standard input.",
)
@with_key
@with_store
@with_json
def signal_command(
    *, id: str, name: str, payload: Any, key: str | None, store: str | None, as_json: bool
) -> None:
    """Send a signal; one that comes before its wait is kept."""
    with opened(store) as engine:
        changed = engine.signal(id, name, payload, idempotency_key=key)
    tell(id, changed, yes="Sent.", no=TOO_LATE, as_json=as_json)


@click.command("complete")
@click.argument("id")
@click.argument("step")
@click.option(
    "--payload",
    type=json_value,
    metavar="JSON",
    help="A JSON value: written out, @file, or - for standard input.",
)
@with_key
@click.option("--correlation-id", help="Must be the one that the step's first call returned.")
@with_store
@with_json
def complete_command(
    *,
    id: str,
    step: str,
    payload: Any,
    key: str | None,
    correlation_id: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Complete an external step."""
    with opened(store) as engine:
        changed = engine.complete_step(id, step, payload, idempotency_key=key, correlation_id=correlation_id)
    tell(id, changed, yes="Completed.", no=TOO_LATE, as_json=as_json)


@click.command("fail")
@click.argument("id")
@click.argument("step")
@click.option("--message", default="", help="What went wrong.")
@click.option("--error-class", default="Error", show_default=True, help="The error's name, for Retry(on=…).")
@click.option("--details", type=json_value, metavar="JSON", help="A JSON value.")
@with_key
@click.option("--correlation-id", help="Must be the one that the step's first call returned.")
@with_store
@with_json
def fail_command(
    *,
    id: str,
    step: str,
    message: str,
    error_class: str,
    details: Any,
    key: str | None,
    correlation_id: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Fail an external step's attempt; its retry policy decides what follows."""
    with opened(store) as engine:
        changed = engine.fail_step(
            id,
            step,
            error_class=error_class,
            message=message,
            details=details,
            idempotency_key=key,
            correlation_id=correlation_id,
        )
    tell(id, changed, yes="Recorded: the attempt has failed.", no=TOO_LATE, as_json=as_json)
