"""The workflows of the golden executions. What was stored of them is on file: add to them, change nothing.

Their names are theirs alone: a class of the same name in another test would take their place.

What a step does to the world is a line in ``LEDGER``, by its key. ``BROKEN`` holds what is out of order while
the executions are made, and is emptied before they are finished.
"""

import enum
from collections import Counter

import active_workflow as aw

LEDGER: Counter[str] = Counter()
BROKEN: set[str] = set()


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


def do(ctx):
    LEDGER[ctx.step_key] += 1
    if ctx.step_name in BROKEN or ctx.get("breaks") == ctx.step_name:
        raise ConnectionError(f"{ctx.step_name} is out of order ✓")
    return {ctx.step_name: ctx.attempt}


def refund(ctx):
    LEDGER[f"{ctx.step_key}:undo"] += 1
    if "refund" in BROKEN:
        raise ConnectionError("the bank is closed")


class Ship(aw.Task, external=True, timeout="30d", heartbeat_timeout="20d"):
    def call(self, ctx):
        LEDGER[ctx.step_key] += 1
        return {"job": 7, "correlation_id": f"job-{ctx.attempt}"}

    def compensate(self, ctx, result):
        LEDGER[f"{ctx.step_key}:undo"] += 1


class GoldenOrder(aw.Workflow, idempotency_key=lambda ctx: ctx.get("key"), timeout="90d", version="2b"):
    reserve = aw.task(do, compensate=refund, retry=aw.Retry(max=9, first_delay="1h", on=ConnectionError))
    charge = aw.task(do, compensate=refund, compensate_on="attempted")
    approval = aw.wait_for_signal(when=lambda ctx: ctx.get("asks"))
    ship = aw.task(Ship, when=lambda ctx: ctx.get("ships"))
    cool_off = aw.sleep("3d", when=lambda ctx: ctx.get("sleeps"))
    receipt = aw.task(do, fire_and_forget=True)
    last = aw.task(do)


class GoldenPatient(aw.Workflow):
    """Its undo is tried again."""

    reserve = aw.task(do, compensate=refund, undo_retry=aw.Retry(max=9, first_delay="2h"))
    charge = aw.task(do, no_undo="it never gets through")


class GoldenDoubtful(aw.Workflow):
    reserve = aw.task(do, compensate=refund)
    charge = aw.task(do, at_most_once=True, compensate=refund)
    last = aw.task(do)


class GoldenAsked(aw.Workflow):
    charge = aw.task(do, verify=lambda ctx: aw.Landed({"found": True}), compensate=refund)
    last = aw.task(do)


class GoldenPivoted(aw.Workflow):
    reserve = aw.task(do, compensate=refund)
    pay = aw.task(do, pivot=True)
    last = aw.task(do)


class GoldenSends(aw.Workflow):
    reserve = aw.task(do, compensate=refund)
    receipt = aw.task(do, fire_and_forget=True)
    last = aw.task(do)


class GoldenHasty(aw.Workflow):
    answer = aw.wait_for_signal(timeout="1s", on_timeout="continue")
    last = aw.task(do)


class GoldenParallel(aw.Workflow):
    with aw.parallel():
        left = aw.task(do, compensate=refund)
        right = aw.task(Ship)
        answer = aw.wait_for_signal("answer", timeout="40d")
    last = aw.task(do)
