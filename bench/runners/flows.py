"""The workload as workflows of this library."""

import active_workflow as aw

VALUE = "0123456789"


class FiveSteps(aw.Workflow, idempotency_key=lambda ctx: f"five:{ctx.n}"):
    @aw.step
    def one(self) -> None:
        self.ctx.one = VALUE

    @aw.step
    def two(self) -> None:
        self.ctx.two = VALUE

    @aw.step
    def three(self) -> None:
        self.ctx.three = VALUE

    @aw.step
    def four(self) -> None:
        self.ctx.four = VALUE

    @aw.step
    def five(self) -> None:
        self.ctx.five = VALUE


class Parked(aw.Workflow, idempotency_key=lambda ctx: f"parked:{ctx.n}"):
    go = aw.wait_for_signal()

    @aw.step
    def one(self) -> None:
        self.ctx.one = VALUE


class ParkedAWeek(aw.Workflow):
    go = aw.wait_for_signal(timeout="7d")
