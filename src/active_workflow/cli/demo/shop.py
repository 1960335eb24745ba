"""What the demo's workflow calls: the shop's client. Of the library it knows ``NonRetryable`` alone."""

import http.client
import json
import os
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

from active_workflow.errors import NonRetryable

URL = "ACTIVE_WORKFLOW_DEMO_SHOP"
"""The environment variable with the service's address: workers are told by it."""

PATIENCE = 60.0


class CardDeclined(NonRetryable):
    """The bank says no."""


class OutOfStock(NonRetryable):
    """There is not so much of it."""


class CourierRefused(NonRetryable):
    """The courier doesn't take it."""


class ShopTrouble(Exception):
    """The shop did not answer as it should: worth another attempt."""


_REFUSALS: dict[int, type[Exception]] = {402: CardDeclined, 409: OutOfStock, 422: CourierRefused}


def charge(order: str, amount: Decimal, token: str, key: str) -> str:
    """Take money; give the payment's id."""
    return _post("charge", key, order=order, amount=str(amount), token=token)


def refund(payment: str, key: str) -> None:
    """Give it back."""
    _post("refund", key, id=payment)


def reserve(order: str, article: str, pieces: int, key: str) -> str:
    """Put goods aside; give the reservation's id."""
    return _post("reserve", key, order=order, article=article, pieces=pieces)


def release(reservation: str, key: str) -> None:
    """Put them back on the shelf."""
    _post("release", key, id=reservation)


def book_courier(order: str, pieces: int, key: str) -> str:
    """Order a courier; give the parcel's id."""
    return _post("book", key, order=order, pieces=pieces)


def call_off_courier(parcel: str, key: str) -> None:
    """Send the courier away."""
    _post("call-off", key, id=parcel)


def send_receipt(order: str, key: str) -> None:
    """Write to the customer."""
    _post("receipt", key, order=order)


def hold(order: str) -> None:
    """Let the bank take its time over the next charge of this order (the story's director says so)."""
    _post("hold", "", order=order)


def let_go() -> None:
    """Let the bank answer again."""
    _post("let-go", "")


def wait_for(what: str, order: str) -> bool:
    """Return when the shop's ledger has such a line; False if it did not come in half a minute."""
    status, _ = _send("GET", "/wait?" + urlencode({"what": what, "order": order}), "", None)
    return status == http.HTTPStatus.OK


def _post(what: str, key: str, **body: Any) -> str:
    status, answer = _send("POST", f"/{what}", key, body)
    if status == http.HTTPStatus.OK:
        return str(answer.get("id", ""))
    raise _REFUSALS.get(status, ShopTrouble)(str(answer.get("error", f"the shop answers {status}")))


def _send(method: str, path: str, key: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(os.environ[URL]).netloc, timeout=PATIENCE)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), {"Idempotency-Key": key})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException) as error:
        raise ShopTrouble(f"the shop does not answer: {error!r}") from error
    finally:
        connection.close()
