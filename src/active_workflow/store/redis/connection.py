"""Connections: each wait on one has an end."""

import select
import time
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.exceptions import NoScriptError

from active_workflow.store.redis.scripts import Script

Word = bytes | str | int


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, and who asks.

    Attributes:
        tls: Arguments of the driver's encrypted connection; None for one in plain text.
    """

    host: str = "localhost"
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: dict[str, Any] | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'redis' if self.tls is None else 'rediss'}://{host}:{self.port}/{self.db}"


class Link:
    """One connection, on which scripts run.

    Args:
        address: Where to.
        root: The store's first key.
        seconds: How long connecting may take.
    """

    def __init__(self, address: Address, root: str, seconds: float) -> None:
        # Some of the driver's methods have no types.
        kind: Any = redis.Connection if address.tls is None else redis.SSLConnection
        self.until = float("inf")
        self._root = root
        self._connection = kind(
            host=address.host,
            port=address.port,
            db=address.db,
            username=address.username,
            password=address.password,
            client_name="active-workflow",
            protocol=2,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            socket_keepalive=True,
            **(address.tls or {}),
        )
        self._connection.connect()
        self._poll: Any = None

    def run(self, script: Script, *arguments: Word) -> Any:
        """Run a script, by its digest if the server has met it before, and give its answer."""
        try:
            return self.command("EVALSHA", script.digest, 1, self._root, *arguments)
        except NoScriptError:
            return self.command("EVAL", script.text, 1, self._root, *arguments)

    def command(self, *words: Word) -> Any:
        """Send a command and give its answer."""
        self.send(*words)
        return self.read()

    def send(self, *words: Word) -> None:
        """Send a command."""
        self._bound()
        self._connection.send_command(*words)

    def read(self) -> Any:
        """Give what the server says next."""
        self._bound()
        return self._connection.read_response()

    def _bound(self) -> None:
        """Let the next wait end at the deadline."""
        if (sock := self._sock) is not None:
            sock.settimeout(None if self.until == float("inf") else max(self.until - time.monotonic(), 0.001))

    @property
    def _sock(self) -> Any:
        return self._connection._sock  # noqa: SLF001 - the driver has no other way to its socket

    def fileno(self) -> int:
        """Give the descriptor of its socket."""
        number: int = self._sock.fileno()
        return number

    @property
    def in_order(self) -> bool:
        """Whether it may be used for another call; the driver closes it when anything was left half done."""
        return self._sock is not None

    @property
    def is_quiet(self) -> bool:
        """Whether the server has said nothing since the last answer: what it says by itself is good-bye."""
        if not self.in_order:
            return False
        if not hasattr(select, "poll"):
            return True
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.fileno(), select.POLLIN)
        return not self._poll.poll(0)

    @property
    def has_word(self) -> bool:
        """Whether there is something to read, be it on the socket or read from it together with the last."""
        found: bool = self._connection.can_read(0)
        return found

    def close(self) -> None:
        """Close it."""
        self._connection.disconnect()
