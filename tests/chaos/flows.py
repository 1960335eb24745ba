"""The mixed load: workflows whose steps write down what they do. Imported by workers and by their partner.

Every call of a step makes a token that nobody made before, writes it into the ledger, and returns it. So what
later steps see, what an undo is given and what the store has at the end can be traced to the one call that
made it. Step names tell the partner process what to do (`partner.py`).
"""

import os
import signal
import time
import zlib
from itertools import count

import active_workflow as aw
from tests.chaos import clocks  # noqa: F401 - sets this process's clock, if it is to be set
from tests.ledger import Ledger

TOKEN = "tok-"  # what every commit of an outcome has in it: the proxy looks for it
ledger = Ledger(os.environ["CHAOS_LEDGER"])
_numbers = count()
PACE = 1.0
"""How long effects take, against what is written below; nothing where nobody breaks in."""


def new_token() -> str:
    return f"{TOKEN}{os.getpid()}-{next(_numbers)}"


def tokens(values) -> dict[str, str]:
    """Give what a ctx or a result has of tokens."""
    return {key: value for key, value in values.items() if isinstance(value, str) and value.startswith(TOKEN)}


def share(text: str) -> float:
    """Give a number in [0, 1) that is the same wherever it is asked for."""
    return zlib.crc32(text.encode()) % 10_000 / 10_000


def note(ctx, phase: str, seen: dict[str, str]) -> None:
    ledger.write(ctx.execution_id, ctx.step_name, ctx.attempt, phase, seen)


def effect(ctx, key: str | None = None) -> dict[str, str]:
    """Have an effect: it is there once ``end`` is in the ledger, and takes 5 to 120 ms."""
    done = {key or ctx.step_name: new_token()}
    note(ctx, "begin", tokens(ctx))
    time.sleep(PACE * (0.005 + 0.115 * share(ctx.step_key)))
    note(ctx, "end", done)
    return done


def undo(ctx, result) -> None:
    """Undo an effect; what it was given to undo is written down."""
    given = tokens(result or {})
    note(ctx, "undo-begin", given)
    time.sleep(PACE * (0.005 + 0.045 * share(ctx.step_key)))
    note(ctx, "undo-end", given)


def refuse(ctx, error: Exception) -> None:
    """Fail, known to have done nothing."""
    note(ctx, "begin", tokens(ctx))
    note(ctx, "raise", {})
    raise error


def last(ctx):
    if ctx.fails:
        refuse(ctx, aw.NonRetryable("declined"))
    return effect(ctx)


def flaky(ctx):
    """Fail at two attempts of three, whichever."""
    if share(f"{ctx.step_key}{ctx.attempt}") < 2 / 3:
        refuse(ctx, RuntimeError("try again"))
    return effect(ctx)


AGAIN = aw.Retry(max=None, backoff="fixed", delay="30ms")


class Five(aw.Workflow):
    first = aw.task(effect, compensate=undo)
    second = aw.task(effect, compensate=undo)
    third = aw.task(effect, compensate=undo)
    fourth = aw.task(effect, compensate=undo)
    fifth = aw.task(last, no_undo="nothing comes after it")


class Wide(aw.Workflow):
    before = aw.task(effect, compensate=undo)
    with aw.parallel():
        left = aw.task(effect, compensate=undo)
        middle = aw.task(flaky, compensate=undo, retry=AGAIN)
        right = aw.task(effect, compensate=undo)
    after_all = aw.task(last, no_undo="nothing comes after it")


class Outside(aw.Workflow):
    """Its second step is completed by the partner; with ``fails`` the partner fails it."""

    order = aw.task(effect, compensate=undo)
    delivery = aw.task(lambda ctx: effect(ctx, "delivery_call"), external=True, timeout="1h", compensate=undo)
    thanks = aw.task(effect, no_undo="nothing comes after it")


