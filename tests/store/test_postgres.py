import psycopg
import pytest

from active_workflow.store.base import Clock
from active_workflow.store.postgres.database import Options
from active_workflow.store.postgres.store import PostgresStore
from active_workflow.testing.store_contract import StoreContract
from tests.servers.fixtures import OLDEST

pytestmark = pytest.mark.services


class TestPostgresStore(StoreContract):
    model_examples = 25  # each makes its tables anew

    @pytest.fixture(autouse=True)
    def _url(self, postgres_url: str) -> None:
        self.url = postgres_url

    def make_store(self) -> PostgresStore:
        return PostgresStore(self.url)

    def make_store_at(self, clock: Clock) -> PostgresStore:
        self.made = getattr(self, "made", 0) + 1
        return PostgresStore(self.url, clock, schema=f"at_{self.made}")

    def make_second(self, store: PostgresStore) -> PostgresStore:
        return PostgresStore(self.url)

    def break_row(self, store: PostgresStore, id: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("UPDATE aw_executions SET active = '{' WHERE id = %s", [id])


@pytest.mark.slow
class TestOldestPostgresStore(TestPostgresStore):
    """The same on the oldest version that is supported."""

    model_examples = 15

    @pytest.fixture(autouse=True)
    def _url(self, oldest_postgres_url: str) -> None:
        self.url = oldest_postgres_url

    def test_it_is_that_version(self) -> None:
        with psycopg.connect(self.url) as connection:
            assert connection.info.server_version // 10_000 == OLDEST


@pytest.mark.slow
class TestPostgresStoreBehindPooler(TestPostgresStore):
    """The same without prepared statements and settings of the session, and under other names."""

    model_examples = 5

    def make_store(self) -> PostgresStore:
        return PostgresStore(self.url, schema="flows", prefix="", options=Options(prepare_threshold=None))

    def make_second(self, store: PostgresStore) -> PostgresStore:
        return self.make_store()

    def break_row(self, store: PostgresStore, id: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("UPDATE flows.executions SET active = '{' WHERE id = %s", [id])
