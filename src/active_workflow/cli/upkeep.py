"""``migrate`` and ``prune``: the store's upkeep."""

import click

from active_workflow.cli.opening import opened
from active_workflow.cli.options import duration, with_json, with_store
from active_workflow.cli.output import console
from active_workflow.cli.text import print_json


@click.command("migrate")
@with_store
@with_json
def migrate_command(*, store: str | None, as_json: bool) -> None:
    """Prepare the store: make its tables, or bring them up to date."""
    with opened(store, makes=True) as engine:
        engine.store.prepare()
    if as_json:
        print_json({"ready": True})
    else:
        click.echo("The store is ready.")


@click.command("prune")
@click.option(
    "--older-than", required=True, type=duration, metavar="DURATION", help="How long ago they ended: 30d."
)
@with_store
@with_json
def prune_command(*, older_than: str, store: str | None, as_json: bool) -> None:
    """Delete executions that are over, and free their idempotency keys.

    Only completed, failed and cancelled ones go; whatever may still move stays.
    """
    with opened(store) as engine, console(err=True).status("Deleting …"):
        count = engine.prune(older_than=older_than)
    if as_json:
        print_json({"pruned": count})
    else:
        click.echo(f"{count} execution{'' if count == 1 else 's'} deleted.")
