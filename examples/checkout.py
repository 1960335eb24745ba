"""A checkout saga: pay, put the goods aside, book a courier, send a receipt; undone in reverse on failure.

    python examples/checkout.py            # an order that goes well, and one that the courier refuses

The shop below prints what it does; run it again, and it is not asked again: both orders are over. The command
`active-workflow demo` runs the same saga against a real HTTP service, and
kills a worker in the middle of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import active_workflow as aw


@dataclass
class Order(aw.CtxInfo):
    """What a checkout knows. Keys that later steps set have a default."""

    order_id: str
    total: Decimal
    payment_token: str
    sku: str
    quantity: int = 1
    payment_id: str | None = None
    reservation_id: str | None = None
    parcel_id: str | None = None


class CourierRefused(aw.NonRetryable):
    """Trying again would not help: the saga is undone at once."""


class ReserveStock(aw.Task):
    def call(self, ctx: Order) -> dict[str, str]:
        return {
            "reservation_id": shop("reserve", ctx.order_id, f"{ctx.quantity} of {ctx.sku}", key=ctx.step_key)
        }

    def compensate(self, ctx: Order, result: Mapping[str, str]) -> None:
        shop("release", ctx.order_id, result["reservation_id"], key=ctx.step_key)


class Checkout(
    aw.Workflow[Order],
    idempotency_key=lambda ctx: f"checkout:{ctx.order_id}",  # the same order started twice is one execution
    defaults={"retry": aw.Retry(max=5, backoff="exponential", first_delay="1s", jitter=True)},
    timeout="30m",
):
    @aw.step(retry=aw.Retry(max=6, first_delay="2s"))
    def charge_card(self) -> None:
        # step_key is the same over all attempts: a shop that honours it charges once, whatever crashes.
        ctx = self.ctx
        ctx.payment_id = shop(
            "charge", ctx.order_id, f"{ctx.total} from {ctx.payment_token}", key=ctx.step_key
        )

    @charge_card.compensate
    def refund_payment(self) -> None:
        shop("refund", self.ctx.order_id, self.ctx.payment_id, key=self.ctx.step_key)

    reserve_stock = aw.task(ReserveStock)

    @aw.step
    def book_courier(self) -> None:
        ctx = self.ctx
        if ctx.quantity > 50:
            raise CourierRefused(f"{ctx.quantity} pieces are too heavy")
        ctx.parcel_id = shop("book", ctx.order_id, f"a parcel of {ctx.quantity}", key=ctx.step_key)

    @book_courier.compensate
    def call_off_courier(self) -> None:
        shop("call off", self.ctx.order_id, self.ctx.parcel_id, key=self.ctx.step_key)

    @aw.task(fire_and_forget=True)
    @staticmethod
    def send_receipt(ctx: Order) -> None:
        shop("receipt", ctx.order_id, "sent", key=ctx.step_key)


def shop(what: str, order_id: str, detail: str | None, *, key: str) -> str:
    """Stands for the APIs of your bank, your stock and your courier."""
    print(f"  shop: order {order_id}: {what:<8} {detail}   (key {key})")
    return f"{what}-{order_id}"


def main() -> None:
    orders = [
        Order(order_id="1001", total=Decimal("99.00"), payment_token="tok_visa", sku="desk-lamp"),
        Order(order_id="1002", total=Decimal("480.00"), payment_token="tok_visa", sku="brick", quantity=200),
    ]
    for order in orders:
        execution = Checkout.start(order).wait(timeout="30s")
        print(f"order {order.order_id} is {execution.state}", execution.error or "")


if __name__ == "__main__":
    main()
