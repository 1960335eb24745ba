"""An undo that reads what only a later step writes: it works in every test but the one in which it is needed."""

import active_workflow as aw
from active_workflow.testing import Ledger, explore

shop = Ledger()


class KeyFromLater(aw.Workflow):
    @aw.step
    def reserve_stock(self):
        shop.apply("reserve", 1, key=self.ctx.step_key)

    @reserve_stock.compensate
    def release_stock(self):
        shop.apply("release", -1, key=f"{self.ctx.step_key}:{self.ctx.parcel}")  # is there no parcel yet?

    @aw.step
    def book_courier(self):
        self.ctx.parcel = shop.apply("book", 1, key=self.ctx.step_key)

    @book_courier.compensate
    def call_off_courier(self):
        shop.apply("call off", -1, key=self.ctx.step_key)

    @aw.step(pivot=True)
    def ship(self): ...


class KeyOfItsOwn(KeyFromLater):
    @aw.step
    def reserve_stock(self):
        shop.apply("reserve", 1, key=self.ctx.step_key)

    @reserve_stock.compensate
    def release_stock(self):
        shop.apply("release", -1, key=self.ctx.step_key)


if __name__ == "__main__":
    print(explore(KeyOfItsOwn, world=shop.reset, invariant=Ledger.all_or_nothing))
    explore(KeyFromLater, world=shop.reset, invariant=Ledger.all_or_nothing)
