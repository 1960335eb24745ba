"""`start(connection=…)`: what is started exists only if the caller's own transaction commits."""

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

import active_workflow as aw
from active_workflow.errors import DataRejected, NotCommitted, StoreUnavailable
from tests.servers.postgres import PostgresServer
from tests.store import callers
from tests.store.callers import AWAITED, KINDS, Caller

done: list[Any] = []


class JoinedOnce(aw.Workflow, idempotency_key=lambda ctx: ctx.get("key")):
    @aw.step
    def work(self):
        done.append(self.ctx.n)


class JoinedAgain(aw.Workflow, idempotency_key=lambda ctx: ctx.key, key_reuse="terminal"):
    nothing = aw.task(lambda ctx: None)


class JoinedWait(aw.Workflow):
    approval = aw.wait_for_signal(timeout="1h")


QUICK = {
    *(callers.sqlite3_as_it_is, callers.psycopg_as_it_is, callers.alchemy_session, callers.django_alias),
    *(callers.awaited_psycopg, callers.awaited_session),
}


def marked(kinds: dict[str, tuple[Any, ...]]) -> list[Any]:
    slow = [pytest.mark.slow]
    marks = {"sqlite": [], "postgres": [pytest.mark.services], "mysql": [pytest.mark.services, *slow]}
    return [
        pytest.param(
            (store, kind),
            id=f"{store}-{kind.__name__}",
            marks=[*marks[store], *([] if kind in QUICK else slow)],
        )
        for store, several in kinds.items()
        for kind in several
    ]


def url_of(store: str, request: pytest.FixtureRequest) -> str:
    if store == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/joined.db"
    return str(request.getfixturevalue(f"prepared_{store}_url"))


def prepared(url: str, **options: Any) -> aw.Engine:
    # Of a commit elsewhere all but MariaDB's store hear by themselves.
    engine = aw.configure(url, poll_interval="200ms" if url.startswith("mysql") else "5s", **options)
    engine.store.prepare()
    done.clear()
    return engine


class Place:
    def __init__(self, engine: aw.Engine, url: str, caller: Caller | None = None) -> None:
        self.engine, self.url, self.caller = engine, url, caller

    @property
    def connection(self) -> Any:
        return self.caller.connection

    def count(self) -> int:
        return len(list(self.engine.find()))


@pytest.fixture(params=marked(KINDS))
def place(request) -> Iterator[Place]:
    store, kind = request.param
    url = url_of(store, request)
    engine = prepared(url)
    with kind(url) as caller:
        yield Place(engine, url, caller)
    engine.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def store(request) -> Iterator[Place]:
    url = url_of(request.param, request)
    engine = prepared(url)
    yield Place(engine, url)
    engine.close()


# --- Every kind of connection -----------------------------------------------------------------------


def test_after_a_commit_it_runs_and_soon(place):
    execution = JoinedOnce.start({"n": 1}, connection=place.connection)
    assert place.count() == 0
    place.caller.commit()
    began = time.monotonic()
    assert execution.wait("20s").state == "completed"
    assert done == [1]
    assert time.monotonic() - began < 4, "it was found by polling: nobody heard of the commit"


def test_after_a_rollback_there_is_nothing_and_the_key_is_free(place):
    execution = JoinedOnce.start({"n": 1, "key": "k"}, connection=place.connection)
    place.caller.rollback()
    assert place.count() == 0
    with pytest.raises(NotCommitted, match="was rolled back"):
        execution.wait("5s")
    again = JoinedOnce.start({"n": 2, "key": "k"}).wait("20s")
    assert again != execution
    assert done == [2]


def test_before_the_commit_each_call_says_what_is_missing(place):
    execution = JoinedWait.start({}, connection=place.connection)
    for call in (
        execution.wait,
        execution.refresh,
        lambda: aw.get(execution.id),
        lambda: execution.signal("approval"),
    ):
        with pytest.raises(NotCommitted, match="isn't committed yet"):
            call()
    place.caller.commit()
    assert execution.signal("approval")
    assert execution.wait("20s").state == "completed"


def test_the_caller_s_own_rows_and_several_starts_share_a_transaction(place):
    place.caller.run("CREATE TABLE orders (id integer)")
    place.caller.run("INSERT INTO orders VALUES (1)")
    first = JoinedOnce.start({"n": 1}, connection=place.connection)
    rest = JoinedOnce.start_many([{"n": 2}, {"n": 3}], connection=place.connection)
    place.caller.run("INSERT INTO orders VALUES (2)")
    place.caller.commit()
    for execution in (first, *rest):
        assert execution.wait("20s").state == "completed"
    assert sorted(done) == [1, 2, 3]


