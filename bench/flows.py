"""The workload: five steps that do nothing but write one ctx key and return a small mapping."""

import active_workflow as aw


class FiveSteps(aw.Workflow):
    @aw.step
    def one(self) -> None:
        self.ctx.one = "0123456789"

    @aw.step
    def two(self) -> None:
        self.ctx.two = "0123456789"

    @aw.step
    def three(self) -> None:
        self.ctx.three = "0123456789"

    @aw.step
    def four(self) -> None:
        self.ctx.four = "0123456789"

    @aw.step
    def five(self) -> None:
        self.ctx.five = "0123456789"


STEPS = 5
