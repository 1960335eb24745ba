"""Where executions are kept. The engine knows this door and ``store.base``, and nothing behind them."""

from active_workflow.store.base import Store
from active_workflow.store.memory import MemoryStore
from active_workflow.store.serializer import JsonSerializer, Serializer, dump_fields, embeddable, load_fields
from active_workflow.store.sqlite.store import SqliteStore
from active_workflow.store.url import open_store

__all__ = [
    "JsonSerializer",
    "MemoryStore",
    "Serializer",
    "SqliteStore",
    "Store",
    "dump_fields",
    "embeddable",
    "load_fields",
    "open_store",
]
