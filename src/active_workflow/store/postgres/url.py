"""From a ``postgresql://`` URL to its store: options of the store are taken out, the rest is libpq's."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from active_workflow.errors import ConfigurationError
from active_workflow.store.base import Clock
from active_workflow.store.options import read_option
from active_workflow.store.postgres.database import ESCAPES, Options
from active_workflow.store.postgres.store import PostgresStore


def _threshold(text: str) -> int | None:
    return None if text.lower() == "none" else int(text)


_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "schema": str,
    "prefix": str,
    "pool_size": int,
    "prepare_threshold": _threshold,
    "timeout": float,
}
_OF_STORE = {"schema", "prefix"}
_LOWEST = {"pool_size": 1, "prepare_threshold": 0, "timeout": 0.1}


def open_postgres(url: str, clock: Clock | None = None) -> PostgresStore:
    """Give the store of a URL such as ``postgresql://user@host:5432/db?sslmode=require&schema=workflows``.

    ``schema``, ``prefix``, ``pool_size``, ``prepare_threshold`` (``none`` behind PgBouncer in transaction
    mode) and ``timeout`` (seconds) are the store's own options.

    Raises:
        ConfigurationError: An option can't be used.
    """
    try:
        parts = urlsplit(url, allow_fragments=False)
    except ValueError:
        raise ConfigurationError(f"PostgreSQL can't read this URL: {ESCAPES}") from None
    own: dict[str, Any] = {}
    rest: list[str] = []  # just as it was written: libpq reads it by rules of its own
    for option in filter(None, parts.query.split("&")):
        name, _, text = option.partition("=")
        if unquote(name) in _OPTIONS:
            own[unquote(name)] = read_option(unquote(name), unquote(text), _OPTIONS, _LOWEST)
        else:
            rest.append(option)
    of_store = {name: own.pop(name) for name in _OF_STORE & own.keys()}
    conninfo = urlunsplit(("postgresql", parts.netloc, parts.path, "&".join(rest), ""))
    return PostgresStore(conninfo, clock, options=Options(**own), **of_store)
