"""The PostgreSQL store behind PgBouncer in transaction mode: each statement may meet another session."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import psycopg
import pytest

import active_workflow as aw
from active_workflow.errors import StoreUnavailable
from active_workflow.store import open_store
from active_workflow.store.base import ProvesHints, Store
from active_workflow.store.postgres import listening
from active_workflow.testing.store_contract import StoreContract
from tests.servers.pgbouncer import PgBouncer, is_installed
from tests.servers.postgres import PostgresServer
from tests.store.postgres_help import sql
from tests.store.server_help import until

pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="PgBouncer isn't installed (apt-get install pgbouncer)"),
]


@pytest.fixture(scope="module")
def pooler(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    pooler = PgBouncer(postgres_server.port)
    pooler.start()
    yield pooler
    pooler.remove()


@pytest.fixture(scope="module")
def direct_url(postgres_server: PostgresServer) -> str:
    """The URL of a database whose sessions nobody ends under the pooler's hands."""
    return postgres_server.new_database()


class TestBehindPgBouncer(StoreContract):
    numbers = count(1)

    @pytest.fixture(autouse=True)
    def _urls(self, direct_url: str, pooler: PgBouncer) -> None:
        self.direct = direct_url
        self.url = pooler.url(direct_url)
        self.schema = f"s{next(self.numbers)}"

    def make_store(self) -> Store:
        return open_store(f"{self.url}?prepare_threshold=none&schema={self.schema}")

    def make_second(self, store: Store) -> Store:
        return self.make_store()

    def break_row(self, store: Store, id: str) -> None:
        with psycopg.connect(self.direct, autocommit=True) as connection:
            connection.execute(
                f"UPDATE {self.schema}.aw_executions SET active = '{{' WHERE id = %s".encode(), [id]
            )

    def test_hints_of_the_own_changes_are_no_error(self, store: Store, second: Store) -> None:
        pytest.skip("nobody can listen through a pooler that changes sessions: polling finds everything")

    def test_its_settings_stay_with_its_statements(self, store: Store) -> None:
        store.states(["x1"])
        with psycopg.connect(self.url, autocommit=True, prepare_threshold=None) as connection:
            for _ in range(8):
                assert connection.execute("SHOW enable_seqscan").fetchone() == ("on",)

    def test_a_transactional_step(self, store: Store) -> None:
        class PooledOrder(aw.Workflow):
            @aw.step(transactional=True)
            def order(self) -> None:
                self.ctx.connection.execute(f"CREATE TABLE {schema}.orders (attempt int)")
                self.ctx.connection.execute(f"INSERT INTO {schema}.orders VALUES (%s)", [self.ctx.attempt])

            again = aw.task(lambda ctx: ctx.connection.execute("SHOW enable_seqscan").fetchone()[0],
                            transactional=True)  # fmt: skip

        schema = self.schema
        with aw.Engine(store, embedded=False) as engine:
            execution = engine.start(PooledOrder, {})
            engine.run_until_idle()
            assert (execution.refresh().state, execution.result) == ("completed", "on")
        assert sql(self.direct, f"SELECT attempt FROM {schema}.orders") == [(1,)]

    def test_without_the_option_it_says_what_to_do(self) -> None:
        plain = open_store(self.url)
        with pytest.raises(StoreUnavailable, match="prepare_threshold=none"):
            plain.states(["x1"])

    def test_a_listener_that_hears_nothing_does_no_harm(self, store: Store) -> None:
        stop = store.listen(lambda: None)
        assert stop is not None
        stop()
        assert sql(self.direct, "SELECT 1") == [(1,)]

    def test_a_listener_that_hears_its_own_word_by_chance_proves_nothing(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening, "PING_EVERY", 0.02)
        heard: list[tuple[str, str]] = []
        words = listening.Listener._words

        def overheard(listener: Any, link: Any) -> list[tuple[str, str]]:
            found = words(listener, link)
            heard.extend(found)
            return found

        monkeypatch.setattr(listening.Listener, "_words", overheard)
        stop = store.listen(lambda: None)
        assert stop is not None
        until(lambda: len(heard) > 10)
        assert isinstance(store, ProvesHints)
        assert not store.hears()
        stop()
