# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What users write, as type checkers see it. Checked by `make types` and `make types-pyright`, never run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, assert_type

import msgspec
import pydantic

import active_workflow as aw

# --- The outside world of the example -----


class Psp:
    def charge(self, order_id: int, token: str, *, key: str) -> str:
        return f"payment-{order_id}-{token}-{key}"

    def refund(self, payment_id: str | None) -> None: ...


class Inventory:
    def reserve(self, order_id: int) -> str:
        return f"reservation-{order_id}"

    def release(self, reservation_id: str) -> None: ...


class Fulfilment:
    def create(self, *, key: str) -> str:
        return f"job-{key}"


class Mailer:
    def send(self, order_id: int) -> None: ...


psp, inventory, fulfilment, mailer = Psp(), Inventory(), Fulfilment(), Mailer()


# --- The example -----


@dataclass
class CheckoutCtx(aw.CtxInfo):
    order_id: int
    total: int
    payment_token: str
    payment_id: str | None = None
    weight: int = 0


class ReserveStock(aw.Task):
    def call(self, ctx: CheckoutCtx) -> dict[str, str]:
        return {"reservation_id": inventory.reserve(ctx.order_id)}

    def compensate(self, ctx: CheckoutCtx, result: dict[str, str]) -> None:
        inventory.release(result["reservation_id"])


class FraudCheck(aw.Task[CheckoutCtx]):
    def __init__(self, limit: int = 100) -> None:
        self.limit = limit

    async def call(self, ctx: CheckoutCtx) -> None: ...

    def when(self, ctx: CheckoutCtx) -> bool:
        return ctx.total > self.limit


class Fulfil(aw.Task[CheckoutCtx], external=True, timeout="15m"):
    def call(self, ctx: CheckoutCtx) -> dict[str, str]:
        return {"job_id": fulfilment.create(key=ctx.step_key), "correlation_id": ctx.execution_id}


class Checkout(
    aw.Workflow[CheckoutCtx],
    idempotency_key=lambda ctx: f"checkout:{ctx.order_id}",
    defaults={"retry": aw.Retry(max=5, backoff="exponential", first_delay="1s", jitter=True)},
    timeout="7d",
    version=1,
):
    @aw.step(retry=aw.Retry(max=6, first_delay="2s"))
    def charge_card(self) -> None:
        assert_type(self.ctx, CheckoutCtx)
        assert_type(self.ctx.order_id, int)
        assert_type(self.ctx.step_key, str)
        assert_type(self.ctx.attempt, int)
        self.ctx.payment_id = psp.charge(self.ctx.order_id, self.ctx.payment_token, key=self.ctx.step_key)

    @charge_card.compensate
    def refund_payment(self) -> None:
        psp.refund(self.ctx.payment_id)

    @charge_card.verify
    def ask_psp(self) -> object:
        return aw.Landed({"payment_id": "p"}) if self.ctx.payment_id else aw.NOT_LANDED

    with aw.parallel():
        reserve_stock = aw.task(ReserveStock, dedupe=True)
        fraud_check = aw.task(FraudCheck(limit=10))

    approval = aw.wait_for_signal(timeout="2d", when=lambda ctx: ctx.total > 1000)
    fulfil = aw.task(Fulfil)
    cool_off = aw.sleep("1h")
    until_monday = aw.sleep(until=lambda ctx: ctx.monday, after=cool_off)

    @aw.task(fire_and_forget=True)
    @staticmethod
    def send_receipt(ctx: CheckoutCtx) -> None:
        mailer.send(ctx.order_id)

    @aw.step
    async def thank(self) -> Mapping[str, Any]:
        self.say(str(self.ctx["order_id"]))
        return {"total": self.ctx.total}

    def say(self, text: str) -> None: ...


class Express(Checkout, defaults={"timeout": timedelta(minutes=1)}):
    @aw.step(retry=[aw.Retry(on=TimeoutError), aw.Retry(max=2)])
    def charge_card(self) -> None:
        assert_type(self.ctx, CheckoutCtx)

    @charge_card.compensate(external=True, timeout="1h")
    def undo_charge(self, result: object) -> None: ...

    gift = aw.task(ReserveStock, after=[Checkout.fulfil, "approval"], compensate="refund_payment")


class Greet(aw.Workflow):
    @aw.step
    def hello(self) -> None:
        print("hello", self.ctx.who, self.ctx["who"])  # noqa: T201


class StructCtx(msgspec.Struct, aw.CtxInfo):
    order_id: int


class ModelCtx(pydantic.BaseModel, aw.CtxInfo):
    order_id: int


class DictCtx(TypedDict):
    order_id: int


class WithStruct(aw.Workflow[StructCtx]):
    @aw.step
    def show(self) -> int:
        return assert_type(self.ctx.order_id, int) + self.ctx.attempt


class WithModel(aw.Workflow[ModelCtx]):
    @aw.step
    def show(self) -> int:
        return assert_type(self.ctx.order_id, int) + self.ctx.attempt


class WithDict(aw.Workflow[DictCtx]):
    @aw.step
    def show(self) -> int:
        return assert_type(self.ctx["order_id"], int)


def weigh(order_id: int, total: int) -> int:
    return order_id + total


class AtRunTime(aw.Workflow, ctx=CheckoutCtx):
    notify = aw.task(lambda ctx: mailer.send(ctx.order_id), when=lambda ctx: ctx.total > 3)
    weigh = aw.task(weigh, args=lambda ctx: (ctx.order_id, ctx.total), store_result_as="weight")


def run() -> None:
    ctx = CheckoutCtx(order_id=42, total=99, payment_token="tok_123")
    execution = assert_type(Checkout.start(order_id=42, total=99, payment_token="tok_123"), aw.Execution)
    Checkout.start(ctx, idempotency_key="k", run_at=datetime.now(UTC), tags={"shop": "x"}, connection=None)
    Checkout.start({"order_id": 42}, key_reuse="failed")
    many = Checkout.start_many([{"order_id": n} for n in range(3)], on_conflict="skip")
    assert_type(many, list[aw.Execution])
    assert_type(execution.wait(timeout="30s").state, aw.State)
    assert_type(execution.steps["charge_card"].state, aw.StepState)
    assert_type(execution.steps[Checkout.fulfil].finished_at, datetime | None)
    assert_type(execution.complete_step(Checkout.fulfil, {"tracking": "XYZ"}, idempotency_key="e"), bool)
    assert_type(Checkout.fulfil.name, str)
    Greet.start(who="Ada").wait()


async def run_async() -> None:
    execution = await Checkout.start_async(order_id=42, total=99, payment_token="tok_123")
    assert_type(await execution.wait_async(check=True), aw.Execution)
    assert_type(await execution.cancel_async(reason="why"), bool)
    assert_type(await Checkout.start_many_async([{"order_id": 1}]), list[aw.Execution])
