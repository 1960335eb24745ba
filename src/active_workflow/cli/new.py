"""``new workflow``: a module with a saga, and its test."""

import keyword
import re
import sys
from pathlib import Path

import click

from active_workflow.cli.files import from_template, write_new
from active_workflow.cli.options import with_json
from active_workflow.cli.text import print_json

LONGEST = 36
_TAKEN = frozenset({"Partner", "Workflow", "Task", "Ledger", "FakePartner"})
_HIDES = frozenset(sys.stdlib_module_names) | {"active_workflow", "pytest", "conftest", "workflow"}


@click.command("new")
@click.argument("kind", type=click.Choice(["workflow"]))
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default=True,
    help="Where to write them.",
)
@with_json
def new_command(*, kind: str, name: str, folder: Path, as_json: bool) -> None:  # noqa: ARG001 - one kind so far
    """Write a module with a workflow of that name, and a test that crashes it wherever it can be crashed."""
    _check_name(name)
    snake = _snake(name)
    path, test = folder / f"{snake}.py", folder / f"test_{snake}.py"
    for there in (path, test):
        if there.exists():
            raise click.ClickException(f"{there} is there already: nothing is overwritten.")
    module = _module(folder.resolve(), snake)
    write_new(path, from_template("workflow.py", Name=name, name=snake, module=module))
    write_new(test, from_template("test_workflow.py", Name=name, name=snake, module=module))
    if as_json:
        print_json({"workflow": name, "module": module, "written": [str(path), str(test)]})
        return
    click.echo(f"{path} and {test} are written. Next:")
    click.echo(f"  pytest {test}")
    click.echo(f"  active-workflow check {module}")
    click.echo(f"  active-workflow worker {module}")
    click.echo(f"  active-workflow start {name} --module {module} order_id=42")


def _check_name(name: str) -> None:
    words = re.findall(r"[A-Za-z0-9]+", name)
    camel = "".join(word[:1].upper() + word[1:] for word in words)
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
        hint = (
            f": write {camel}" if re.fullmatch(r"[A-Z][A-Za-z0-9]*", camel) else ": write one like Checkout"
        )
        raise click.UsageError(f"{name!r} is no name for a class{hint}.")
    if len(_snake(name)) > LONGEST:
        raise click.UsageError(f"{name!r} has more than {LONGEST} letters: choose a shorter name.")
    if name in _TAKEN or keyword.iskeyword(name):
        raise click.UsageError(f"{name!r} is taken in the module that would be written: choose another name.")
    if _snake(name) in _HIDES or keyword.iskeyword(_snake(name)):
        raise click.UsageError(
            f"{_snake(name)}.py would hide another module of that name: choose another, such as {name}Flow."
        )


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _module(folder: Path, name: str) -> str:
    """Give a module's dotted name: folders with an ``__init__.py`` are packages."""
    parts = [name]
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)
