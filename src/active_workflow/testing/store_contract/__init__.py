"""The conformance suite of stores: subclass it, say how a store is made, and run pytest.

    class TestMyStore(StoreContract):
        def make_store(self):
            return MyStore(...)

It builds snapshots by hand, so it needs neither an engine nor a workflow, and it never sleeps. One rule, that
any calls are answered as the memory store does, needs hypothesis.
"""

from active_workflow.testing.store_contract.batches import BatchRules
from active_workflow.testing.store_contract.clocks import ClockRules
from active_workflow.testing.store_contract.committing import CommitRules
from active_workflow.testing.store_contract.finding import FindRules
from active_workflow.testing.store_contract.inserting import InsertRules
from active_workflow.testing.store_contract.leasing import LeaseRules
from active_workflow.testing.store_contract.modelled import ModelRules
from active_workflow.testing.store_contract.races import RaceRules
from active_workflow.testing.store_contract.values import ValueRules


class StoreContract(
    InsertRules, CommitRules, LeaseRules, FindRules, ValueRules, ClockRules, BatchRules, RaceRules, ModelRules
):
    """Every rule that a store has to keep.

    Define ``make_store``; and where they are possible, ``make_store_at`` (one with a clock of the test's),
    ``make_second`` (another connection to the same data) and ``break_row`` (damage an execution's row, as a
    broken disk would). What isn't defined skips its rules, and pytest says which.
    """


__all__ = ["StoreContract"]