class Talk(aw.Workflow):
    """Takes three signals in their order, and sleeps in between."""

    opening = aw.task(effect, compensate=undo)
    word_1 = aw.wait_for_signal("word", timeout="1h")
    pause = aw.sleep("200ms")
    word_2 = aw.wait_for_signal("word", timeout="1h")
    reply = aw.task(flaky, compensate=undo, retry=AGAIN)
    word_3 = aw.wait_for_signal("word", timeout="1h", when=lambda ctx: True)  # asked, for once
    closing = aw.task(last, no_undo="nothing comes after it")


class Retrying(aw.Workflow):
    """With ``fails`` its last step fails three times, which is all it has."""

    one = aw.task(flaky, compensate=undo, retry=AGAIN)
    two = aw.task(flaky, compensate=undo, retry=AGAIN)

    @aw.task(retry=aw.Retry(max=3, backoff="fixed", delay="30ms"), no_undo="nothing comes after it")
    @staticmethod
    def three(ctx):
        if ctx.fails:
            refuse(ctx, RuntimeError("never"))
        return effect(ctx)


class Detached(aw.Workflow):
    ahead = aw.task(effect, compensate=undo)
    aside = aw.task(effect, fire_and_forget=True)
    onward = aw.task(last, no_undo="nothing comes after it")


def look(ctx):
    """Say from the books what the last attempt of this step did."""
    mine = [
        entry
        for entry in ledger.entries()
        if (entry.execution, entry.step, entry.phase) == (ctx.execution_id, ctx.step_name, "end")
    ]
    return aw.Landed(mine[-1].seen) if mine else aw.NOT_LANDED


class Looked(aw.Workflow):
    """Its second step is looked for when nobody knows what it did."""

    basket = aw.task(effect, compensate=undo)
    charge = aw.task(effect, compensate=undo, verify=look)
    parcel = aw.task(last, no_undo="nothing comes after it")


class Once(aw.Workflow):
    """Its second step never runs again by itself."""

    draft = aw.task(effect, compensate=undo)
    letter = aw.task(effect, at_most_once=True, no_undo="a letter can't be called back")
    archive = aw.task(effect, no_undo="nothing comes after it")


class Point(aw.Workflow):
    """Past its second step there is no way back; with ``fails`` it is blocked there."""

    load = aw.task(effect, compensate=undo)
    departure = aw.task(effect, pivot=True, no_undo="it has left")
    arrival = aw.task(flaky, retry=AGAIN, no_undo="it has left")
    landing = aw.task(last, no_undo="it has left")


class Waits(aw.Workflow):
    """It waits between two steps for as long as nobody says anything."""

    inquiry = aw.task(effect, compensate=undo)
    answer = aw.wait_for_signal()
    thanks = aw.task(effect, no_undo="nothing comes after it")


class Poison(aw.Workflow):
    """Its second step kills whoever runs it."""

    healthy = aw.task(effect, compensate=undo)

    @aw.task(no_undo="it never gets anywhere")
    @staticmethod
    def deadly(ctx):
        note(ctx, "begin", tokens(ctx))
        os.kill(os.getpid(), signal.SIGKILL)


def ask(ctx):
    """Kill whoever asks."""
    note(ctx, "ask", {})
    os.kill(os.getpid(), signal.SIGKILL)


class Abyss(aw.Workflow):
    """Its second step kills whoever runs it first; so does its ``verify``, whoever asks."""

    firm = aw.task(effect, compensate=undo)

    @aw.task(no_undo="nothing comes after it", verify=ask)
    @staticmethod
    def slip(ctx):
        if ctx.attempt == 1:
            note(ctx, "begin", tokens(ctx))
            os.kill(os.getpid(), signal.SIGKILL)
        return effect(ctx)


class Chasm(aw.Workflow):
    """The condition of its wait kills whoever asks."""

    firm = aw.task(effect, compensate=undo)
    jump = aw.wait_for_signal("word", timeout="1h", when=ask)


DEADLY = (Poison, Abyss, Chasm)
"""What kills workers: started only where workers are killed."""
LOAD = (Five, Wide, Outside, Talk, Retrying, Detached, Looked, Once, Point)
"""What is started in turn."""
