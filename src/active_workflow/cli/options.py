"""Options and arguments that several commands share, and how their texts are read."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from active_workflow.dsl.durations import parse_duration
from active_workflow.errors import ConfigurationError

F = TypeVar("F", bound=Callable[..., Any])


def with_store(function: F) -> F:
    """Add ``--store``."""
    return click.option("--store", metavar="URL", help="The store, such as sqlite:///workflows.db.")(function)


def with_json(function: F) -> F:
    """Add ``--json``, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def with_modules(function: F) -> F:
    """Add ``--module``, as the argument ``modules``."""
    return click.option(
        "--module",
        "modules",
        multiple=True,
        metavar="MODULE",
        help="Where it is defined: app.workflows, from the current folder or PYTHONPATH. May be repeated.",
    )(function)


def with_served_queues(function: F) -> F:
    """Add ``--queues``, as the argument ``queues``: a list of names, or None."""
    return click.option(
        "--queues",
        type=_names,
        metavar="A,B",
        help="The queues that your workers serve, all together; else the setting counts.",
    )(function)


def _names(value: str) -> list[str]:
    return [name.strip() for name in value.split(",")]


def json_value(value: str) -> Any:
    """Read a JSON value: written out, ``@file``, or ``-`` for standard input."""
    try:
        return json.loads(_text(value), parse_constant=_no_number)
    except OSError as error:
        raise click.BadParameter(f"{value[1:]} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{_short(value)} is no JSON: {error}") from error


def json_object(value: str) -> dict[str, Any]:
    """Read the same, which must be a JSON object."""
    found = json_value(value)
    if not isinstance(found, dict):
        raise click.BadParameter(f'{_short(value)} is no JSON object: write {{"order_id": 42}}')
    return found


def key_value(value: str) -> tuple[str, str]:
    """Read ``key=value`` as a pair of texts."""
    key, equals, text = value.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{value!r} is no key=value")
    return key, text


def ctx_value(text: str) -> Any:
    """Give the value of ``key=value``: JSON where it is JSON (``42``, ``true``, ``{…}``), else the text."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def since(value: str) -> datetime:
    """Read an instant: ``2h`` (so long ago) or ``2026-11-24T08:00`` (UTC unless it says another zone)."""
    try:
        return datetime.now(UTC) - timedelta(microseconds=parse_duration(value, "--since"))
    except (ConfigurationError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        told = f"{value!r} is no time: write 2h, 7d, 2026-11-24 or 2026-11-24T08:00+01:00"
        raise click.BadParameter(told) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def duration(value: str) -> str:
    """Read a duration as the library writes them; a bare number is seconds."""
    text = f"{value}s" if value.replace(".", "", 1).isdecimal() else value
    try:
        parse_duration(text, "it")
    except ConfigurationError as error:
        raise click.BadParameter(f"{value!r} is no duration: write 500ms, 30s, 15m, 2h or 7d") from error
    return text


def _text(value: str) -> str:
    if value == "-":
        return sys.stdin.read()
    if value.startswith("@"):
        return Path(value[1:]).read_text(encoding="utf-8-sig")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def _short(value: str) -> str:
    return repr(value) if len(value) <= 40 else repr(value[:39] + "…")  # noqa: PLR2004 - enough to know it again
