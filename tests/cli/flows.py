"""Workflows for the command line's tests; it is imported as users' modules are, from the current folder."""

from enum import Enum

import active_workflow as aw


class Size(Enum):
    SMALL = "small"


class Parcel(aw.Workflow, idempotency_key=lambda ctx: f"parcel:{ctx.order_id}"):
    @aw.step(compensate="refund")
    def pay(self):
        return {"payment_id": f"pay_{self.ctx.order_id}"}

    def refund(self):
        pass

    @aw.task(external=True, timeout="15m")
    @staticmethod
    def ship(ctx):
        return {"correlation_id": "job-1"}

    approval = aw.wait_for_signal(timeout="2d")

    @aw.step
    def done(self):
        self.ctx.size = Size.SMALL
        return {"token": "t0ps3cret", "seen": ["x"]}


class Secretive(aw.Workflow):
    @aw.step(store_result_as="token")
    def sign_in(self):
        return "t0ps3cret"


class Unrefundable(aw.Workflow):
    @aw.step(compensate="refund")
    def pay(self):
        pass

    def refund(self):
        raise ConnectionError("the bank is [red]closed[/red]")

    @aw.step
    def fail(self):
        raise ValueError("no\nway")


class Launched(aw.Workflow):
    @aw.step(pivot=True)
    def launch(self):
        pass

    @aw.step
    def orbit(self):
        raise ValueError("too low")


class Mails(aw.Workflow):
    @aw.step(fire_and_forget=True)
    def mail(self):
        pass

    word = aw.wait_for_signal()
