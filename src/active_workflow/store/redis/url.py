"""From a ``redis://`` URL to its store."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from active_workflow.errors import ConfigurationError
from active_workflow.store.base import Clock
from active_workflow.store.options import read_option
from active_workflow.store.redis.connection import Address
from active_workflow.store.redis.database import Options
from active_workflow.store.redis.store import RedisStore

_ESCAPES = "in user and password write % as %25, @ as %40, / as %2F, : as %3A, ? as %3F, # as %23, [ as %5B"
_NUMBERS: Mapping[str, Callable[[str], Any]] = {"pool_size": int, "timeout": float}
_LOWEST = {"pool_size": 1, "timeout": 0.1}
_FLAGS = {"allow_eviction", "allow_no_aof"}
_TLS = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
_KNOWN = sorted({"prefix", *_NUMBERS, *_FLAGS, *_TLS})


def open_redis(url: str, clock: Clock | None = None) -> RedisStore:
    """Give the store of a URL such as ``redis://user:password@host:6379/0?prefix=shop``.

    ``rediss://`` is the same over TLS, with ``ssl_ca_certs``, ``ssl_certfile`` and ``ssl_keyfile`` as
    options. ``prefix``, ``pool_size``, ``timeout`` (seconds), ``allow_eviction`` and ``allow_no_aof`` are the
    store's own.

    Raises:
        ConfigurationError: The URL can't be read, or an option can't be used.
    """
    try:
        parts = urlsplit(url, allow_fragments=False)
        port = parts.port or 6379
    except ValueError:
        raise ConfigurationError(f"Redis can't read this URL: {_ESCAPES}") from None
    options = _options(parts.query)
    tls = {name: options.pop(name) for name in _TLS & options.keys()}
    encrypted = parts.scheme.lower() == "rediss"
    if tls and not encrypted:
        raise ConfigurationError(f"the options {', '.join(sorted(tls))} are for rediss://…")
    address = Address(
        parts.hostname or "localhost",
        port,
        _number_of(parts),
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        tls if encrypted else None,
    )
    prefix = options.pop("prefix", "aw")
    return RedisStore(address, clock, prefix=prefix, options=Options(**options))


def _number_of(parts: SplitResult) -> int:
    text = parts.path.removeprefix("/")
    if text and not text.isdecimal():
        raise ConfigurationError(
            f"a Redis database has a number, not the name {text!r}: write redis://host:6379/0"
        )
    return int(text or 0)


def _options(query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in filter(None, query.split("&")):
        name, _, text = map(unquote, option.partition("="))
        if name not in _KNOWN:
            raise ConfigurationError(f"the store's URL has an unknown option {name!r}: {', '.join(_KNOWN)}")
        found[name] = _read(name, text)
    return found


def _read(name: str, text: str) -> Any:
    if name in _NUMBERS:
        return read_option(name, text, _NUMBERS, _LOWEST)
    if name not in _FLAGS:
        return text
    if text not in {"true", "false"}:
        raise ConfigurationError(f"the option {name}={text} of the store's URL can't be used: true or false")
    return text == "true"
