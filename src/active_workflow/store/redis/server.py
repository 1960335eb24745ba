"""Whether a server keeps what it is given: asked before anything is entrusted to it."""

from collections.abc import Mapping

from active_workflow.errors import ConfigurationError
from active_workflow.store.redis.database import Database, Options
from active_workflow.store.redis.failures import newer_format
from active_workflow.store.redis.scripts import FORMAT, SCRIPTS

_KEEPS_ALL = "noeviction"


def check_server(database: Database) -> None:
    """Check the server, and make the store or check its format.

    Raises:
        ConfigurationError: The server may drop data, or keeps too little on disk.
        SchemaError: A later version of the library made the store.
    """
    told = database.ask(
        lambda link: b"\n".join(link.command("INFO", what) for what in ("memory", "persistence"))
    )
    reason = why_not(_read(told.decode()), database.options)
    if reason is not None:
        raise ConfigurationError(f"{database.where}: {reason}")
    found = database.ask(lambda link: link.run(SCRIPTS["prepare"], FORMAT)).decode()
    if found != str(FORMAT):
        raise newer_format(found, database.where)


def why_not(info: Mapping[str, str], options: Options) -> str | None:
    """Tell why a server must not be used, from what it tells of itself; None if it may."""
    if not options.allow_eviction and (reason := _may_evict(info)):
        return (
            f"{reason}. Set maxmemory-policy to noeviction, or maxmemory to 0; to use it all the same, add "
            "allow_eviction=true to the store's URL"
        )
    if not options.allow_no_aof and (reason := _keeps_nothing(info)):
        return (
            f"{reason}. Set appendonly to yes (and appendfsync to always, so that recorded means recorded); "
            "to use it all the same, add allow_no_aof=true to the store's URL"
        )
    return None


def _may_evict(info: Mapping[str, str]) -> str | None:
    policy, limit = info.get("maxmemory_policy"), info.get("maxmemory")
    if policy is None or limit is None:
        return "the server does not tell (INFO memory) whether it drops data when its memory is full"
    if policy == _KEEPS_ALL or limit == "0":
        return None
    if policy.startswith("volatile"):
        return (
            f"maxmemory-policy is {policy}: when its memory is full the server drops keys with a time to "
            "live. The store's own have none; nothing else guards them"
        )
    return (
        f"maxmemory-policy is {policy}: when its memory is full the server drops executions, without a word"
    )


def _keeps_nothing(info: Mapping[str, str]) -> str | None:
    if info.get("aof_enabled") is None:
        return "the server does not tell (INFO persistence) whether it keeps an append-only file"
    if info["aof_enabled"] != "0":
        return None
    return (
        "appendonly is no: a restart loses all that was recorded since the last snapshot (RDB), minutes or "
        "hours of it, or everything where there are no snapshots; steps that were done would run again"
    )


def _read(told: str) -> dict[str, str]:
    lines = (line.partition(":") for line in told.splitlines())
    return {name: value.strip() for name, colon, value in lines if colon}