def test_a_key_of_the_same_transaction_gives_the_same_execution(place):
    first = JoinedOnce.start({"n": 1, "key": "k%?$1"}, connection=place.connection)
    second = JoinedOnce.start({"n": 1, "key": "k%?$1"}, connection=place.connection)
    assert first == second
    assert second.ctx.n == 1
    with pytest.raises(aw.IdempotencyConflict):
        JoinedOnce.start({"n": 2, "key": "k%?$1"}, connection=place.connection)
    place.caller.commit()
    assert first.wait("20s").state == "completed"
    assert place.count() == 1


def test_a_conflict_starts_nothing_and_leaves_the_transaction_alive(place):
    holder = JoinedOnce.start({"n": 1, "key": "held"}).wait("20s")
    assert JoinedOnce.start({"n": 1, "key": "held"}, connection=place.connection) == holder
    with pytest.raises(aw.IdempotencyConflict, match=holder.id):
        JoinedOnce.start_many([{"n": 5, "key": "new"}, {"n": 2, "key": "held"}], connection=place.connection)
    skipping = JoinedOnce.start_many(
        [{"n": 6, "key": "free"}, {"n": 2, "key": "held"}], connection=place.connection, on_conflict="skip"
    )
    assert skipping[1] == holder
    place.caller.commit()
    skipping[0].wait("20s")
    assert sorted(done) == [1, 6]
    assert place.count() == 2


def test_a_key_whose_holder_has_ended_is_taken_over(place):
    before = JoinedAgain.start(key="k").wait("20s")
    after = JoinedAgain.start({"key": "k"}, connection=place.connection)
    assert after != before
    place.caller.commit()
    assert after.wait("20s").state == "completed"


def test_refused_data_leaves_the_transaction_as_it_was(place):
    JoinedOnce.start({"n": 1}, connection=place.connection)
    with pytest.raises(DataRejected):
        JoinedOnce.start_many([{"n": 2}, {"n": 3}], connection=place.connection, tags={"bad": "\ud800"})
    JoinedOnce.start({"n": 4}, connection=place.connection)
    place.caller.commit()
    assert place.count() == 2


def test_nothing_of_the_connection_is_changed(place):
    connection = place.connection
    names = ("row_factory", "text_factory", "isolation_level", "autocommit", "prepare_threshold")
    before = [getattr(connection, name, None) for name in names]
    JoinedOnce.start({"n": 1}, connection=connection)
    assert [getattr(connection, name, None) for name in names] == before
    place.caller.rollback()


# --- One kind each ----------------------------------------------------------------------------------


def test_autocommit_outside_a_transaction_says_what_to_do(store):
    if store.url.startswith("sqlite"):
        connection: Any = sqlite3.connect(callers.path_of(store.url), isolation_level=None)
    else:
        connection = psycopg.connect(store.url, autocommit=True)
    engine = sa.create_engine(callers.alchemy_url(store.url), isolation_level="AUTOCOMMIT")
    alias = callers.use_django(store.url)["shop"]
    with contextlib.closing(connection), engine.connect() as alchemy, contextlib.closing(alias):
        for one, remedy in (
            (connection, "transaction|BEGIN"),
            (alchemy, "isolation level"),
            ("shop", "atomic"),
        ):
            with pytest.raises(aw.MisuseError, match=remedy):
                JoinedOnce.start({"n": 1}, connection=one)
    engine.dispose()
    assert store.count() == 0


def test_what_is_no_connection_is_told_what_is(store):
    for wrong in (5, "nowhere", sa.create_engine("sqlite://"), store.engine):
        with pytest.raises(Exception, match=r"give a|exist"):
            JoinedOnce.start({"n": 1}, connection=wrong)


def test_memory_can_t_join():
    with aw.configure("memory://"), pytest.raises(aw.ConfigurationError, match="MemoryStore"):
        JoinedOnce.start({"n": 1}, connection=sqlite3.connect(":memory:"))


def test_another_database_is_refused_before_anything_is_written(store, tmp_path):
    other = sqlite3.connect(tmp_path / "other.db")
    for wrong in (other, sqlite3.connect(":memory:")):
        with pytest.raises(aw.ConfigurationError, match="executions are kept in"):
            JoinedOnce.start({"n": 1}, connection=wrong)
        assert wrong.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        assert not wrong.in_transaction
        wrong.close()
    engine = sa.create_engine("sqlite://")
    with engine.connect() as alchemy, pytest.raises(aw.ConfigurationError, match="executions are kept in"):
        JoinedOnce.start({"n": 1}, connection=alchemy)
    engine.dispose()


