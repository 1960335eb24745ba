"""Two effects in one step, which takes the first one as a sign of both: a crash in between loses the second."""

import active_workflow as aw
from active_workflow.testing import Ledger, explore

shop = Ledger()


class TwoEffects(aw.Workflow):
    @aw.step
    def pay_and_pack(self):
        if shop.receipt("charge", self.ctx.step_key):
            return  # "we have been here before, all is done"
        shop.apply("charge", self.ctx.total, key=self.ctx.step_key)
        shop.apply("pack", 1, key=self.ctx.step_key)

    @pay_and_pack.compensate
    def unpack_and_refund(self):
        shop.apply("unpack", -1, key=self.ctx.step_key)
        shop.apply("refund", -self.ctx.total, key=self.ctx.step_key)

    @aw.step(pivot=True)
    def ship(self): ...


class OneEffectEach(aw.Workflow):
    @aw.step
    def pay(self):
        shop.apply("charge", self.ctx.total, key=self.ctx.step_key)

    @pay.compensate
    def refund(self):
        shop.apply("refund", -self.ctx.total, key=self.ctx.step_key)

    @aw.step
    def pack(self):
        shop.apply("pack", 1, key=self.ctx.step_key)

    @pack.compensate
    def unpack(self):
        shop.apply("unpack", -1, key=self.ctx.step_key)

    @aw.step(pivot=True)
    def ship(self): ...


def who_has_paid_gets_a_parcel(shop: Ledger, execution: aw.Execution) -> None:
    shop.all_or_nothing(execution)
    if execution.state == "completed":
        assert shop.count("charge") == shop.count("pack") == 1, f"completed, and the books say {shop}"


if __name__ == "__main__":
    print(explore(OneEffectEach, {"total": 99}, world=shop.reset, invariant=who_has_paid_gets_a_parcel))
    explore(TwoEffects, {"total": 99}, world=shop.reset, invariant=who_has_paid_gets_a_parcel)
