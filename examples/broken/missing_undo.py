"""Missing undo: when the courier refuses, the goods stay reserved for an order that there is not."""

import active_workflow as aw
from active_workflow.testing import Ledger, explore

shop = Ledger()


class MissingUndo(aw.Workflow):
    @aw.step
    def charge_card(self) -> None:
        shop.apply("charge", self.ctx.total, key=self.ctx.step_key)

    @charge_card.compensate
    def refund_card(self) -> None:
        shop.apply("refund", -self.ctx.total, key=self.ctx.step_key)

    @aw.step
    def reserve_stock(self) -> None:
        shop.apply("reserve", 1, key=self.ctx.step_key)

    @aw.step(pivot=True)
    def book_courier(self) -> None:
        shop.apply("book", 1, key=self.ctx.step_key)


class WithUndo(MissingUndo):
    @aw.step(compensate="release_stock")
    def reserve_stock(self) -> None:
        shop.apply("reserve", 1, key=self.ctx.step_key)

    def release_stock(self) -> None:
        shop.apply("release", -1, key=self.ctx.step_key)


if __name__ == "__main__":
    print(explore(WithUndo, {"total": 99}, world=shop.reset, invariant=Ledger.all_or_nothing))
    explore(MissingUndo, {"total": 99}, world=shop.reset, invariant=Ledger.all_or_nothing)
