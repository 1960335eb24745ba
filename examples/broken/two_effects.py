"""Two effects in one step, the first taken for a sign of both: a crash in between loses the second."""

import active_workflow as aw
from active_workflow.testing import Ledger, explore

shop = Ledger()


class TwoEffects(aw.Workflow):
    @aw.step
    def pay_and_pack(self) -> None:
        if shop.receipt("charge", self.ctx.step_key):
            return  # "we have been here before, all is done"
        shop.apply("charge", self.ctx.total, key=self.ctx.step_key)
        shop.apply("pack", 1, key=self.ctx.step_key)

    @pay_and_pack.compensate
    def unpack_and_refund(self) -> None:
        shop.apply("unpack", -1, key=self.ctx.step_key)
        shop.apply("refund", -self.ctx.total, key=self.ctx.step_key)

    @aw.step(pivot=True)
    def ship(self) -> None: ...


class OneEffectEach(aw.Workflow):
    @aw.step
    def pay(self) -> None:
        shop.apply("charge", self.ctx.total, key=self.ctx.step_key)

    @pay.compensate
    def refund(self) -> None:
        shop.apply("refund", -self.ctx.total, key=self.ctx.step_key)

    @aw.step
    def pack(self) -> None:
        shop.apply("pack", 1, key=self.ctx.step_key)

    @pack.compensate
    def unpack(self) -> None:
        shop.apply("unpack", -1, key=self.ctx.step_key)

    @aw.step(pivot=True)
    def ship(self) -> None: ...


def who_has_paid_gets_a_parcel(shop: Ledger, execution: aw.Execution) -> None:
    shop.all_or_nothing(execution)
    if execution.state == "completed":
        assert shop.count("charge") == shop.count("pack") == 1, f"completed, and the books say {shop}"


if __name__ == "__main__":
    print(explore(OneEffectEach, {"total": 99}, world=shop.reset, invariant=who_has_paid_gets_a_parcel))
    explore(TwoEffects, {"total": 99}, world=shop.reset, invariant=who_has_paid_gets_a_parcel)
