"""Transactional steps: what a step writes and that it is done are one commit, or neither happens."""

import importlib.util
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypedDict

import pytest

import active_workflow as aw
from active_workflow.errors import ConfigurationError, MisuseError, StepTransactionError
from active_workflow.store.joining import opening
from tests.semantics.conftest import SERVERS, STORES

DATABASES = ["sqlite", "postgres"]


class Orders:
    """A user's table in the store's database, seen over a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.mark = "?" if url.startswith("sqlite") else "%s"
        self.sql("CREATE TABLE IF NOT EXISTS orders (key text, attempt int)")
        self.sql("DELETE FROM orders")

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        if self.url.startswith("sqlite"):
            connection = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
            try:
                return connection.execute(statement).fetchall()
            finally:
                connection.close()
        from tests.store.postgres_help import sql  # noqa: PLC0415 - needs an extra

        return sql(self.url, statement)

    def put(self, ctx: Any) -> None:
        """What steps do: a row for each attempt."""
        insert = f"INSERT INTO orders VALUES ({self.mark}, {self.mark})"
        ctx.connection.execute(insert, (ctx.step_key, ctx.attempt))

    @property
    def rows(self) -> list[tuple[str, int]]:
        found = self.sql("SELECT key, attempt FROM orders ORDER BY key, attempt")
        return [(key.partition(":")[2], attempt) for key, attempt in found]


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.slow] if name in SERVERS else []) for name in DATABASES]
)
def store_url(request: Any, tmp_path: Any) -> str:
    return STORES[request.param](request, tmp_path)


@pytest.fixture
def postgres_only(store_url: str) -> None:
    if store_url.startswith("sqlite"):
        pytest.skip("one who writes to SQLite keeps all others out: nobody can come in between")


@pytest.fixture
def orders(store_url: str, engine: Any) -> Orders:
    engine.store.prepare()
    return Orders(store_url)


@pytest.fixture
def live_orders(store_url: str, live: aw.Engine) -> Orders:
    live.store.prepare()
    return Orders(store_url)


# --- Both or neither ------------------------------------------------------------------------------------


def test_what_a_step_writes_is_committed_with_its_completion(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> dict[str, int]:
            orders.put(self.ctx)
            self.ctx.seen = orders.rows  # over another connection: not yet
            return {"number": 7}

        @aw.step
        def ship(self) -> int:
            self.ctx.seen_later = orders.rows
            return self.ctx.number + 1

    done = engine.run(Flow.start())
    assert (done.state, done.result, done.ctx.number) == ("completed", 8, 7)
    assert done.ctx.seen == []
    assert done.ctx.seen_later == orders.rows == [("order", 1)]
    assert done.steps["order"].attempts == 1


def test_nothing_of_an_attempt_that_raises_is_kept(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True, retry=aw.Retry(max=3, delay=0))
        def order(self) -> None:
            orders.put(self.ctx)
            self.ctx.kept = self.ctx.attempt
            if self.ctx.attempt < 3:
                raise ValueError("not yet")

    done = engine.run(Flow.start())
    assert (done.state, done.ctx.kept) == ("completed", 3)
    assert orders.rows == [("order", 3)]


def test_a_step_that_fails_for_good_leaves_nothing_to_be_undone(
    engine: Any, orders: Orders, log: list[Any]
) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            orders.put(self.ctx)
            raise ValueError("no")

        @order.compensate
        def cancel_order(self) -> None:
            log.append("undone")

    assert engine.run(Flow.start()).state == "failed"
    assert (orders.rows, log) == ([], [])


@pytest.mark.parametrize("value", [float("nan"), "\ud800"], ids=["no JSON", "no text"])
def test_a_result_that_cannot_be_recorded_takes_the_effect_with_it(
    engine: Any, orders: Orders, value: Any
) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True, retry=aw.Retry(max=3, delay=0))
        def order(self) -> Any:
            orders.put(self.ctx)
            return value

    failed = engine.run(Flow.start())
    assert (failed.state, failed.steps["order"].attempts, orders.rows) == ("failed", 1, [])


def test_a_condition_that_says_no_leaves_nothing(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True, when=orders.put)
        def order(self) -> None: ...

    done = engine.run(Flow.start())
    assert (done.state, done.steps["order"].state, orders.rows) == ("completed", "skipped", [])


def test_its_undo_runs_in_a_transaction_too(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True, undo_retry=aw.Retry(max=2, delay=0))
        def order(self) -> str:
            orders.put(self.ctx)
            return "here"

        @order.compensate
        def cancel_order(self, result: str) -> None:
            assert result == "here"
            self.ctx.connection.execute("DELETE FROM orders")
            orders.put(self.ctx)
            if self.ctx.attempt == 1:
                raise ValueError("once more")

        @aw.step
        def ship(self) -> None:
            raise ValueError("no")

    failed = engine.run(Flow.start())
    assert (failed.state, failed.steps["order"].state) == ("failed", "compensated")
    assert orders.rows == [("order", 2)]


def test_an_execution_of_its_own(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.task(transactional=True, fire_and_forget=True)
        @staticmethod
        def order(ctx: Any) -> None:
            orders.put(ctx)

    assert engine.run(Flow.start()).state == "completed"
    assert orders.rows == [("order", 1)]


def test_two_that_write_one_key_of_ctx(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        with aw.parallel():

            @aw.step(transactional=True)
            def first(self) -> None:
                orders.put(self.ctx)
                self.ctx.shared = 1

            @aw.step(transactional=True)
            def second(self) -> None:
                orders.put(self.ctx)
                self.ctx.shared = 2

    failed = engine.run(Flow.start(shared=0))
    assert (failed.state, failed.error.type) == ("failed", "ContextConflict")
    assert len(orders.rows) == 1


# --- The end of the transaction is the engine's ---------------------------------------------------------


@pytest.mark.parametrize("how", ["commit", "rollback", "close", "with", "script"])
def test_a_step_may_not_end_its_transaction(engine: Any, orders: Orders, how: str) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True, retry=aw.Retry(max=3, delay=0))
        def order(self) -> None:
            orders.put(self.ctx)
            connection = self.ctx.connection
            if how == "with":
                with connection:
                    pass
            elif how == "script" and isinstance(connection, sqlite3.Connection):
                connection.executescript("SELECT 1")
            else:
                getattr(connection, how if how != "script" else "commit")()

    failed = engine.run(Flow.start())
    assert (failed.state, failed.error.type) == ("failed", "StepTransactionError")
    assert "committed with the step's completion, when the step returns" in failed.error.message
    assert (orders.rows, failed.steps["order"].attempts) == ([], 1)  # another attempt would do the same


@pytest.mark.parametrize("ends", ["COMMIT", "ROLLBACK"])
@pytest.mark.parametrize("raises", [False, True])
def test_a_step_that_ends_it_behind_our_back(
    engine: Any, orders: Orders, ends: str, raises: bool, log: list[Any]
) -> None:
    """SQLite asks us about each statement, so nothing has happened; PostgreSQL only shows it afterwards."""

    class Flow(aw.Workflow):
        @aw.step(transactional=True, retry=aw.Retry(max=3, delay=0))
        def order(self) -> None:
            orders.put(self.ctx)
            self.ctx.connection.execute(ends)
            orders.put(self.ctx)
            if raises:
                raise ValueError("as well")

        @order.compensate
        def cancel_order(self, result: Any) -> None:
            log.append(result)

    failed = engine.run(Flow.start())
    assert (failed.state, failed.error.type) == ("failed", "StepTransactionError")
    assert "as a statement" in failed.error.message
    assert failed.steps["order"].attempts == 1
    if orders.url.startswith("sqlite"):
        assert (orders.rows, log) == ([], [])
    else:  # what it wrote before stays, it is not run again, and its undo is asked to see to it
        assert orders.rows == ([("order", 1)] if ends == "COMMIT" else [])
        assert log == [None]


def test_savepoints_are_the_steps_own(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            execute = self.ctx.connection.execute
            orders.put(self.ctx)
            execute("SAVEPOINT mine")
            orders.put(self.ctx)
            execute("ROLLBACK TO SAVEPOINT mine")
            execute("RELEASE SAVEPOINT mine")
            if orders.mark == "%s":
                with self.ctx.connection.transaction(force_rollback=True):
                    orders.put(self.ctx)

    assert engine.run(Flow.start()).state == "completed"
    assert orders.rows == [("order", 1)]


def test_what_a_step_sets_on_its_connection_is_gone_with_it(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            if orders.mark == "%s":
                self.ctx.connection.execute("SET SESSION search_path = nowhere")
                self.ctx.connection.execute("SET LOCAL ROLE pg_monitor")
            self.ctx.connection.row_factory = lambda *_: pytest.fail("asked about a row of ours")

        @aw.step(transactional=True)
        def again(self) -> None:
            orders.put(self.ctx)
            [row] = self.ctx.connection.execute("SELECT attempt FROM orders").fetchall()
            assert row == (1,)

    done = engine.run(Flow.start())
    assert done.state == "completed", done.error


@pytest.mark.usefixtures("postgres_only")
def test_a_failed_statement_that_was_passed_over(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            orders.put(self.ctx)
            with pytest.raises(Exception, match="nowhere"):
                self.ctx.connection.execute("SELECT * FROM nowhere")

    failed = engine.run(Flow.start())
    assert (failed.state, failed.error.type, orders.rows) == ("failed", "InFailedSqlTransaction", [])


def test_a_commit_that_the_database_refuses_is_the_steps_error(engine: Any, orders: Orders) -> None:
    if orders.mark == "%s":
        orders.sql("DROP TABLE IF EXISTS lines; DROP TABLE IF EXISTS heads")
    orders.sql("CREATE TABLE heads (id int PRIMARY KEY)")
    orders.sql("CREATE TABLE lines (head int REFERENCES heads DEFERRABLE INITIALLY DEFERRED)")

    class Flow(aw.Workflow):
        @aw.step(transactional=True, retry=aw.Retry(max=2, delay=0))
        def order(self) -> None:
            orders.put(self.ctx)
            if orders.mark == "?":
                self.ctx.connection.execute("PRAGMA defer_foreign_keys = ON")
            head = 1 if self.ctx.attempt == 1 else None
            self.ctx.connection.execute(f"INSERT INTO lines VALUES ({orders.mark})", (head,))

    done = engine.run(Flow.start())
    if orders.mark == "?":  # SQLite looks at foreign keys only where it was told before the transaction
        assert (done.state, orders.rows) == ("completed", [("order", 1)])
    else:
        assert (done.state, orders.rows) == ("completed", [("order", 2)])
        assert done.steps["order"].attempts == 2


# --- Others come in between -----------------------------------------------------------------------------


@pytest.mark.usefixtures("postgres_only")
def test_an_event_from_outside_is_kept_beside_the_completion(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            orders.put(self.ctx)
            engine.signal(self.ctx.execution_id, "approval", payload="yes")

        approval = aw.wait_for_signal()

    done = engine.run(Flow.start())
    assert (done.state, done.ctx.approval) == ("completed", "yes")
    assert (orders.rows, done.steps["order"].attempts) == ([("order", 1)], 1)


@pytest.mark.usefixtures("postgres_only")
def test_a_cancel_while_it_runs_undoes_it_afterwards(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            orders.put(self.ctx)
            engine.cancel(self.ctx.execution_id)

        @order.compensate
        def cancel_order(self) -> None:
            self.ctx.connection.execute("DELETE FROM orders")

        @aw.step
        def ship(self) -> None:
            pytest.fail("it was cancelled")

    cancelled = engine.run(Flow.start())
    assert (cancelled.state, cancelled.steps["order"].state) == ("cancelled", "compensated")
    assert orders.rows == []


@pytest.mark.usefixtures("postgres_only")
def test_whoever_has_lost_the_lease_commits_nothing(engine: Any, orders: Orders, clock: Any) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> int:
            orders.put(self.ctx)
            if self.ctx.attempt == 1:
                clock.advance("1h")
                others = aw.Engine(orders.url, embedded=False, clock=clock)
                thread = threading.Thread(target=others.run_until_idle)
                thread.start()
                thread.join(20)
                others.close()
            return int(self.ctx.attempt)

    done = engine.run(Flow.start())
    assert (done.state, done.result) == ("completed", 2)
    assert orders.rows == [("order", 2)]


@pytest.mark.usefixtures("postgres_only")
def test_a_conflict_with_others_is_not_the_steps_failure(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            orders.put(self.ctx)
            if self.ctx.attempt < 3:
                raised = "BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = '40001'; END"
                self.ctx.connection.execute(f"DO $$ {raised} $$")

    done = engine.run(Flow.start())
    assert (done.state, orders.rows) == ("completed", [("order", 3)])


@pytest.mark.usefixtures("postgres_only")
def test_a_connection_that_breaks_is_not_the_steps_failure(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            orders.put(self.ctx)
            if self.ctx.attempt == 1:
                orders.sql(f"SELECT pg_terminate_backend({self.ctx.connection.info.backend_pid})")
            orders.put(self.ctx)

    done = engine.run(Flow.start())
    assert (done.state, orders.rows) == ("completed", [("order", 2), ("order", 2)])


# --- Time -----------------------------------------------------------------------------------------------


@pytest.fixture
def hasty(store_url: str) -> Iterator[aw.Engine]:
    """An engine whose leases are short: on SQLite no transaction takes longer than a third of one."""
    made = aw.configure(store_url, poll_interval="50ms", lease="900ms")
    yield made
    made.close()


def test_a_step_whose_time_is_over_is_rolled_back(hasty: aw.Engine, store_url: str) -> None:
    hasty.store.prepare()
    orders, settled, left = Orders(store_url), threading.Event(), threading.Event()

    class Flow(aw.Workflow):
        @aw.step(transactional=True, timeout="200ms", retry=aw.Retry(max=3, delay=0))
        def order(self) -> None:
            orders.put(self.ctx)
            if self.ctx.attempt == 1:
                assert settled.wait(20)  # on SQLite nobody could write meanwhile, were it not rolled back
                left.set()

    execution = Flow.start()
    try:
        done = execution.wait(timeout=15)
        assert (done.state, orders.rows) == ("completed", [("order", 2)])
    finally:
        settled.set()
    assert left.wait(20)
    hasty.drain()
    assert (execution.refresh().steps["order"].attempts, orders.rows) == (2, [("order", 2)])


def test_no_statement_counts_after_that(hasty: aw.Engine, store_url: str, log: list[Any]) -> None:
    if not store_url.startswith("sqlite"):
        pytest.skip("there it is rolled back when the step has returned")
    hasty.store.prepare()
    orders, left = Orders(store_url), threading.Event()

    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            with suppress(sqlite3.Error):
                while self.ctx.connection.in_transaction:
                    orders.put(self.ctx)
            try:
                orders.put(self.ctx)
            except sqlite3.DatabaseError as error:
                log.append(str(error))
            finally:
                left.set()

    failed = Flow.start().wait(timeout=15)
    assert left.wait(20)  # the step is told at its next statement, which may come after the verdict
    told = "the time of this step is over and its transaction was rolled back: nothing that it writes counts"
    assert (failed.state, failed.error.type) == ("failed", "TimeoutError")
    assert (orders.rows, log) == ([], [told])


def test_side_by_side(live: aw.Engine, live_orders: Orders, log: list[Any]) -> None:
    inside = threading.Semaphore(1)

    def put(ctx: Any) -> None:
        alone = inside.acquire(blocking=False)
        try:
            live_orders.put(ctx)
            assert alone or live_orders.mark == "%s"
        finally:
            if alone:
                inside.release()

    class Flow(aw.Workflow):
        with aw.parallel():
            one = aw.task(put, transactional=True)
            two = aw.task(put, transactional=True)
            three = aw.task(lambda ctx: log.append("beside"))

    executions = [Flow.start() for _ in range(10)]
    assert {execution.wait(timeout=20).state for execution in executions} == {"completed"}
    assert sorted(live_orders.rows) == sorted([("one", 1), ("two", 1)] * 10)
    assert len(log) == 10


# --- What else belongs to it ----------------------------------------------------------------------------


@pytest.mark.parametrize("said", [False, True], ids=["by itself", "connection="])
def test_a_start_inside_joins_the_transaction(engine: Any, orders: Orders, said: bool) -> None:
    class Child(aw.Workflow):
        @aw.step
        def go(self) -> None: ...

    class Flow(aw.Workflow):
        @aw.step(transactional=True, retry=aw.Retry(max=2, delay=0))
        def order(self) -> None:
            options = {"connection": self.ctx.connection} if said else {}
            self.ctx.child = Child.start({"number": 1}, **options).id
            if self.ctx.attempt == 1:
                raise ValueError("once more")

    done = engine.run(Flow.start())
    assert done.state == "completed", done.error
    assert [x.id for x in engine.find(workflow="Child")] == [done.ctx.child]
    assert engine.get(done.ctx.child).state == "completed"
    assert engine.get(done.ctx.child).parent_id == done.id


def test_a_child_is_woken_by_the_commit(live: aw.Engine, live_orders: Orders) -> None:
    class Child(aw.Workflow):
        @aw.step
        def go(self) -> None: ...

    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            live_orders.put(self.ctx)
            self.ctx.child = Child.start().id

    done = Flow.start().wait(timeout=20)
    assert live.get(done.ctx.child).wait(timeout=20).state == "completed"


def test_other_writes_from_inside_are_told_where_they_could_only_wait(engine: Any, orders: Orders) -> None:
    if orders.mark == "%s":
        pytest.skip("nobody is kept from writing")

    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            with pytest.raises(MisuseError, match="make it after the step"):
                engine.signal(self.ctx.execution_id, "go")
            assert engine.get(self.ctx.execution_id).steps["order"].state == "running"

        go = aw.wait_for_signal()

    assert engine.run(Flow.start()).state == "waiting"


def test_subscribers_and_waiters_learn_of_it(live: aw.Engine, live_orders: Orders) -> None:
    told: list[str] = []
    heard = threading.Event()

    def hear(event: aw.Event) -> None:
        told.append(f"{event.name.removeprefix('active_workflow.')} {event.step or ''}".strip())
        if event.name.endswith("execution.completed"):
            heard.set()

    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None:
            live_orders.put(self.ctx)

    end = aw.subscribe("active_workflow.*", hear)
    try:
        assert Flow.start().wait(timeout=20).state == "completed"
        assert heard.wait(20)
    finally:
        end()
    assert told == [
        "execution.created",
        "execution.started",
        "step.started order",
        "step.completed order",
        "execution.completed",
    ]


# --- What a step is handed ------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["", "commit", "rollback", "close"])
def test_a_session(engine: Any, orders: Orders, ends: str) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")

    class Base(orm.DeclarativeBase):  # type: ignore[misc,name-defined]
        pass

    class Order(Base):
        __tablename__ = "orders"
        key = sqlalchemy.Column(sqlalchemy.Text, primary_key=True)
        attempt = sqlalchemy.Column(sqlalchemy.Integer)

    class Flow(aw.Workflow):
        @aw.step(transactional="session")
        def order(self) -> None:
            session = self.ctx.connection
            assert isinstance(session, orm.Session)
            session.add(Order(key=self.ctx.step_key, attempt=self.ctx.attempt))
            with session.begin_nested() as nested:
                session.add(Order(key="other", attempt=1))
                nested.rollback()
            if ends:
                getattr(session, ends)()

        @aw.step(transactional="session")
        def again(self) -> None:
            assert self.ctx.connection.scalars(sqlalchemy.select(Order)).one().attempt == 1

    done = engine.run(Flow.start())
    if ends:
        assert (done.state, done.error.type, orders.rows) == ("failed", "StepTransactionError", [])
    else:
        assert (done.state, orders.rows) == ("completed", [("order", 1)])


def test_without_sqlalchemy_it_says_what_to_install(
    live: aw.Engine, live_orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_there(name: str) -> Any:
        if "sqlalchemy" in name:
            raise ModuleNotFoundError(name)
        return importlib.import_module(name)

    class Flow(aw.Workflow):
        @aw.step(transactional="session")
        def order(self) -> None:
            live_orders.put(self.ctx)

    monkeypatch.setattr(opening, "import_module", not_there)
    failed = Flow.start().wait(timeout=20)
    assert (failed.state, failed.error.type, live_orders.rows) == ("failed", "ConfigurationError", [])
    assert "pip install" in failed.error.message


@dataclass
class DataInfo(aw.CtxInfo):
    number: int = 0


class DictInfo(TypedDict, total=False):
    number: int


def ctx_types() -> list[Any]:
    found: list[Any] = [DataInfo, DictInfo]
    if importlib.util.find_spec("msgspec"):
        import msgspec  # noqa: PLC0415 - needs an extra

        found.append(msgspec.defstruct("StructInfo", [("number", int, 0)]))
    if importlib.util.find_spec("pydantic"):
        import pydantic  # noqa: PLC0415 - needs an extra

        found.append(pydantic.create_model("ModelInfo", number=(int, 0)))
    return found


@pytest.mark.parametrize("info", ctx_types(), ids=lambda info: info.__name__)
def test_a_typed_ctx_and_deeper_code(engine: Any, orders: Orders, info: Any) -> None:
    class Flow(aw.Workflow, ctx=info):
        @aw.step(transactional=True)
        def order(self) -> dict[str, int]:
            orders.put(self.ctx)
            assert aw.current().connection is self.ctx.connection
            return {"number": 7}

        @aw.step
        def after(self) -> None:
            with pytest.raises(AttributeError, match="connection"):
                _ = self.ctx.connection
            assert aw.current().connection is None

    done = engine.run(engine.start(Flow, {}))
    assert (done.state, done.ctx["number"], orders.rows) == ("completed", 7, [("order", 1)]), done.error


def test_elsewhere_it_is_a_key_like_any_other(engine: Any, orders: Orders) -> None:
    class Flow(aw.Workflow):
        @aw.step
        def order(self) -> None:
            assert self.ctx.connection == "by train"
            self.ctx.connection = "by ship"

    done = engine.run(engine.start(Flow, {"connection": "by train"}))
    assert (done.state, done.ctx["connection"], orders.rows) == ("completed", "by ship", [])


def test_a_store_without_transactions_says_so_at_the_start() -> None:
    class Flow(aw.Workflow):
        @aw.step(transactional=True)
        def order(self) -> None: ...

    told = r"MemoryStore runs none: use sqlite:///"
    with aw.Engine("memory://", embedded=False) as engine, pytest.raises(ConfigurationError, match=told):
        engine.start(Flow, {})


def test_the_error_is_for_good() -> None:
    assert issubclass(StepTransactionError, aw.NonRetryable)
