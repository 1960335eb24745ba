"""Users' data and other values as text: made harmless, with secrets hidden. No need of rich."""

import json
import sys
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any

import click

HIDDEN = "…"
"""Stands for the value of a key in the setting ``redact``."""


def printable(value: object) -> str:
    """Give text in which nothing can move the cursor or break the line."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return repr(character)[1:-1]


def on_one_line(text: str) -> str:
    """Give a message as one line."""
    return printable(" ".join(text.split()))


def plain(value: Any, hidden: Collection[str] = ()) -> Any:
    """Give a value as JSON knows it.

    Args:
        value: Any value that a store can keep.
        hidden: Keys whose values are not to be shown, at any depth.
    """
    if isinstance(value, Mapping):
        return {str(key): HIDDEN if key in hidden else plain(item, hidden) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item, hidden) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item, hidden) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return _plain_scalar(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else str(value)


def print_json(data: Any) -> None:
    """Print data as JSON."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(data, indent=2, ensure_ascii=not utf8))


def labels(tags: Mapping[str, str], hidden: Collection[str]) -> str:
    """Give tags as text."""
    return " ".join(f"{name}={value}" for name, value in plain(tags, hidden).items())


def instant(at: datetime | None) -> str:
    """Give an instant to the second, in UTC."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span(seconds: float) -> str:
    """Give a length of time in the units people use."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2f} s" if abs(seconds) < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
