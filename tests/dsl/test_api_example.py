"""The annotated example that type checkers look at is a right definition, too."""

from active_workflow.dsl import program_of
from tests.typing.api import Checkout, Express


def test_the_example_compiles() -> None:
    assert {step.name: step.after for step in program_of(Checkout).plan.steps} == {
        "charge_card": (),
        "reserve_stock": ("charge_card",),
        "fraud_check": ("charge_card",),
        "approval": ("reserve_stock", "fraud_check"),
        "fulfil": ("approval",),
        "cool_off": ("fulfil",),
        "until_monday": ("cool_off",),
        "send_receipt": ("until_monday",),
        "thank": ("send_receipt",),
    }
    assert program_of(Express).plan.by_name["gift"].after == ("approval", "fulfil")
