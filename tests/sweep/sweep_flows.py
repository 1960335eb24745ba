"""The workflows of the sweep: each step writes down what it does, in the ledger that its ctx names."""

import os

import active_workflow as aw
from tests.ledger import Ledger


def ledger_of(ctx) -> Ledger:
    return Ledger(ctx.ledger, durable=False)


def note(ctx, phase, seen=None):
    ledger_of(ctx).write(ctx.execution_id, ctx.step_name, ctx.attempt, phase, seen)


def work(ctx):
    note(ctx, "begin")
    result = [ctx.step_name, ctx.attempt, os.getpid()]
    note(ctx, "end", result)
    return result


def undo(ctx, result):
    note(ctx, "undo-begin", result)
    note(ctx, "undo-end", result)


def decline(ctx):
    note(ctx, "begin")
    note(ctx, "raise")
    raise aw.NonRetryable("declined")


def fail_once(ctx):
    """Raise the first time that it is known to have raised, whoever was called before that."""
    raised = any(e.step == ctx.step_name and e.phase == "raise" for e in ledger_of(ctx).entries())
    if raised:
        return work(ctx)
    note(ctx, "begin")
    note(ctx, "raise")
    raise ValueError("not yet")


class SweptHappy(aw.Workflow):
    a = aw.task(work, compensate=undo)
    b = aw.task(work, compensate=undo)
    c = aw.task(work, compensate=undo)


class SweptFailing(aw.Workflow):
    a = aw.task(work, compensate=undo)
    b = aw.task(work, compensate=undo)
    c = aw.task(decline, no_undo="it never gets anywhere")


class SweptExternal(aw.Workflow):
    a = aw.task(work, compensate=undo)
    b = aw.task(work, external=True, timeout="1000d", compensate=undo)
    c = aw.task(work, compensate=undo)


class SweptWaiting(aw.Workflow):
    a = aw.task(work, compensate=undo)
    go = aw.wait_for_signal(timeout="1000d")
    c = aw.task(work, compensate=undo)


class SweptRetried(aw.Workflow):
    a = aw.task(work, compensate=undo)
    b = aw.task(fail_once, retry=aw.Retry(max=2, delay="1s", backoff="fixed"), compensate=undo)


class SweptParallel(aw.Workflow):
    with aw.parallel():
        a = aw.task(work, compensate=undo)
        b = aw.task(work, compensate=undo)
    c = aw.task(decline, no_undo="it never gets anywhere")


class SweptDetached(aw.Workflow):
    a = aw.task(work, compensate=undo)
    letter = aw.task(work, fire_and_forget=True)
    c = aw.task(work, compensate=undo)


class SweptSleeping(aw.Workflow):
    a = aw.task(work, compensate=undo)
    nap = aw.sleep("1h")
    c = aw.task(work, compensate=undo)
