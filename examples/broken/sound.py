"""A checkout that holds: retries, steps side by side, an approval, a courier that answers later."""

from typing import Any

import active_workflow as aw
from active_workflow.testing import Exploration, Ledger, explore

shop = Ledger()


class ReserveStock(aw.Task):
    def call(self, ctx: Any) -> dict[str, str]:
        return {"reservation": shop.apply("reserve", 1, key=ctx.step_key)}

    def compensate(self, ctx: Any) -> None:
        shop.apply("release", -1, key=ctx.step_key)


class SoundCheckout(aw.Workflow, defaults={"retry": aw.Retry(max=3, first_delay="1s")}):
    @aw.step
    def charge_card(self) -> None:
        self.ctx.payment = shop.apply("charge", self.ctx.total, key=self.ctx.step_key)

    @charge_card.compensate
    def refund_card(self) -> None:
        shop.apply("refund", -self.ctx.total, key=self.ctx.step_key)

    with aw.parallel():
        reserve_stock = aw.task(ReserveStock)
        check_fraud = aw.task(lambda _ctx: {"risk": 0.1}, no_undo="only reads")

    approval = aw.wait_for_signal(timeout="2d", when=lambda ctx: ctx.total > 50)

    # The courier may fail it after it was booked, and the undo has to see to that: hence "attempted".
    @aw.step(external=True, timeout="1d", compensate="call_off_courier", compensate_on="attempted")
    def book_courier(self) -> dict[str, str]:
        shop.apply("book", 1, key=self.ctx.step_key)
        return {"correlation_id": self.ctx.step_key}

    def call_off_courier(self) -> None:
        if shop.receipt("book", self.ctx.step_key):
            shop.apply("call off", -1, key=self.ctx.step_key)

    @aw.step(pivot=True)
    async def hand_over(self) -> None:
        self.ctx.handed_over = True


def prove() -> Exploration:
    return explore(
        SoundCheckout,
        {"total": 99},
        world=shop.reset,
        invariant=Ledger.all_or_nothing,
        signals={"approval": {"by": "Ada"}},
        completions={"book_courier": {"parcel": "P-1"}},
    )


if __name__ == "__main__":
    print(prove())
