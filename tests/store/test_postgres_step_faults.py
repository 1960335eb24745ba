"""Transactional steps on PostgreSQL when backends end and answers get lost: each row is there once."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import active_workflow as aw
from active_workflow.errors import StoreUnavailable
from active_workflow.store.postgres.database import Options
from active_workflow.store.postgres.store import PostgresStore
from tests.servers.proxy import FaultProxy
from tests.store.postgres_help import sql, terminate_all, through

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture
def url(prepared_postgres_url: str) -> str:
    sql(prepared_postgres_url, "CREATE TABLE orders (key text, attempt int)")
    return prepared_postgres_url


@pytest.fixture
def engine(url: str, postgres_proxy: FaultProxy) -> Iterator[aw.Engine]:
    """One whose connections all go through the proxy."""
    store = PostgresStore(through(postgres_proxy, url), options=Options(timeout=5.0))
    made = aw.configure(store, embedded=False)
    yield made
    made.close()


def put(ctx: Any) -> None:
    ctx.connection.execute("INSERT INTO orders VALUES (%s, %s)", (ctx.step_key, ctx.attempt))


def attempts(url: str) -> list[int]:
    return [attempt for (attempt,) in sql(url, "SELECT attempt FROM orders ORDER BY attempt")]


def test_an_answer_to_the_commit_that_is_lost(
    engine: aw.Engine, url: str, postgres_proxy: FaultProxy
) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> int:
            put(self.ctx)
            postgres_proxy.cut_after = b"COMMIT"
            return int(self.ctx.attempt)

        @aw.step
        def ship(self) -> None: ...

    execution = Flow.start()
    engine.run_until_idle()
    assert postgres_proxy.cuts == 1
    assert (execution.refresh().state, execution.steps["order"].result) == ("completed", 1)
    assert attempts(url) == [1]


@pytest.mark.parametrize("cut", [b"COMMIT", b"RELEASE", b"json_to_recordset"])
def test_a_connection_that_breaks_before_the_commit(
    engine: aw.Engine, url: str, postgres_proxy: FaultProxy, cut: bytes
) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> int:
            put(self.ctx)
            if self.ctx.attempt == 1:
                postgres_proxy.cut_before = cut
            return int(self.ctx.attempt)

    execution = Flow.start()
    engine.run_until_idle()
    assert postgres_proxy.cuts == 1
    assert (execution.refresh().state, execution.steps["order"].result) == ("completed", 2)
    assert attempts(url) == [2]


def test_ended_backends_lose_and_repeat_nothing(url: str) -> None:
    class Flow(aw.Workflow):
        first = aw.task(put, transactional=True)
        second = aw.task(put, transactional=True)
        third = aw.task(put, transactional=True)

    over = threading.Event()

    def end_backends() -> None:
        while not over.wait(0.05):
            terminate_all(url)

    with aw.Engine(url, poll_interval="50ms", concurrency=8) as engine:
        ids = [x.id for x in engine.start_many(Flow, [{} for _ in range(200)])]
        killer = threading.Thread(target=end_backends)
        killer.start()
        try:
            states = {_waited(engine, id) for id in ids}
        finally:
            over.set()
            killer.join()
        assert states == {"completed"}
        tried = sum(step.attempts for id in ids for step in engine.get(id).steps.values())
    keys = [key for (key,) in sql(url, "SELECT key FROM orders ORDER BY key")]
    assert keys == sorted(f"{id}:{name}" for id in ids for name in ("first", "second", "third"))
    assert tried >= len(keys)


def _waited(engine: aw.Engine, id: str) -> str:
    while True:
        try:
            return str(engine.get(id).wait(timeout=60).state)
        except StoreUnavailable:
            continue
