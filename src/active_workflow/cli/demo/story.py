"""The story: one order goes well, one is undone, and one loses its worker while the card is being charged."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from active_workflow.cli.demo import shop
from active_workflow.cli.demo.processes import DemoTrouble, start_worker
from active_workflow.cli.demo.scene import Scene, say, show_execution, show_ledger, show_verdict
from active_workflow.cli.demo.verdict import Finding, by_order, judge_all, read_ledger
from active_workflow.cli.demo.workflow import Checkout
from active_workflow.core.states import State
from active_workflow.dsl import Execution

PATIENCE = "60s"
LEASE = "3s"
"""How long a worker's claim outlives it: so long the third order waits for its second worker."""

HAPPY, UNDONE, KILLED = "1001", "1002", "1003"


def order(id: str, sku: str, quantity: int, total: str) -> dict[str, Any]:
    """Give an order."""
    return {
        "order_id": id,
        "total": Decimal(total),
        "payment_token": "tok_visa_4242",
        "sku": sku,
        "quantity": quantity,
    }


def tell(at: Scene) -> bool:
    """Tell the story; give the verdict."""
    with start_worker("worker A", at.folder, at.store, lease=LEASE) as first:
        say(f"Worker A is process {first.pid}.")
        happy = _goes_well(at)
        undone = _is_undone(at)
        _heading(3, f"Order {KILLED}: its worker is killed while the card is being charged")
        shop.hold(KILLED)
        killed = at.engine.start(Checkout, order(KILLED, "turntable", 1, "349.00"))
        if not shop.wait_for("charge", KILLED):
            raise DemoTrouble(f"order {KILLED} never came to the bank: see {first.log}")
        first.kill()
    say(f"The bank has taken the money and not yet answered; kill -9 {first.pid}: worker A is gone.")
    say("Nothing says that the charge happened, but the bank's own books.")
    shop.let_go()
    with start_worker("worker B", at.folder, at.store, lease=LEASE) as second:
        say(f"Worker B, process {second.pid}, takes over when A's lease of {LEASE} is over; same key.\n")
        _await(at, killed, "Worker B waits for A's lease to end …")
        _await_receipt(at, KILLED)
    _show(at, killed, KILLED)
    return _verdict(at, [happy, undone, killed])


def _goes_well(at: Scene) -> Execution:
    _heading(1, f"Order {HAPPY}: all goes well")
    execution = at.engine.start(Checkout, order(HAPPY, "desk-lamp", 1, "99.00"))
    _await(at, execution, "Charging, reserving, booking …")
    _await_receipt(at, HAPPY)
    _show(at, execution, HAPPY)
    return execution


def _is_undone(at: Scene) -> Execution:
    _heading(2, f"Order {UNDONE}: paid and reserved, but the courier refuses: it is undone, last step first")
    execution = at.engine.start(Checkout, order(UNDONE, "brick", 200, "480.00"))
    _await(at, execution, "Charging, reserving, undoing …")
    _show(at, execution, UNDONE)
    return execution


def _heading(number: int, text: str) -> None:
    say(f"\n{number}. {text}", "bold")


def _await(at: Scene, execution: Execution, what: str) -> None:
    with at.screen.status(what):
        execution.wait(PATIENCE)


def _await_receipt(at: Scene, order_id: str) -> None:
    """The receipt is an execution of its own that the order does not wait for."""
    with at.screen.status("The receipt is being sent …"):
        shop.wait_for("receipt", order_id)


def _show(at: Scene, execution: Execution, order_id: str) -> None:
    show_execution(at, execution)
    show_ledger(by_order(read_ledger(at.ledger))[order_id])


def _verdict(at: Scene, executions: Sequence[Execution]) -> bool:
    ledger = read_ledger(at.ledger)
    happy, undone, killed = (execution.refresh().state for execution in executions)
    lines = [line["what"] for line in by_order(ledger)[KILLED]]
    asked = lines.count("charge") + lines.count("charge asked again")
    say("What the shop's ledger says", "bold")
    return show_verdict(
        [
            Finding(happy is State.COMPLETED, f"order {HAPPY} is completed"),
            Finding(undone is State.FAILED, f"order {UNDONE} failed and is undone"),
            Finding(killed is State.COMPLETED, f"order {KILLED} is completed, by another worker"),
            Finding(
                asked > 1 and lines.count("charge") == 1,
                f"order {KILLED}: the bank was asked {asked} times and charged {lines.count('charge')} time",
            ),
            *judge_all(ledger, {HAPPY: True, UNDONE: False, KILLED: True}),
        ]
    )
