"""An undo that isn't idempotent: a worker that dies after the refund and before its record refunds twice."""

import active_workflow as aw
from active_workflow.testing import Ledger, explore

bank = Ledger()


class UndoTwice(aw.Workflow):
    @aw.step
    def charge_card(self) -> None:
        bank.apply("charge", self.ctx.total, key=self.ctx.step_key)

    @charge_card.compensate
    def refund_card(self) -> None:
        bank.apply("refund", -self.ctx.total)  # an undo may run again, too

    @aw.step(pivot=True)
    def book_courier(self) -> None: ...


class UndoOnce(UndoTwice):
    @aw.step
    def charge_card(self) -> None:
        bank.apply("charge", self.ctx.total, key=self.ctx.step_key)

    @charge_card.compensate
    def refund_card(self) -> None:
        bank.apply("refund", -self.ctx.total, key=self.ctx.step_key)


if __name__ == "__main__":
    print(explore(UndoOnce, {"total": 99}, world=bank.reset, invariant=Ledger.all_or_nothing))
    explore(UndoTwice, {"total": 99}, world=bank.reset, invariant=Ledger.all_or_nothing)
