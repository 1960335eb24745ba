from active_workflow.store.base import Store
from active_workflow.store.memory import MemoryStore
from active_workflow.testing.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self) -> Store:
        return MemoryStore()
