"""An undo that reads what only a later step writes: it works wherever it is not needed."""

import active_workflow as aw
from active_workflow.testing import Ledger, explore

shop = Ledger()


class KeyFromLater(aw.Workflow):
    @aw.step
    def reserve_stock(self) -> None:
        shop.apply("reserve", 1, key=self.ctx.step_key)

    @reserve_stock.compensate
    def release_stock(self) -> None:
        shop.apply("release", -1, key=f"{self.ctx.step_key}:{self.ctx.parcel}")  # is there no parcel yet?

    @aw.step
    def book_courier(self) -> None:
        self.ctx.parcel = shop.apply("book", 1, key=self.ctx.step_key)

    @book_courier.compensate
    def call_off_courier(self) -> None:
        shop.apply("call off", -1, key=self.ctx.step_key)

    @aw.step(pivot=True)
    def ship(self) -> None: ...


class KeyOfItsOwn(KeyFromLater):
    @aw.step
    def reserve_stock(self) -> None:
        shop.apply("reserve", 1, key=self.ctx.step_key)

    @reserve_stock.compensate
    def release_stock(self) -> None:
        shop.apply("release", -1, key=self.ctx.step_key)


if __name__ == "__main__":
    print(explore(KeyOfItsOwn, world=shop.reset, invariant=Ledger.all_or_nothing))
    explore(KeyFromLater, world=shop.reset, invariant=Ledger.all_or_nothing)
