"""The demo's workflow: an order is paid, its goods are put aside, a courier is booked, a receipt is sent.

In your own code write ``import active_workflow as aw`` and ``aw.Workflow``, ``aw.step``, …:
``examples/checkout.py`` is the same saga as a file of your own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from active_workflow.cli.demo import shop
from active_workflow.dsl import CtxInfo, Retry, Task, Workflow, step, task


@dataclass
class Order(CtxInfo):
    """What a checkout knows."""

    order_id: str
    total: Decimal
    payment_token: str
    sku: str
    quantity: int = 1
    details: dict[str, Any] = field(default_factory=dict)
    payment_id: str | None = None
    reservation_id: str | None = None
    parcel_id: str | None = None


class ReserveStock(Task):
    """Puts the goods aside."""

    def call(self, ctx: Order) -> Mapping[str, Any]:
        return {"reservation_id": shop.reserve(ctx.order_id, ctx.sku, ctx.quantity, key=ctx.step_key)}

    def compensate(self, ctx: Order, result: Mapping[str, Any]) -> None:
        shop.release(result["reservation_id"], key=ctx.step_key)


class Checkout(
    Workflow[Order],
    name="DemoCheckout",  # a user's own Checkout must not meet it in the registry
    idempotency_key=lambda ctx: f"checkout:{ctx.order_id}",
    defaults={"retry": Retry(max=5, backoff="exponential", first_delay="200ms", jitter=True)},
    timeout="30m",
):
    """Each step tells the shop its ``step_key``: asked twice, the shop does it once."""

    @step(retry=Retry(max=6, first_delay="500ms"))
    def charge_card(self) -> None:
        ctx = self.ctx
        ctx.payment_id = shop.charge(ctx.order_id, ctx.total, ctx.payment_token, key=ctx.step_key)

    @charge_card.compensate
    def refund_payment(self) -> None:
        if self.ctx.payment_id:
            shop.refund(self.ctx.payment_id, key=self.ctx.step_key)

    reserve_stock = task(ReserveStock)

    @step
    def book_courier(self) -> None:
        ctx = self.ctx
        ctx.parcel_id = shop.book_courier(ctx.order_id, ctx.quantity, key=ctx.step_key)

    @book_courier.compensate
    def call_off_courier(self) -> None:
        if self.ctx.parcel_id:
            shop.call_off_courier(self.ctx.parcel_id, key=self.ctx.step_key)

    @task(fire_and_forget=True)
    @staticmethod
    def send_receipt(ctx: Order) -> None:
        shop.send_receipt(ctx.order_id, key=ctx.step_key)