def test_an_asynchronous_connection_has_to_be_awaited(store):
    async def start() -> None:
        async with (
            AWAITED["sqlite"][0](store.url)
            if store.url.startswith("sqlite")
            else AWAITED["postgres"][0](store.url) as caller
        ):
            with pytest.raises(aw.MisuseError, match="start_async"):
                JoinedOnce.start({"n": 1}, connection=caller.connection)

    asyncio.run(start())


def test_a_savepoint_that_is_rolled_back_takes_its_start_with_it(store):
    told: list[str] = []
    forget = aw.subscribe("*.execution.started", lambda event: told.append(event.execution_id))
    engine = sa.create_engine(callers.alchemy_url(store.url))
    with Session(engine) as session:
        session.execute(sa.text("CREATE TABLE orders (id integer)"))
        session.execute(sa.text("INSERT INTO orders VALUES (1)"))
        kept = JoinedOnce.start({"n": 1}, connection=session)
        with session.begin_nested():
            nested = JoinedOnce.start({"n": 2}, connection=session)
        with contextlib.suppress(KeyError), session.begin_nested():
            JoinedOnce.start({"n": 3}, connection=session)
            raise KeyError
        assert told == []
        session.commit()
        kept.wait("20s")
        nested.wait("20s")
        again = JoinedOnce.start({"n": 4}, connection=session)
        session.rollback()
        session.commit()
    engine.dispose()
    assert sorted(done) == [1, 2]
    deadline = time.monotonic() + 5
    while len(told) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(told) == sorted([kept.id, nested.id])
    assert again.id not in told
    forget()


@pytest.mark.parametrize("one", marked(AWAITED))
def test_awaited_kinds(one, request):
    name, kind = one
    url = url_of(name, request)
    engine = prepared(url)

    async def story() -> None:
        async with kind(url) as caller:
            gone = await JoinedOnce.start_async({"n": 0, "key": "k"}, connection=caller.connection)
            await caller.rollback()
            with pytest.raises(NotCommitted):
                await gone.wait_async("5s")
            first = await JoinedOnce.start_async({"n": 1, "key": "k"}, connection=caller.connection)
            same = await JoinedOnce.start_async({"n": 1, "key": "k"}, connection=caller.connection)
            assert first == same
            with pytest.raises(aw.IdempotencyConflict):
                await aw.start_async("JoinedOnce", {"n": 2, "key": "k"}, connection=caller.connection)
            more = await aw.start_many_async(JoinedOnce, [{"n": 3}, {"n": 4}], connection=caller.connection)
            await caller.commit()
            for execution in (first, *more):
                assert (await execution.wait_async("20s")).state == "completed"

    asyncio.run(story())
    engine.close()
    assert sorted(done) == [1, 3, 4]


@pytest.mark.parametrize("kind", [callers.sqlite3_as_it_is, callers.alchemy_session])
def test_a_synchronous_connection_may_be_used_in_async_code(kind, tmp_path):
    url = f"sqlite:///{tmp_path}/joined.db"
    with prepared(url) as engine, kind(url) as caller:

        async def story() -> aw.Execution:
            return await engine.start_async(JoinedOnce, {"n": 1}, connection=caller.connection)

        execution = asyncio.run(story())
        caller.commit()
        assert execution.wait("20s").state == "completed"


# --- SQLite -----------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path) -> Iterator[Place]:
    url = f"sqlite:///{tmp_path}/joined.db"
    engine = prepared(url)
    yield Place(engine, url)
    engine.close()


def test_a_transaction_that_has_read_what_is_old_says_how_to_begin(file):
    with callers.sqlite3_after_begin(file.url) as caller:
        caller.run("SELECT count(*) FROM aw_executions").fetchall()
        JoinedOnce.start({"n": 1}).wait("20s")
        with pytest.raises(StoreUnavailable, match="BEGIN IMMEDIATE"):
            JoinedOnce.start({"n": 2}, connection=caller.connection)


def test_after_an_error_no_lock_is_left_that_the_caller_has_not_taken(file):
    JoinedOnce.start({"n": 1, "key": "k"}).wait("20s")
    with callers.sqlite3_as_it_is(file.url) as caller:
        with pytest.raises(aw.IdempotencyConflict):
            JoinedOnce.start({"n": 2, "key": "k"}, connection=caller.connection)
        assert not caller.connection.in_transaction


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sqlite3 has no autocommit before 3.12")
def test_the_newer_autocommit_attribute_decides(file):
    path = callers.path_of(file.url)
    with contextlib.closing(sqlite3.connect(path, autocommit=False)) as connection:
        execution = JoinedOnce.start({"n": 1}, connection=connection)
        connection.commit()
        assert execution.wait("20s").state == "completed"
    with contextlib.closing(sqlite3.connect(path, autocommit=True)) as connection:
        with pytest.raises(aw.MisuseError, match="BEGIN"):
            JoinedOnce.start({"n": 2}, connection=connection)
        connection.execute("BEGIN")
        execution = JoinedOnce.start({"n": 2}, connection=connection)
        connection.execute("COMMIT")
        assert execution.wait("20s").state == "completed"


