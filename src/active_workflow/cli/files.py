"""Files that commands write for the user: never over one that is there."""

from importlib import resources
from pathlib import Path
from string import Template

import click


def from_template(template: str, /, **values: str) -> str:
    """Give the text of a template of ours with its blanks filled in."""
    file = resources.files("active_workflow.cli") / "templates" / f"{template}.txt"
    return Template(file.read_text(encoding="utf-8")).substitute(values)


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        ClickException: It is there, or can't be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise click.ClickException(f"{path} is there already: nothing is overwritten.") from error
    except OSError as error:
        raise click.ClickException(f"{path} can't be written: {error.strerror}.") from error
