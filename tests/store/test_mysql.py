from contextlib import closing

import pytest

from active_workflow.store import open_store
from active_workflow.store.base import Clock, Store
from active_workflow.testing.store_contract import StoreContract
from tests.servers.mariadb import MariaDBServer

pytestmark = [pytest.mark.services, pytest.mark.slow]


class TestMySQLStore(StoreContract):
    table = "aw_executions"
    options = ""

    @pytest.fixture(autouse=True)
    def _server(self, mariadb_server: MariaDBServer) -> None:
        self.server = mariadb_server
        self.url = mariadb_server.empty_database() + self.options

    def make_store(self) -> Store:
        return open_store(self.url)

    def make_store_at(self, clock: Clock) -> Store:
        store = open_store(self.url, clock)
        store.prepare()
        with closing(self.server.connect("test_one")) as connection, connection.cursor() as cursor:
            for kind in ("executions", "steps", "signals", "keys"):
                cursor.execute(f"DELETE FROM {self.table.replace('executions', kind)}")
        return store

    def make_second(self, store: Store) -> Store:
        return open_store(self.url)

    def break_row(self, store: Store, id: str) -> None:
        with closing(self.server.connect("test_one")) as connection, connection.cursor() as cursor:
            cursor.execute(f"UPDATE {self.table} SET active = '{{' WHERE id = %s", [id])


class TestMySQLStoreWithPrefix(TestMySQLStore):
    """The same under other names."""

    table = "flows_executions"
    options = "?prefix=flows_&pool_size=3"