def test_a_file_attached_to_another_is_not_joined(file, tmp_path):
    other = sqlite3.connect(tmp_path / "other.db")
    with contextlib.closing(other):
        other.execute("ATTACH ? AS flows", [callers.path_of(file.url)])
        with pytest.raises(aw.ConfigurationError, match=r"other\.db"):
            JoinedOnce.start({"n": 1}, connection=other)


def test_a_session_whose_engine_begins_by_itself_is_joined(file):
    engine = sa.create_engine(callers.alchemy_url(file.url))

    @sa.event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    with Session(engine) as session:
        execution = JoinedOnce.start({"n": 1}, connection=session)
        session.commit()
    engine.dispose()
    assert execution.wait("20s").state == "completed"


# --- PostgreSQL -------------------------------------------------------------------------------------


@pytest.fixture
def server(prepared_postgres_url) -> Iterator[Place]:
    engine = prepared(prepared_postgres_url)
    yield Place(engine, prepared_postgres_url)
    engine.close()


@pytest.mark.services
def test_another_database_or_search_path_is_refused_and_the_transaction_lives(server, postgres_server):
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS elsewhere CASCADE")
        connection.execute("CREATE SCHEMA elsewhere CREATE TABLE aw_executions (id int)")
        other = connection.execute("SELECT current_database() <> 'postgres'").fetchone()
    assert other == (True,)
    maintenance = psycopg.connect(server.url, dbname="postgres")
    for connection, told in (
        (maintenance, "the database 'postgres'"),
        (psycopg.connect(server.url, options="-c search_path=nowhere"), "finds no table"),
        (psycopg.connect(server.url, options="-c search_path=elsewhere"), "another table"),
    ):
        with contextlib.closing(connection):
            with pytest.raises(aw.ConfigurationError, match=told):
                JoinedOnce.start({"n": 1}, connection=connection)
            assert connection.execute("SELECT 1").fetchone() == (1,)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA elsewhere CASCADE")
    assert server.count() == 0


@pytest.mark.services
def test_tables_made_at_another_time_are_another_server_s(server):
    JoinedOnce.start({"n": 1}).wait("20s")
    with psycopg.connect(server.url) as connection:
        first = JoinedOnce.start({"n": 2}, connection=connection)
        connection.execute("UPDATE aw_migrations SET applied_at = applied_at + interval '1 s'")
        with pytest.raises(aw.ConfigurationError, match="another server"):
            JoinedOnce.start({"n": 3}, connection=connection)
    assert isinstance(first, aw.Execution)


@pytest.mark.services
def test_others_are_not_held_up_by_a_first_start_that_lasts(server):
    class OnlyHere(aw.Workflow):
        nothing = aw.task(lambda ctx: None)

    with psycopg.connect(server.url) as connection:
        OnlyHere.start({}, connection=connection)
        assert OnlyHere.start().wait("5s").state == "completed"
        connection.rollback()


@pytest.mark.services
def test_a_key_that_another_takes_at_this_moment_is_waited_for_without_an_error(server):
    with psycopg.connect(server.url) as first, psycopg.connect(server.url) as second:
        one = JoinedOnce.start({"n": 1, "key": "k"}, connection=first)

        async def both() -> aw.Execution:
            other = asyncio.create_task(
                asyncio.to_thread(JoinedOnce.start, {"n": 1, "key": "k"}, connection=second)
            )
            await asyncio.sleep(0.3)
            assert not other.done()
            first.commit()
            return await other

        assert asyncio.run(both()) == one
        assert second.execute("SELECT 1").fetchone() == (1,)
    one.wait("20s")
    assert done == [1]


@pytest.mark.services
def test_under_a_schema_and_prefix_of_its_own(postgres_url, postgres_server: PostgresServer):
    mark = "&" if "?" in postgres_url else "?"
    engine = prepared(f"{postgres_url}{mark}schema=flows&prefix=own_")
    with engine, psycopg.connect(postgres_url) as connection:
        execution = JoinedOnce.start({"n": 1}, connection=connection)
        connection.commit()
        assert execution.wait("20s").state == "completed"
