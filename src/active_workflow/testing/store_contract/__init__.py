"""The conformance suite of stores: subclass it, say how a store is made, and run pytest.

    class TestMyStore(StoreContract):
        def make_store(self):
            return MyStore(...)

It builds snapshots by hand, so it needs neither an engine nor a workflow, and it never sleeps.
"""

from active_workflow.testing.store_contract.committing import CommitRules
from active_workflow.testing.store_contract.finding import FindRules
from active_workflow.testing.store_contract.inserting import InsertRules
from active_workflow.testing.store_contract.leasing import LeaseRules
from active_workflow.testing.store_contract.races import RaceRules
from active_workflow.testing.store_contract.values import ValueRules


class StoreContract(InsertRules, CommitRules, LeaseRules, FindRules, ValueRules, RaceRules):
    """Every rule that a store has to keep.

    Define ``make_store``; and where they are possible, ``make_second`` (another connection to the same data)
    and ``break_row`` (damage an execution's row, as a broken disk would).
    """


__all__ = ["StoreContract"]
