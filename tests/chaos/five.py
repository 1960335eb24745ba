"""The workflows of the kill test: five steps that write down what they do. Imported by its workers."""

import os
import signal
import time

import active_workflow as aw
from tests.chaos.flows import ledger, share

NAMES = ("first", "second", "third", "fourth", "fifth")


def work(ctx, before=None):
    """Do a step: between the two lines of the ledger it takes 5 to 200 ms, the same at each attempt."""
    seen = None if before is None else ctx[before]
    ledger.write(ctx.execution_id, ctx.step_name, ctx.attempt, "begin", seen)
    time.sleep(0.005 + 0.195 * share(ctx.step_key))
    ledger.write(ctx.execution_id, ctx.step_name, ctx.attempt, "end", seen)
    ctx[ctx.step_name] = [ctx.attempt, os.getpid()]
    return [ctx.attempt, os.getpid()]


def undo(ctx, result):
    """Undo a step; ``seen`` is the result that it is given to undo."""
    ledger.write(ctx.execution_id, ctx.step_name, ctx.attempt, "undo-begin", result)
    time.sleep(0.005 + 0.045 * share(ctx.step_key))
    ledger.write(ctx.execution_id, ctx.step_name, ctx.attempt, "undo-end", result)


def last(ctx):
    if ctx.fails:
        ledger.write(ctx.execution_id, ctx.step_name, ctx.attempt, "begin", ctx["fourth"])
        ledger.write(ctx.execution_id, ctx.step_name, ctx.attempt, "end", ctx["fourth"])
        raise aw.NonRetryable("declined")
    return work(ctx, "fourth")


class Killed(aw.Workflow):
    first = aw.task(work, compensate=undo)
    second = aw.task(lambda ctx: work(ctx, "first"), compensate=undo)
    third = aw.task(lambda ctx: work(ctx, "second"), compensate=undo)
    fourth = aw.task(lambda ctx: work(ctx, "third"), compensate=undo)
    fifth = aw.task(last, no_undo="nothing comes after it")


class Deadly(aw.Workflow):
    """Its second step kills whoever runs it."""

    first = aw.task(work, compensate=undo)

    @aw.task(no_undo="it never gets anywhere")
    @staticmethod
    def second(ctx):
        ledger.write(ctx.execution_id, ctx.step_name, ctx.attempt, "begin", ctx["first"])
        os.kill(os.getpid(), signal.SIGKILL)

    third = aw.task(lambda ctx: work(ctx, "second"), compensate=undo)
