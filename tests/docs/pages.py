"""The documentation as data: its pages, and the code blocks in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted(path for path in ROOT.glob("docs/**/*.md") if path.parent.name != "decisions"),
]
FENCE = re.compile(r"^```(\S+)[ ]*(.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: The first word after the fence.
        marks: The words after it: ``not-run``, ``output``, ``file=shop.py``.
        text: What is in it.
        line: The line of its first line of text, counted from 1.
    """

    language: str
    marks: tuple[str, ...]
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that it is to be written to, if one."""
        return next((mark.removeprefix("file=") for mark in self.marks if mark.startswith("file=")), None)


def blocks(page: Path) -> Iterator[Block]:
    """Give the fenced blocks of a page, in order."""
    found: tuple[str, tuple[str, ...], int] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if found is None and (match := FENCE.match(line)):
            found, lines = (match[1], tuple(match[2].split()), number + 1), []
        elif found is not None and line == "```":
            yield Block(found[0], found[1], "".join(f"{text}\n" for text in lines), found[2])
            found = None
        elif found is not None:
            lines.append(line)


def name_of(page: Path) -> str:
    """Give a page's name in messages and test ids."""
    return page.relative_to(ROOT).as_posix()
