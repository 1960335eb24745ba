"""The command ``active-workflow``: finds a command's module when that is asked for, and tells errors."""

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from active_workflow.cli.text import on_one_line
from active_workflow.dsl.where import nearest
from active_workflow.errors import ActiveWorkflowError

COMMANDS = {
    "init": "init",
    "new": "new",
    "worker": "worker",
    "start": "start",
    "list": "look",
    "show": "look",
    "explain": "look",
    "signal": "outside",
    "complete": "outside",
    "fail": "outside",
    "cancel": "operate",
    "retry": "operate",
    "resolve": "operate",
    "pause": "operate",
    "resume": "operate",
    "graph": "graph",
    "check": "check",
    "replay": "replay",
    "migrate": "upkeep",
    "prune": "upkeep",
    "copy": "copy",
    "demo": "demo.command",
}
"""Each command and the module that has it as ``<name>_command``."""


class Commands(click.Group):
    """Imports a command's module only when that command (or the list of all) is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"active_workflow.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        for given in args:
            if not _is_text(given):
                raise click.UsageError(f"{given!r} is no text in UTF-8.", ctx)
        if name not in COMMANDS and not name.startswith("-"):
            raise click.UsageError(f"There is no command {name!r}{nearest(name, COMMANDS)}.", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of the library is one line for the user, not a traceback."""
        try:
            return super().invoke(ctx)
        except ActiveWorkflowError as error:
            raise click.ClickException(on_one_line(str(error))) from error


def _is_text(argument: str) -> bool:
    """Tell whether an argument's bytes are text: Python stands lone surrogates in for those that aren't."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="active-workflow", prog_name="active-workflow")
def cli() -> None:
    """Durable sagas in your own database: run them, look at them, move them on.

    The store is --store, else ACTIVE_WORKFLOW_STORE, else what [tool.active_workflow] in pyproject.toml says.
    """


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a terminal without our letters is no reason to fail
    cli(prog_name="active-workflow")
