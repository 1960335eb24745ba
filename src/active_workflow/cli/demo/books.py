"""The books of the demo's shop: what money, goods and parcels really did, in an append-only ledger file.

Nothing of the library is in here. The books stand for the outside world, which a saga can't roll back: each
effect is one line that is never changed, and an undo is another line.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answers: an HTTP status and a JSON object."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """When the shop says no.

    Attributes:
        stock: How many pieces of each article there are; those whose name begins with ``sold-out`` have none.
        most_pieces: A courier takes no parcel of more pieces.
    """

    stock: int = 1000
    most_pieces: int = 50


class Books:
    """Does what is asked, once for each idempotency key, and writes it down. Safe for many threads."""

    def __init__(self, ledger: Path, rules: Rules) -> None:
        self._file = ledger.open("a", encoding="utf-8", buffering=1)
        self._rules = rules
        self._answers: dict[str, Answer] = {}
        self._numbers: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._open: dict[str, Body] = {}
        self._seen: set[tuple[str, str]] = set()
        self._held: set[str] = set()
        self._changed = threading.Condition()
        self._doors: Mapping[str, Callable[[Body], Answer]] = {
            "charge": self._charge,
            "refund": lambda body: self._take_back(body, "refund"),
            "reserve": self._reserve,
            "release": lambda body: self._take_back(body, "release"),
            "book": self._book,
            "call-off": lambda body: self._take_back(body, "call-off"),
            "receipt": self._receipt,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def does(self, what: str) -> bool:
        """Tell whether the shop knows how to do this."""
        return what in self._doors

    def ask(self, what: str, body: Body, key: str) -> Answer:
        """Do something, or give the answer that this key had before."""
        with self._changed:
            again = self._answers.get(key)
            if again is not None:
                self._write(
                    f"{what} asked again",
                    body,
                    again.body.get("id", ""),
                    "same key: answered from the books",
                    key,
                )
                return again
            answer = self._answers[key] = self._doors[what]({**body, "key": key})
            return answer

    # --- For whoever tells the story --------------------------------------------------------------------

    def hold(self, order: str) -> None:
        """Keep back the answer to this order's next charge, until ``let_go``."""
        with self._changed:
            self._held.add(order)

    def let_go(self) -> None:
        """Give all answers that are kept back."""
        with self._changed:
            self._held.clear()
            self._changed.notify_all()

    def wait_until_let_go(self, order: str, timeout: float) -> None:
        """Return when this order's answers are not kept back any more."""
        with self._changed:
            self._changed.wait_for(lambda: order not in self._held, timeout)

    def wait_for(self, what: str, order: str, timeout: float) -> bool:
        """Return when the ledger has such a line; tell whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: (what, order) in self._seen, timeout)

    # --- What can be done, each with the lock held ------------------------------------------------------

    def _charge(self, body: Body) -> Answer:
        if str(body["token"]).startswith("tok_declined"):
            return self._refuse(402, "charge", body, "card declined")
        return self._did("charge", body, self._number("pay"), f"{body['amount']} from {body['token']}")

    def _reserve(self, body: Body) -> Answer:
        article, pieces = str(body["article"]), int(body["pieces"])
        left = 0 if article.startswith("sold-out") else self._rules.stock - self._taken[article]
        if pieces > left:
            return self._refuse(
                409, "reserve", body, f"out of stock: {pieces} of {article} wanted, {left} there"
            )
        self._taken[article] += pieces
        return self._did("reserve", body, self._number("res"), f"{pieces} of {article}")

    def _book(self, body: Body) -> Answer:
        pieces = int(body["pieces"])
        if pieces > self._rules.most_pieces:
            return self._refuse(
                422, "book", body, f"{pieces} pieces are too heavy: {self._rules.most_pieces} at most"
            )
        return self._did("book", body, self._number("par"), f"a parcel of {pieces}")

    def _receipt(self, body: Body) -> Answer:
        return self._did("receipt", body, self._number("msg"), "sent")

    def _take_back(self, body: Body, what: str) -> Answer:
        """Undo what has this id. Its own id keeps it from being undone twice, whatever the key."""
        done = self._open.pop(str(body["id"]), None)
        if done is None:
            return Answer(200, {"id": body["id"], "undone": "before"})
        if what == "release":
            self._taken[str(done["article"])] -= int(done["pieces"])
        body = {"order": done["order"], "key": body["key"]}
        self._write(what, body, str(done["id"]), str(done["detail"]), body["key"])
        return Answer(200, {"id": done["id"], "undone": "now"})

    def _did(self, what: str, body: Body, id: str, detail: str) -> Answer:
        self._open[id] = {**body, "id": id, "detail": detail}
        self._write(what, body, id, detail, body["key"])
        return Answer(200, {"id": id})

    def _refuse(self, status: int, what: str, body: Body, reason: str) -> Answer:
        self._write(f"{what} refused", body, "", reason, body["key"])
        return Answer(status, {"error": reason})

    def _number(self, kind: str) -> str:
        self._numbers[kind] += 1
        return f"{kind}_{self._numbers[kind]}"

    def _write(self, what: str, body: Body, id: str, detail: str, key: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        order = str(body.get("order", ""))
        line = {"at": at, "what": what, "order": order, "id": id, "detail": detail, "key": key}
        self._file.write(json.dumps(line) + "\n")
        self._seen.add((what, order))
        self._changed.notify_all()
