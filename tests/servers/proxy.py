"""A TCP proxy that breaks connections in ways that a server by itself never would."""

import socket
import threading
from contextlib import suppress


class FaultProxy:
    """Stands between a client and a server on loopback.

    Attributes:
        port: Where clients connect to.
        silent: While true nothing passes, and nothing is closed: a cable that was cut.
        cut_before: What to look for in what a client sends; the connection is cut before that is passed on.
        cut_after: The same, but the server gets it, and the connection is cut before its answer is passed on.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.silent = False
        self.cut_before: bytes | None = None
        self.cut_after: bytes | None = None
        self.cuts = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the server is down for now
                client.close()
                continue
            self._pairs.append((client, server))
            doomed = threading.Event()
            for act in (self._upstream, self._downstream):
                threading.Thread(target=act, args=(client, server, doomed), daemon=True).start()

    def _upstream(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 20):
                if self.silent:
                    continue
                if self.cut_before and self.cut_before in data:
                    self.cut_before = None
                    self.cuts += 1
                    break
                if self.cut_after and self.cut_after in data:
                    self.cut_after = None
                    doomed.set()
                server.sendall(data)
        _shut(client, server)

    def _downstream(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 20):
                if doomed.is_set():
                    self.cuts += 1
                    break
                if not self.silent:
                    client.sendall(data)
        _shut(client, server)

    def close(self) -> None:
        """Take no more connections, and cut those there are."""
        self._listener.close()
        for pair in self._pairs:
            _shut(*pair)
            for end in pair:
                end.close()


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
