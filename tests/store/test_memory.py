from active_workflow.store.base import Clock, Store
from active_workflow.store.memory import MemoryStore
from active_workflow.testing.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    model_examples = 3  # it is the model itself

    def make_store(self) -> Store:
        return MemoryStore()

    def make_store_at(self, clock: Clock) -> Store:
        return MemoryStore(clock)
