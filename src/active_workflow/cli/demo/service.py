"""The demo's payment, stock and courier service: the books behind HTTP, in a process of its own.

It prints its address, and ends when its standard input does: so it never outlives whoever started it, however
that ends.
"""

import argparse
import json
import socketserver
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from active_workflow.cli.demo.books import Answer, Books, Rules

PATIENCE = 30.0
"""Seconds that an answer is kept back, or waited for, at most."""


class Service(socketserver.ThreadingTCPServer):
    """Listens on a free port of this machine's loopback address."""

    daemon_threads = True
    request_queue_size = 128  # the default of 5 makes a busy worker's connections wait for a second try

    def __init__(self, books: Books, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.books = books
        self.delay = delay
        self.never = threading.Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Service  # pyright: ignore[reportIncompatibleVariableOverride] - no other server makes it

    def do_POST(self) -> None:
        what = self.path.strip("/")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        books = self.server.books
        if what == "hold":
            books.hold(body["order"])
            return self._answer(Answer(200, {}))
        if what == "let-go":
            books.let_go()
            return self._answer(Answer(200, {}))
        if not books.does(what):
            return self._answer(Answer(404, {"error": f"the shop can't {what}"}))
        return self._answer(self._do(what, body))

    def _do(self, what: str, body: Mapping[str, Any]) -> Answer:
        key = self.headers.get("Idempotency-Key")
        if not key:
            return Answer(400, {"error": "the header Idempotency-Key is missing"})
        answer = self.server.books.ask(what, body, f"{what} {key}")
        if what == "charge":
            # The money has moved and nobody knows yet: the moment at which a crash hurts most.
            self.server.never.wait(self.server.delay)
            self.server.books.wait_until_let_go(str(body["order"]), PATIENCE)
        return answer

    def do_GET(self) -> None:
        """``/wait?what=charge&order=42`` answers when the ledger has that line."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        found = self.server.books.wait_for(asked.get("what", ""), asked.get("order", ""), PATIENCE)
        self._answer(Answer(200 if found else 408, {"found": found}))

    def _answer(self, answer: Answer) -> None:
        data = json.dumps(answer.body).encode()
        try:
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:
            pass  # whoever asked is gone; what was done is in the books

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in http.server
        """Say nothing: the ledger is the record."""


def main() -> None:
    parser = argparse.ArgumentParser(description="The demo's payment, stock and courier service.")
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that a charge takes")
    parser.add_argument("--stock", type=int, default=Rules().stock, help="pieces of each article")
    given = parser.parse_args()
    books = Books(given.ledger, Rules(stock=given.stock))
    with books, Service(books, given.delay) as service:
        threading.Thread(target=_end_with_input, args=(service,), daemon=True).start()
        sys.stdout.write(service.url + "\n")
        sys.stdout.flush()
        service.serve_forever(poll_interval=0.05)


def _end_with_input(service: Service) -> None:
    sys.stdin.buffer.read()
    service.shutdown()


if __name__ == "__main__":
    main()
