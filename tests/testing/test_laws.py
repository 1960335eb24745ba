"""check_step_laws: each law can be broken, and is told by name."""

import pytest
from hypothesis import strategies as st

import active_workflow as aw
from active_workflow.testing import LAWS, Ledger, check_step_laws

ledger = Ledger()


class Lawful(aw.Workflow):
    @aw.step(compensate_on="attempted")
    def charge(self):
        ledger.apply("charge", self.ctx.amount, key=self.ctx.step_key)

    @charge.compensate
    def refund(self):
        if ledger.receipt("charge", self.ctx.step_key):
            ledger.apply("refund", -self.ctx.amount, key=self.ctx.step_key)

    @aw.step(no_undo="idempotent by nature")
    def note(self):
        ledger.apply("note", key=self.ctx.step_key)


class Lawless(aw.Workflow):
    twice = aw.task(lambda ctx: ledger.apply("a") and None, no_undo="is what is tested")
    half = aw.task(
        lambda ctx: ledger.apply("a", 2, key=ctx.step_key) and None,
        compensate=lambda ctx: ledger.apply("b", -1, key=ctx.step_key),
    )
    undone_twice = aw.task(
        lambda ctx: ledger.apply("a", 1, key=ctx.step_key) and None,
        compensate=lambda ctx: ledger.apply("b", -1),
    )
    eager = aw.task(
        lambda ctx: ledger.apply("a", 1, key=ctx.step_key) and None,
        compensate=lambda ctx: ledger.apply("b", -1, key=ctx.step_key),
        compensate_on="attempted",
    )
    blind = aw.task(
        lambda ctx: {"receipt": ledger.apply("a", 1, key=ctx.step_key)},
        compensate=lambda ctx, result: ledger.apply("b", -1, key=result["receipt"]),
        compensate_on="attempted",
    )


def test_a_lawful_step():
    check_step_laws(Lawful.charge, {"amount": 9}, world=ledger.reset, laws=LAWS)
    check_step_laws(Lawful.note, world=ledger.reset)


def test_many_examples():
    check_step_laws(Lawful.charge, {"amount": st.integers(1), "plain": 1}, world=ledger.reset)


@pytest.mark.parametrize(
    ("step", "law", "told"),
    [
        (Lawless.twice, LAWS[0], "expected {'twice': 1}\n  found    {'twice': 2}"),
        (Lawless.half, LAWS[1], "expected {}\n  found    {'half': 1}"),
        (Lawless.undone_twice, LAWS[2], "expected {}\n  found    {'undone_twice': -1}"),
        (Lawless.eager, LAWS[3], "expected {}\n  found    {'eager': -1}"),
        (Lawless.blind, LAWS[3], "its undo raises TypeError"),
    ],
)
def test_each_law_can_be_broken(step, law, told):
    with pytest.raises(AssertionError) as caught:
        check_step_laws(step, world=ledger.reset)
    assert f"{step!r} breaks the law {law!r} with ctx None" in str(caught.value)
    assert told in str(caught.value)


def test_an_example_that_breaks_a_law_is_made_small():
    class Odd(aw.Workflow):
        charge = aw.task(
            lambda ctx: ledger.apply("a", key=ctx.step_key if ctx.amount < 10 else None) and None,
            no_undo="is what is tested",
        )

    with pytest.raises(AssertionError, match=r"with ctx {'amount': 10}"):
        check_step_laws(Odd.charge, {"amount": st.integers(0, 1000)}, world=ledger.reset)


def test_a_world_of_ones_own():
    books = {}

    class Own(aw.Workflow):
        count = aw.task(lambda ctx: books.update(n=books.get("n", 0) + 1), no_undo="is what is tested")

    def reset():
        books.clear()
        return books

    with pytest.raises(AssertionError, match="expected 1\n  found    2"):
        check_step_laws(Own.count, world=reset, observe=lambda world: world.get("n"))
    with pytest.raises(TypeError, match="say with observe= what dict looks like"):
        check_step_laws(Own.count, world=reset)


def test_only_the_laws_that_are_asked_for():
    check_step_laws(Lawless.undone_twice, world=ledger.reset, laws=["run twice", "undo restores"])
    with pytest.raises(ValueError, match="there is no law 'undo thrice'"):
        check_step_laws(Lawless.twice, world=ledger.reset, laws=["undo thrice"])


def test_hypothesis_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "hypothesis", None)
    with pytest.raises(aw.ConfigurationError, match="pip install hypothesis"):
        check_step_laws(Lawful.charge, {"amount": st.integers()}, world=ledger.reset)
