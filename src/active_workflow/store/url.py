"""From a URL to its store."""

from urllib.parse import unquote

from active_workflow.errors import ConfigurationError
from active_workflow.store.base import Clock, Store
from active_workflow.store.memory import MemoryStore
from active_workflow.store.sqlite.store import SqliteStore

_EXAMPLES = (
    "sqlite:///relative.db, sqlite:////absolute/path.db, postgresql://user@host/db, mysql://user@host/db, "
    "redis://host/0 or memory://"
)
_POSTGRES = {"postgresql", "postgres"}
_MYSQL = {"mysql", "mariadb"}
_REDIS = {"redis", "rediss"}


def open_store(url: str, clock: Clock | None = None) -> Store:
    """Give the store that a URL names. It opens nothing before it is used.

    Args:
        url: ``sqlite:///relative.db``, ``sqlite:////absolute/path.db``, ``postgresql://user@host:port/db``,
            ``mysql://user:password@host:port/db``, ``redis://host:port/n`` or ``memory://``.
        clock: Gives the time in microseconds; the store's own unless given.

    Raises:
        ConfigurationError: No store of this library has such a URL. The message never repeats a password.
    """
    scheme, colon, rest = url.partition("://")
    scheme = scheme.lower()
    if not colon:
        raise ConfigurationError(f"the store {_harmless(url)!r} is no URL: write {_EXAMPLES}")
    if scheme == "memory":
        return MemoryStore(clock)
    if scheme == "sqlite":
        return SqliteStore(_path(url, rest), clock)
    if scheme.partition("+")[0] in _POSTGRES:
        from active_workflow.store.postgres.url import open_postgres  # noqa: PLC0415 - needs an extra

        return open_postgres(url, clock)
    if scheme.partition("+")[0] in _MYSQL:
        from active_workflow.store.mysql.url import open_mysql  # noqa: PLC0415 - needs an extra

        return open_mysql(url, clock)
    if scheme in _REDIS:
        from active_workflow.store.redis.url import open_redis  # noqa: PLC0415 - needs an extra

        return open_redis(url, clock)
    shown = f"the store {_harmless(url)!r}"
    raise ConfigurationError(f"{shown}: no store is called {scheme!r}; use {_EXAMPLES}")


def _path(url: str, rest: str) -> str:
    shown = f"the store {_harmless(url)!r}"
    if not rest.startswith("/"):
        raise ConfigurationError(f"{shown}: three slashes come before a relative path: {_EXAMPLES}")
    path, question, _ = rest[1:].partition("?")
    if question:
        raise ConfigurationError(f"{shown}: options after '?' are not known here: leave them out")
    if path in {"", ":memory:"}:
        raise ConfigurationError(f"{shown} names no file: write {_EXAMPLES}")
    return unquote(path)


def without_secrets(url: str) -> str:
    """Give a store's URL without user, password and options."""
    scheme, colon, rest = url.partition("://")
    if scheme.lower() == "sqlite":
        return url
    place, _, options = rest.partition("?")
    return f"{scheme}{colon}{'…' if '@' in options else place.rpartition('@')[2]}"


def _harmless(url: str) -> str:
    """Give the URL without its options; of one with a user only the scheme, so that no password shows."""
    shown = url.partition("?")[0]
    if "@" not in shown:
        return shown
    scheme, colon, _ = shown.partition("://")
    return f"{scheme}://…" if colon else "…"
