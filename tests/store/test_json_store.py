"""The example of docs/howto/write-a-store.md keeps every rule."""

import json
import tempfile
from pathlib import Path

import pytest

from active_workflow.store.base import Clock, Store
from active_workflow.testing import StoreContract
from examples.json_store import JsonStore


class TestJsonStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.path = tmp_path / "store.json"

    def make_store(self) -> JsonStore:
        return JsonStore(self.path)

    def make_store_at(self, clock: Clock) -> JsonStore:
        self.path = Path(tempfile.mkdtemp(dir=self.folder)) / "at.json"
        return JsonStore(self.path, clock)

    def make_second(self, store: Store) -> JsonStore:
        return JsonStore(self.path)

    def break_row(self, store: Store, id: str) -> None:
        data = json.loads(self.path.read_text())
        data["rows"][id]["active"] = "{"
        self.path.write_text(json.dumps(data))


def test_it_is_a_store() -> None:
    assert isinstance(JsonStore("x.json"), Store)
