"""What the tests of the Redis store share."""

from collections import Counter
from typing import Any

from active_workflow.store.redis.store import RedisStore
from active_workflow.store.redis.url import open_redis
from tests.servers.proxy import FaultProxy


def through(proxy: FaultProxy, **options: Any) -> RedisStore:
    """A store by way of a proxy."""
    words = "&".join(f"{name}={value}" for name, value in options.items())
    return open_redis(f"redis://127.0.0.1:{proxy.port}/0?{words}")


def calls(client: Any) -> Counter[str]:
    """How often each command has been called so far, those in scripts included."""
    stats = client.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): told["calls"] for name, told in stats.items()})


def end_all(client: Any) -> int:
    """End every other connection, as an operator or a failover does."""
    ended: int = client.execute_command("CLIENT", "KILL", "SKIPME", "yes")
    return ended
