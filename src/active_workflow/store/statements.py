"""SQL as text: each file of a folder holds statements under names, each with a sentence of why."""

import re
from collections.abc import Container, Mapping
from functools import cache
from importlib import resources

_CONDITION = re.compile(r"^(.*?) *-- if (\w+)$")
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(package: str) -> Mapping[str, str]:
    """Give the statements of all ``.sql`` files of a package's ``sql`` folder, by name.

    A statement begins with a line ``-- name: its_name`` and goes on to the next such line.
    """
    found: dict[str, str] = {}
    folder = resources.files(package) / "sql"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"{package}: the statement {name} is written twice")
            found[name] = without_comments(text)
    return found


def without_comments(text: str) -> str:
    """Give a statement without its comments and its closing semicolon: what a database has to read."""
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("--"))
    return "\n".join(lines).rstrip().removesuffix(";")


def lines_for(text: str, given: Container[str]) -> str:
    """Give a statement without those lines that end in ``-- if x`` where x isn't among what is given."""
    kept = []
    for line in text.splitlines():
        found = _CONDITION.match(line)
        if found is None or found[2] in given:
            kept.append(line if found is None else found[1])
    return "\n".join(kept)


@cache
def numbered(package: str) -> tuple[tuple[int, str, str], ...]:
    """Give the migrations in a package's folder ``migrations``, in order: number, name, SQL."""
    folder = resources.files(package) / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name)
    return tuple(
        (int(file.name.partition("_")[0]), file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in files
    )
