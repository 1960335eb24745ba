"""`start(connection=…)` on MariaDB and MySQL: what is peculiar to their transactions."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

import active_workflow as aw
from tests.servers.mariadb import MariaDBServer
from tests.store.callers import alchemy_url, connect_pymysql
from tests.store.mysql_help import sql

pytestmark = [pytest.mark.services, pytest.mark.slow]


class JoinedMaria(aw.Workflow, idempotency_key=lambda ctx: ctx.get("key")):
    @aw.step
    def work(self) -> None:
        self.ctx.done = True


class JoinedMariaAgain(aw.Workflow, idempotency_key=lambda ctx: ctx.key, key_reuse="terminal"):
    nothing = aw.task(lambda ctx: None)


@pytest.fixture
def engine(prepared_mysql_url: str) -> Iterator[aw.Engine]:
    engine = aw.configure(prepared_mysql_url, poll_interval="100ms")
    yield engine
    engine.close()


def test_autocommit_outside_a_transaction_says_what_to_do(engine: aw.Engine, mysql_url: str) -> None:
    alchemy = sa.create_engine(alchemy_url(mysql_url), isolation_level="AUTOCOMMIT")
    with (
        contextlib.closing(connect_pymysql(mysql_url, autocommit=True)) as plain,
        alchemy.connect() as connection,
    ):
        for one in (plain, connection):
            with pytest.raises(aw.MisuseError, match=r"begin\(\)"):
                JoinedMaria.start({"n": 1}, connection=one)
    alchemy.dispose()
    assert list(engine.find()) == []


def test_another_place_is_refused(engine: aw.Engine, mariadb_server: MariaDBServer, mysql_url: str) -> None:
    elsewhere = mariadb_server.new_database()
    other_server = MariaDBServer()
    try:
        other_server.start()
        sql(other_server.new_database(), "CREATE DATABASE test_one")
        with aw.Engine(other_server.url("test_one"), embedded=False) as other:
            other.store.prepare()
        for url, words in (
            (elsewhere, "the database 'test_"),
            (other_server.url("test_one"), "another server"),
        ):
            with (
                contextlib.closing(connect_pymysql(url)) as connection,
                pytest.raises(aw.ConfigurationError, match=words),
            ):
                JoinedMaria.start({"n": 1}, connection=connection)
    finally:
        other_server.remove()
    with (
        contextlib.closing(connect_pymysql(mysql_url, charset="latin1")) as narrow,
        pytest.raises(aw.ConfigurationError, match="utf8mb4"),
    ):
        JoinedMaria.start({"n": 1}, connection=narrow)
    assert list(engine.find()) == []


def test_a_connection_to_something_else_is_refused(engine: aw.Engine) -> None:
    other = sa.create_engine("sqlite://")
    with other.connect() as connection, pytest.raises(aw.ConfigurationError, match="executions are kept in"):
        JoinedMaria.start({"n": 1}, connection=connection)
    other.dispose()
    with pytest.raises(aw.ConfigurationError, match="give a Connection of PyMySQL"):
        JoinedMaria.start({"n": 1}, connection=pymysql.cursors.Cursor(None))


def test_unusual_text_arrives_whatever_the_session_is_set_to(engine: aw.Engine, mysql_url: str) -> None:
    text = "it's \\' \\\\ \" %s :id -- ; é 漢字 😀 \x1f"
    for mode in ("", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"):
        with contextlib.closing(connect_pymysql(mysql_url, sql_mode=mode)) as connection:
            found = JoinedMaria.start({"n": text, "key": text + mode}, connection=connection)
            connection.commit()
        assert engine.get(found.id).ctx.n == text
        assert found.wait("20s").ctx.done


def test_what_is_too_long_is_refused_where_the_session_would_cut_it(
    engine: aw.Engine, mysql_url: str
) -> None:
    with contextlib.closing(connect_pymysql(mysql_url, sql_mode="")) as connection:
        with pytest.raises(aw.errors.DataRejected, match="too long"):
            JoinedMaria.start({"key": "k" * 2_000}, connection=connection)
        with pytest.raises(aw.errors.DataRejected, match="max_allowed_packet"):
            JoinedMaria.start({"n": "x" * 9_000_000}, connection=connection)
        kept = JoinedMaria.start({"key": "k"}, connection=connection)
        connection.commit()
    assert kept.wait("20s").state == "completed"


def test_a_key_that_was_taken_since_the_transaction_began_to_read(engine: aw.Engine, mysql_url: str) -> None:
    with contextlib.closing(connect_pymysql(mysql_url)) as connection:
        connection.cursor().execute("SELECT count(*) FROM aw_executions")  # what it sees stays so
        holder = JoinedMaria.start({"n": 1, "key": "k"})
        assert JoinedMaria.start({"n": 1, "key": "k"}, connection=connection) == holder
        with pytest.raises(aw.IdempotencyConflict, match=holder.id):
            JoinedMaria.start({"n": 2, "key": "k"}, connection=connection)
        ended = JoinedMariaAgain.start(key="again").wait("20s")
        taker = JoinedMariaAgain.start({"key": "again"}, connection=connection)
        assert taker != ended
        connection.commit()
    assert taker.wait("20s").state == "completed"
    assert len(list(engine.find())) == 3


def test_whoever_wants_the_same_key_waits_and_gets_what_was_committed(
    engine: aw.Engine, mysql_url: str
) -> None:
    got: list[Any] = []
    with (
        contextlib.closing(connect_pymysql(mysql_url)) as one,
        contextlib.closing(connect_pymysql(mysql_url)) as two,
    ):
        first = JoinedMaria.start({"n": 1, "key": "k"}, connection=one)
        waiting = [
            threading.Thread(
                target=lambda: got.append(JoinedMaria.start({"n": 1, "key": "k"}, connection=two))
            ),
            threading.Thread(target=lambda: got.append(JoinedMaria.start({"n": 1, "key": "k"}))),
        ]
        for thread in waiting:
            thread.start()
        waiting[0].join(0.3)
        assert got == []
        one.commit()
        for thread in waiting:
            thread.join(20)
        two.commit()
    assert got == [first, first]
    assert len(list(engine.find())) == 1


def test_free_keys_of_callers_who_begin_together_don_t_meet(engine: aw.Engine, mysql_url: str) -> None:
    """A look with a lock at a key that isn't there would lock the gap for both, and then stop both."""
    with (
        contextlib.closing(connect_pymysql(mysql_url)) as one,
        contextlib.closing(connect_pymysql(mysql_url)) as two,
    ):
        JoinedMaria.start({"n": 1, "key": "k5"}, connection=one)
        JoinedMaria.start({"n": 1, "key": "k6"}, connection=two)
        JoinedMaria.start({"n": 1, "key": "k7"}, connection=one)
        JoinedMaria.start({"n": 1, "key": "k4"}, connection=two)
        one.commit()
        two.commit()
    assert len(list(engine.find())) == 4
