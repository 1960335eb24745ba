"""The screen: consoles and tables. Imported only by commands that draw something, for rich takes its time."""

import sys
from collections.abc import Collection, Sequence

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from active_workflow.cli.text import printable

NARROWEST = 20
"""A column that may be broken into lines gets no narrower than this."""

_VERY_WIDE = 100_000
_STYLES = {
    "completed": "green", "compensated": "yellow", "running": "cyan", "waiting": "blue", "pending": "dim",
    "compensating": "yellow", "paused": "magenta", "blocked": "bold red", "compensation_failed": "bold red",
    "failed": "red", "timed_out": "red", "in_doubt": "bold red", "cancelled": "yellow", "skipped": "dim",
}  # fmt: skip


def console(*, err: bool = False) -> Console:
    """Give a console. One that is no terminal gets no colours and never breaks a line: a program reads it."""
    stream = sys.stderr if err else sys.stdout
    piped = not stream.isatty()
    return Console(
        file=stream,
        width=_VERY_WIDE if piped else None,
        force_terminal=False if piped else None,  # whatever FORCE_COLOR says
        highlight=False,
        markup=False,
        emoji=False,
    )


def show(*parts: RenderableType) -> None:
    """Print to standard output; into a pipe without the blanks that fill up a table's last column."""
    to = console()
    if to.is_terminal:
        to.print(*parts, sep="\n", crop=False)
        return
    with to.capture() as captured:
        to.print(*parts, sep="\n", crop=False)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def state_text(state: str) -> Text:
    """Give a state in its colour."""
    return Text(state, style=_STYLES.get(state, ""))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, long: Collection[str] = ()
) -> Table:
    """Give a table of users' data.

    Args:
        columns: Their headings.
        rows: A cell for each column.
        long: Headings of the columns that may be broken into lines on a narrow terminal; others never are.
    """
    cells = [[cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row] for row in rows]
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    total = 0
    for number, column in enumerate(columns):
        free = column in long
        made.add_column(column, no_wrap=not free, overflow="fold" if free else "ignore")
        needed = max([len(column), *(row[number].cell_len for row in cells)])
        total += 2 + (min(needed, NARROWEST) if free else needed)
    if total > console().width:
        made.width = total  # an id that is cut off is of no use; a line that is too long can still be read
    for row in cells:
        made.add_row(*row)
    return made
