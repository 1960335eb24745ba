"""run_step and run_undo: one step by itself."""

import sqlite3
from dataclasses import dataclass
from decimal import Decimal

import pytest

import active_workflow as aw
from active_workflow.errors import ConfigurationError
from active_workflow.testing import check_step_laws, explore, run_step, run_undo


@dataclass
class Order(aw.CtxInfo):
    total: Decimal
    payment: str | None = None


class Pay(aw.Task):
    def __init__(self, api="psp"):
        self.api = api

    def call(self, ctx):
        return {"payment": f"{self.api}:{ctx.step_key}:{ctx.attempt}"}

    def compensate(self, ctx, result):
        ctx.payment = f"refunded {result['payment']}"


class Shop(aw.Workflow[Order], name="SingleShop"):
    pay = aw.task(Pay("bank"))
    parcel = aw.task(lambda ctx: {"correlation_id": "c-1", "payment": "at the door"}, external=True)
    approval = aw.wait_for_signal()

    @aw.step
    def look(self):
        return self.ctx.approval


class Loose(aw.Workflow, name="SingleLoose"):
    @aw.step(compensate="undo")
    async def add(self):
        self.ctx.setdefault("seen", []).append(aw.current().step_key)
        del self.ctx.old
        return {1, 2}

    async def undo(self, result):
        self.ctx.undone = (self.ctx.step_key, result)

    named = aw.task(lambda a, b: {"sum": a + b}, args=lambda ctx: (ctx.a, 2), store_result_as="answer")

    @aw.step
    def fails(self):
        raise ConnectionError("no answer")

    @aw.step
    def unfit(self):
        return object()


def test_a_typed_step():
    result, ctx = run_step(Shop.pay, {"total": Decimal(9)}, attempt=2, execution_id="x")
    assert result == {"payment": "bank:x:pay:2"}
    assert ctx == {"total": Decimal(9), "payment": "bank:x:pay:2"}
    assert run_undo(Shop.pay, ctx, result).payment == "refunded bank:x:pay:2"
    assert run_step(Shop.pay, Order(Decimal(3)))[1].total == 3


def test_payloads_may_be_there():
    assert run_step(Shop.look, {"total": Decimal(9), "approval": "by Ada"})[0] == "by Ada"


def test_an_external_steps_first_call():
    result, ctx = run_step(Shop.parcel, {"total": Decimal(9)})
    assert result == {"payment": "at the door"}
    assert ctx.payment == "at the door"


def test_an_async_step_and_undo():
    result, ctx = run_step(Loose.add, {"old": 1})
    assert result == {1, 2}
    assert ctx == {"seen": ["test-1:add"]}
    assert run_undo(Loose.add, ctx, result).undone == ("test-1:add", {1, 2})


def test_arguments_and_a_stored_result():
    assert run_step(Loose.named, {"a": 1})[1].answer == {"sum": 3}


def test_an_error_comes_out_as_it_is():
    with pytest.raises(ConnectionError, match="no answer"):
        run_step(Loose.fails)


def test_what_cannot_be_recorded_is_told():
    with pytest.raises(aw.SerializationError):
        run_step(Loose.unfit)


def test_ctx_is_only_to_be_read_afterwards():
    with pytest.raises(aw.ActiveWorkflowError):
        run_step(Loose.named, {"a": 1})[1].more = 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: run_step("pay"), "give its object, such as Checkout.charge_card"),
        (lambda: run_step(Shop.approval, {"total": Decimal(1)}), "calls nothing"),
        (lambda: run_undo(Loose.named), "has no compensation"),
    ],
)
def test_what_is_no_such_step(wrong, told):
    with pytest.raises(TypeError, match=told):
        wrong()


def test_a_wrong_ctx_is_told():
    with pytest.raises(aw.ActiveWorkflowError):
        run_step(Shop.pay, {"totl": 1})


class Banked(aw.Workflow, name="SingleBanked"):
    @aw.step(transactional=True)
    def order(self):
        self.ctx.connection.execute("INSERT INTO orders VALUES (?)", [self.ctx.step_key])

    @order.compensate
    def undo(self):
        self.ctx.connection.execute("DELETE FROM orders")


def test_a_transactional_step_uses_the_tests_connection():
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE orders (key TEXT)")
    run_step(Banked.order, {}, connection=database)
    assert database.execute("SELECT * FROM orders").fetchall() == [("test-1:order",)]
    run_undo(Banked.order, {}, connection=database)
    assert database.execute("SELECT * FROM orders").fetchall() == []
    assert database.in_transaction
    database.close()
    for run in (run_step, run_undo):
        with pytest.raises(TypeError, match="is transactional: give connection="):
            run(Banked.order, {})


def test_explore_and_laws_say_that_they_have_no_database():
    with pytest.raises(ConfigurationError, match="no database that a crash would leave as it was"):
        explore(Banked, {}, world=list, invariant=lambda world, execution: True)
    with pytest.raises(TypeError, match="executed exactly once"):
        check_step_laws(Banked.order, {}, world=list)
