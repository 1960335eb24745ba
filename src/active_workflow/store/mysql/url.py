"""From a ``mysql://`` or ``mariadb://`` URL to its store."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from active_workflow.errors import ConfigurationError
from active_workflow.store.base import Clock
from active_workflow.store.mysql.database import Address, Options
from active_workflow.store.mysql.store import MySQLStore
from active_workflow.store.options import read_option

_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "prefix": str,
    "pool_size": int,
    "timeout": float,
    "ssl_ca": str,
    "ssl_cert": str,
    "ssl_key": str,
    "unix_socket": str,
}
_OF_DRIVER = {"ssl_ca", "ssl_cert", "ssl_key", "unix_socket"}
_LOWEST = {"pool_size": 1, "timeout": 2.0}
_PORT = 3306
_ESCAPES = "in user and password write % as %25, @ as %40, / as %2F, : as %3A, # as %23, ? as %3F, [ as %5B"


def open_mysql(url: str, clock: Clock | None = None) -> MySQLStore:
    """Give the store of a URL such as ``mysql://user:password@host:3306/db?prefix=flows_``.

    ``prefix``, ``pool_size`` and ``timeout`` (seconds) are the store's own options; ``ssl_ca``, ``ssl_cert``,
    ``ssl_key`` and ``unix_socket`` are the driver's.

    Raises:
        ConfigurationError: The URL can't be read, names no database, or has an option that can't be used.
    """
    try:
        parts = urlsplit(url, allow_fragments=False)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"the store's mysql:// URL can't be read: {_ESCAPES}") from None
    database = unquote(parts.path.removeprefix("/"))
    if not database:
        raise ConfigurationError("the store's URL names no database: write mysql://user@host:3306/database")
    options: dict[str, Any] = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise ConfigurationError(
                f"the store's URL has an option {name!r} that is not known here: there are "
                f"{', '.join(_OPTIONS)}"
            )
        options[name] = read_option(name, text, _OPTIONS, _LOWEST)
    prefix = options.pop("prefix", "aw_")
    address = Address(
        user=unquote(parts.username) if parts.username is not None else None,
        password=unquote(parts.password or ""),
        host=host or "localhost",
        port=port or _PORT,
        database=database,
        more={name: options.pop(name) for name in _OF_DRIVER & options.keys()},
    )
    return MySQLStore(address, clock, prefix=prefix, options=Options(**options))
