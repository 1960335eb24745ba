"""Settings of an engine: from code, else the environment, else ``[tool.active_workflow]``, else Django."""

import logging
import os
import sys
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from active_workflow.dsl.durations import parse_duration, parse_instant
from active_workflow.dsl.where import nearest
from active_workflow.errors import ConfigurationError

PREFIX = "ACTIVE_WORKFLOW_"
OWN = f"{PREFIX}DEMO_"
"""What begins so is said by the demo to its own processes."""
DEFAULT_STORE = "sqlite:///active_workflow.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """How an engine works. Durations are microseconds.

    Attributes:
        embedded: Whether this process runs executions itself once it starts or awaits one.
        lease: How long a claim lasts without being renewed.
        poll_interval: How often to look for due executions when nothing hints at any.
        grace: How long running steps are given when the process ends.
        concurrency: How many steps run at once.
        listen: Whether to take the store's hints.
        worker_name: The readable part of the worker's name.
        redact: Keys of ctx that are never shown.
        queues: Whose steps the worker runs; None is all.
    """

    embedded: bool = True
    lease: int = 30_000_000
    poll_interval: int = 1_000_000
    grace: int = 10_000_000
    concurrency: int = 32
    listen: bool = True
    worker_name: str | None = None
    redact: Collection[str] = ()
    queues: Collection[str] | None = None


_DURATIONS = {"lease", "poll_interval", "grace"}
_FLAGS = {"embedded", "listen"}
_NAMES = {item.name for item in fields(Settings)}


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Check settings and fill in the ones that code did not give.

    Args:
        given: From code; None counts as not given.

    Raises:
        ConfigurationError: A value can't be used, or a name in ``[tool.active_workflow]`` is unknown.
    """
    values = {**configured(), **{name: value for name, value in given.items() if value is not None}}
    if given.get("dispatcher") is not None:
        values["embedded"] = False
    return Settings(**{name: _checked(name, value) for name, value in values.items() if name in _NAMES})


def configured() -> dict[str, Any]:
    """Give what the surroundings say, ``store`` included."""
    values: dict[str, Any] = {**_from_django(), **_from_pyproject()}
    for variable in os.environ:
        if variable.startswith(PREFIX):
            _told_if_unknown(variable)
    for name in (*_NAMES, "store"):
        text = os.environ.get(PREFIX + name.upper())
        if text is not None:
            values[name] = text
    return values


@cache
def _told_if_unknown(variable: str) -> None:
    """Warn of an environment variable that sets nothing, once: another version may know it."""
    known = [PREFIX + name.upper() for name in (*sorted(_NAMES), "store")]
    if variable not in known and not variable.startswith(OWN):
        default_logger.warning(
            "the environment variable %s is none of ours%s and has no effect",
            variable,
            nearest(variable, known),
        )


def _from_pyproject() -> dict[str, Any]:
    path = Path("pyproject.toml")
    try:
        with path.open("rb") as file:
            tool = tomllib.load(file).get("tool", {})
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path.resolve()} can't be read: {error}") from error
    table = tool.get("active_workflow", {})
    _refuse_unknown("[tool.active_workflow]", table)
    return dict(table)


def _refuse_unknown(where: str, table: Mapping[str, Any]) -> None:
    unknown = table.keys() - _NAMES - {"store"}
    if unknown:
        known = ", ".join(sorted(_NAMES | {"store"}))
        raise ConfigurationError(f"{where}: unknown {', '.join(sorted(unknown))}; known: {known}")


def _from_django() -> dict[str, Any]:
    """Give Django's ``ACTIVE_WORKFLOW``, where Django is in use; it is never imported for this."""
    conf = sys.modules.get("django.conf")
    settings = getattr(conf, "settings", None)
    if settings is None or not settings.configured:
        return {}
    table = {name.lower(): value for name, value in getattr(settings, "ACTIVE_WORKFLOW", {}).items()}
    _refuse_unknown("ACTIVE_WORKFLOW in Django's settings", table)
    return table


def _checked(name: str, value: Any) -> Any:
    if name in _DURATIONS:
        micros = parse_duration(_number_or_text(value), name)
        if micros <= 0:
            raise ConfigurationError(f"{name}: {value!r} is too short; write for instance '10s'")
        return micros
    if name in _FLAGS:
        return _flag(name, value)
    if name == "concurrency":
        return _count(name, value)
    if name in ("redact", "queues") and value is not None:
        parts = value.split(",") if isinstance(value, str) else value
        return frozenset(part.strip() for part in parts)
    return value


def _number_or_text(value: Any) -> Any:
    """Give text that is a bare number as a number of seconds: the environment has only text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _flag(name: str, value: Any) -> bool:
    words = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }
    if isinstance(value, bool):
        return value
    found = words.get(str(value).strip().lower())
    if found is None:
        raise ConfigurationError(f"{name}: {value!r} is neither yes nor no; write true or false")
    return found


def _count(name: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1 or isinstance(value, bool):
        raise ConfigurationError(f"{name}: {value!r} is no number of steps; write 1 or more")
    return number


def clock_in_micros(clock: Callable[[], datetime] | None) -> Callable[[], int] | None:
    """Turn a configured clock, which gives aware datetimes, into one that gives microseconds."""
    if clock is None:
        return None

    def micros() -> int:
        return parse_instant(clock(), "clock")

    micros()
    return micros


default_logger = logging.getLogger("active_workflow")
