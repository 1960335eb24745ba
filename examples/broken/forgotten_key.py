"""Forgotten idempotency key: a worker that dies after the charge and before its record charges twice."""

import active_workflow as aw
from active_workflow.testing import Ledger, explore

bank = Ledger()


class ForgottenKey(aw.Workflow):
    @aw.step
    def charge_card(self) -> None:
        self.ctx.payment = bank.apply(
            "charge", self.ctx.total
        )  # the bank can't tell that it is the same charge

    @charge_card.compensate
    def refund_card(self) -> None:
        bank.apply("refund", -self.ctx.total, key=self.ctx.step_key)

    @aw.step(no_undo="an email can't be unsent, and harms nobody")
    def send_receipt(self) -> None: ...


class RememberedKey(ForgottenKey):
    @aw.step
    def charge_card(self) -> None:
        self.ctx.payment = bank.apply("charge", self.ctx.total, key=self.ctx.step_key)

    @charge_card.compensate
    def refund_card(self) -> None:
        bank.apply("refund", -self.ctx.total, key=self.ctx.step_key)


if __name__ == "__main__":
    print(explore(RememberedKey, {"total": 99}, world=bank.reset, invariant=Ledger.all_or_nothing))
    explore(ForgottenKey, {"total": 99}, world=bank.reset, invariant=Ledger.all_or_nothing)
