"""Where a connection leads, as far as its parameters tell: compared without asking a server."""

import os
from collections.abc import Mapping
from typing import Any

_NAMES = ("host", "port", "dbname", "user")
_DEFAULTS = {"port": "5432"}
_ELSEWHERE = ("service", "hostaddr", "options")
"""What may lead elsewhere than the four above say."""

Place = tuple[tuple[str, str | None], ...]


def place_of(parameters: Mapping[str, Any]) -> Place:
    """Give where a connection with these parameters of libpq leads."""
    told = {name: str(value) for name, value in parameters.items() if value not in (None, "")}
    known = {name: told.get(name) or os.environ.get(_variable(name)) for name in (*_NAMES, *_ELSEWHERE)}
    known["dbname"] = known["dbname"] or known["user"]
    return tuple((name, known[name] or _DEFAULTS.get(name)) for name in (*_NAMES, *_ELSEWHERE))


def place_in_django(settings: Mapping[str, Any]) -> Place:
    """Give where Django's settings for a database lead."""
    own = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER"}
    options: Mapping[str, Any] = settings.get("OPTIONS") or {}
    return place_of({**options, **{name: settings[key] for name, key in own.items() if settings.get(key)}})


def _variable(name: str) -> str:
    return {"dbname": "PGDATABASE"}.get(name, f"PG{name.upper()}")
