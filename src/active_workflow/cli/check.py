"""``check``: look at definitions for what will hurt once something crashes."""

import dataclasses
import sys
from collections import Counter

import click

from active_workflow.cli.opening import import_modules, needs_workflows
from active_workflow.cli.options import with_json, with_served_queues
from active_workflow.cli.text import print_json
from active_workflow.testing.lint import check


@click.command("check")
@click.argument("modules", metavar="MODULE...", nargs=-1, required=True)
@click.option(
    "--ignore",
    multiple=True,
    metavar="ID",
    help="Leave out AW101, AW101:Checkout or AW101:Checkout.charge_card. May be repeated, or have commas.",
)
@with_served_queues
@with_json
def check_command(
    *, modules: tuple[str, ...], ignore: tuple[str, ...], queues: list[str] | None, as_json: bool
) -> None:
    """Find missing undos, waits without end and steps that a crash would do twice.

    Exits 1 where it finds something. Nothing is run but the import of the modules.
    """
    import_modules(modules)
    needs_workflows(modules)
    try:
        found = check(*modules, ignore=[id for given in ignore for id in given.split(",")], queues=queues)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in found])
    else:
        for finding in found:
            click.echo(str(finding))
        kinds = ", ".join(f"{count} of {id}" for id, count in sorted(Counter(f.id for f in found).items()))
        click.echo(f"{len(found)} findings: {kinds}" if found else "Nothing found.", err=True)
    sys.exit(1 if found else 0)
