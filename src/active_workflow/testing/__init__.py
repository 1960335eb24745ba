"""What tests of workflows, stores and dispatchers need.

::

    from active_workflow.testing import Ledger, explore

    ledger = Ledger()  # the steps of Checkout use it in place of the bank

    def test_checkout_survives_everything():
        explore(Checkout, {"order_id": 42}, world=ledger.reset, invariant=Ledger.all_or_nothing)

With pytest installed, the fixtures ``workflow_engine`` and ``workflow_clock`` are there by themselves.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from active_workflow.testing.asserting import (
        assert_cancelled,
        assert_completed,
        assert_failed,
        assert_state,
        assert_undone,
        assert_waiting,
        timeline,
    )
    from active_workflow.testing.deploying import replay
    from active_workflow.testing.dispatcher_contract import DispatcherContract
    from active_workflow.testing.exploring.explore import Exploration, explore
    from active_workflow.testing.exploring.points import crash_point
    from active_workflow.testing.laws import LAWS, check_step_laws
    from active_workflow.testing.ledger import Ledger
    from active_workflow.testing.lint import Finding, check
    from active_workflow.testing.single import run_step, run_undo
    from active_workflow.testing.store_contract import StoreContract
    from active_workflow.testing.virtual import VirtualClock, run_until_idle, virtual_engine

__all__ = [  # noqa: RUF022 - grouped by what one does with them
    # Prove the undo
    "explore",
    "Exploration",
    "Ledger",
    "crash_point",
    "check_step_laws",
    "LAWS",
    "check",
    "Finding",
    "replay",
    # Run at the test's pace
    "run_until_idle",
    "run_step",
    "run_undo",
    "VirtualClock",
    "virtual_engine",
    # Say how it must have ended
    "assert_state",
    "assert_completed",
    "assert_failed",
    "assert_cancelled",
    "assert_waiting",
    "assert_undone",
    "timeline",
    # Prove a store, or a dispatcher
    "StoreContract",
    "DispatcherContract",
]

_HOMES = {
    "asserting": (
        *("assert_state", "assert_completed", "assert_failed", "assert_cancelled"),
        *("assert_waiting", "assert_undone", "timeline"),
    ),
    "deploying": ("replay",),
    "dispatcher_contract": ("DispatcherContract",),
    "exploring.explore": ("explore", "Exploration"),
    "exploring.points": ("crash_point",),
    "laws": ("check_step_laws", "LAWS"),
    "ledger": ("Ledger",),
    "lint": ("check", "Finding"),
    "single": ("run_step", "run_undo"),
    "store_contract": ("StoreContract",),
    "virtual": ("VirtualClock", "run_until_idle", "virtual_engine"),
}
"""Where each name is: loaded when it is first used, as pytest imports this package at every start."""


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            module = import_module(f"active_workflow.testing.{home}")
            return globals().setdefault(name, getattr(module, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
