import sqlite3
import tempfile
from pathlib import Path

import pytest

from active_workflow.store.base import Clock
from active_workflow.store.sqlite.store import SqliteStore
from active_workflow.testing.store_contract import StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.path = tmp_path / "store.db"

    def make_store(self) -> SqliteStore:
        return SqliteStore(self.path)

    def make_store_at(self, clock: Clock) -> SqliteStore:
        self.path = Path(tempfile.mkdtemp(dir=self.folder)) / "at.db"
        return SqliteStore(self.path, clock)

    def make_second(self, store: SqliteStore) -> SqliteStore:
        return SqliteStore(self.path)

    def break_row(self, store: SqliteStore, id: str) -> None:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("UPDATE aw_executions SET active = '{' WHERE id = ?", [id])
        connection.close()
