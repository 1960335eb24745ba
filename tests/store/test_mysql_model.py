"""Random calls against the memory store and MariaDB side by side: every answer must be the same."""

from contextlib import closing
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, run_state_machine_as_test
from tests.store.test_model import SideBySide

from active_workflow.store import MemoryStore, open_store
from tests.servers.mariadb import MariaDBServer

pytestmark = [pytest.mark.services, pytest.mark.slow]

TABLES = ("aw_executions", "aw_steps", "aw_signals", "aw_keys")


class OnMariaDB(SideBySide):
    """The same calls; the tables are emptied before each story."""

    server: ClassVar[MariaDBServer]
    url: ClassVar[str]

    @initialize()
    def begin(self) -> None:
        with closing(self.server.connect("test_one")) as connection, connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"DELETE FROM {table}")
        self.now = 10
        self.memory = MemoryStore(lambda: self.now)
        self.sqlite: Any = open_store(self.url, lambda: self.now)
        self.folder: Any = None
        self.seen = []

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.sqlite.close()


@pytest.mark.timeout(300)
def test_side_by_side(mariadb_server: MariaDBServer, prepared_mysql_url: str) -> None:
    OnMariaDB.server, OnMariaDB.url = mariadb_server, prepared_mysql_url
    run_state_machine_as_test(
        OnMariaDB,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
