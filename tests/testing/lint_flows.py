"""Definitions with one thing wrong each, and their neighbours with nothing wrong, for the lint."""

from dataclasses import dataclass

import active_workflow as aw


def bank(*_args, **_named):
    return 1


class Bare(aw.Workflow):
    charge = aw.task(lambda ctx: bank(ctx.total))
    total = aw.task(lambda ctx: {"sum": ctx.a + len(ctx.b)})  # changes nothing outside
    reads = aw.task(lambda ctx: bank(), no_undo="only reads")
    undone = aw.task(lambda ctx: bank(), compensate=lambda ctx: bank())
    mail = aw.task(lambda ctx: bank(), fire_and_forget=True)
    point = aw.task(lambda ctx: bank(), pivot=True)
    after = aw.task(lambda ctx: bank())


class Early(aw.Workflow):
    @aw.step
    def first(self):
        self.ctx.own = bank()

    @first.compensate
    def undo_first(self):
        self.helper()

    def helper(self):
        bank(self.ctx.given, self.ctx.own, self.ctx.later)

    @aw.step(compensate_on="attempted")
    def second(self):
        self.ctx.maybe = bank()

    @second.compensate
    def undo_second(self):
        bank(self.ctx.maybe, self.ctx.own)

    @aw.step
    def careful(self):
        bank()

    @careful.compensate
    def undo_careful(self):
        if "later" in self.ctx:
            bank(self.ctx.later)

    @aw.step(no_undo="is what is tested")
    def third(self):
        ctx = self.ctx
        ctx["later"] = bank()


@dataclass
class Fields:
    later: int | None = None


class Typed(aw.Workflow[Fields]):
    first = aw.task(lambda ctx: bank(), compensate=lambda ctx: bank(ctx.later))

    @aw.task(no_undo="is what is tested")
    @staticmethod
    def second(ctx):
        ctx.later = bank()


class Endless(aw.Workflow):
    job = aw.task(lambda ctx: bank(), external=True, no_undo="is what is tested")
    limited = aw.task(lambda ctx: bank(), external=True, timeout="1h", no_undo="is what is tested")
    word = aw.wait_for_signal()
    limited_word = aw.wait_for_signal(timeout="1d")


class Ends(aw.Workflow, timeout="7d"):
    job = aw.task(lambda ctx: bank(), external=True, no_undo="is what is tested")
    word = aw.wait_for_signal()


class Api(aw.Task, retry=3):
    def __init__(self, api):
        self.api = api

    def call(self, ctx):
        return {"charge": self.api.charge(ctx.total)}

    def compensate(self, ctx, result):
        self.api.refund(result["charge"])


class KeyedApi(Api):
    def call(self, ctx):
        return {"charge": self.api.charge(ctx.total, key=ctx.step_key)}


class Again(aw.Workflow, defaults={"retry": aw.Retry(max=3)}):
    api = aw.task(Api(bank))
    keyed = aw.task(KeyedApi(bank))
    handed_on = aw.task(lambda ctx: bank(ctx, 1), compensate=lambda ctx: bank())
    looked_for = aw.task(lambda ctx: bank(), compensate=lambda ctx: bank(), verify=lambda ctx: False)
    once = aw.task(lambda ctx: bank(), compensate=lambda ctx: bank(), retry=None)

    @aw.step(compensate="undo")
    def by_a_method(self):
        self.send()

    def send(self):
        bank(key=self.ctx.step_key)

    def undo(self): ...


class Crossing(aw.Workflow):
    with aw.parallel():
        left = aw.task(lambda ctx: {"both": 1, "left": 1})

        @aw.step
        def right(self):
            self.ctx.both = 2

    below = aw.task(lambda ctx: {"both": 3})


class Doubt(aw.Workflow):
    letter = aw.task(lambda ctx: bank(), at_most_once=True, no_undo="paper")
    looked = aw.task(lambda ctx: bank(), at_most_once=True, verify=lambda ctx: False, no_undo="paper")


class Astray(aw.Workflow):
    fast = aw.task(lambda ctx: None)
    lost = aw.task(lambda ctx: None, queue="slwo")
    wait = aw.wait_for_signal(timeout="1h")


class Clean(aw.Workflow, defaults={"retry": 3}):
    charge = aw.task(
        lambda ctx: {"payment": bank(ctx.total, key=ctx.step_key)}, compensate=lambda ctx: bank(ctx.payment)
    )
