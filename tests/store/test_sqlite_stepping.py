"""A transaction of a step on SQLite whose time ends while the step is busy with it."""

import sqlite3
import threading
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from active_workflow.store.sqlite.store import SqliteStore

ROUNDS = 30
SECONDS = 0.01
OVER = r"interrupted|time of this step is over"


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    made = SqliteStore(tmp_path / "steps.db")
    made.prepare()
    with sqlite3.connect(tmp_path / "steps.db") as connection:
        connection.execute("CREATE TABLE seen (n INTEGER)")
    return made


def test_it_is_rolled_back_between_two_statements(store: SqliteStore) -> None:
    for n in range(ROUNDS):
        with store.step_transaction(SECONDS) as transaction:
            with pytest.raises(sqlite3.OperationalError, match=OVER):
                insert_all(transaction.connection, repeat((n,)))
            with pytest.raises(sqlite3.OperationalError, match="the time of this step is over"):
                transaction.connection.execute("INSERT INTO seen VALUES (?)", (n,))
    assert rows(store) == 0


def test_it_is_rolled_back_amid_a_statement(store: SqliteStore) -> None:
    endless = "WITH RECURSIVE more (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more) SELECT sum(n) FROM more"
    with store.step_transaction(SECONDS) as transaction:
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            transaction.connection.execute(endless).fetchall()
        assert transaction.late


def test_it_is_rolled_back_amid_rows_that_are_read(store: SqliteStore) -> None:
    endless = "WITH RECURSIVE more (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more) SELECT n FROM more"
    with store.step_transaction(SECONDS) as transaction:
        cursor = transaction.connection.cursor()
        with pytest.raises(sqlite3.OperationalError, match=OVER):
            insert_all(transaction.connection, cursor.execute(endless))
        cursor.close()
    assert rows(store) == 0


def test_it_is_rolled_back_amid_rows_that_come_slowly(store: SqliteStore) -> None:
    pause = threading.Event()
    slow = ((n,) for n in range(10_000) if not pause.wait(0.001))
    with store.step_transaction(SECONDS) as transaction:
        with pytest.raises(sqlite3.OperationalError, match=OVER):
            transaction.connection.executemany("INSERT INTO seen VALUES (?)", slow)
        assert next(slow)[0] < 1_000
    assert rows(store) == 0


def test_its_cursors_are_of_its_own_kind(store: SqliteStore) -> None:
    with store.step_transaction(None) as transaction:
        transaction.connection.executemany("INSERT INTO seen VALUES (?)", [(1,), (2,), (3,)])
        cursor = transaction.connection.cursor().execute("SELECT n FROM seen ORDER BY n")
        assert (cursor.fetchone(), cursor.fetchmany(), list(cursor)) == ((1,), [(2,)], [(3,)])
        with pytest.raises(TypeError, match="takes no factory"):
            transaction.connection.cursor(sqlite3.Cursor)
    assert rows(store) == 0


def insert_all(connection: Any, given: Iterable[tuple[int]]) -> None:
    for row in given:
        connection.execute("INSERT INTO seen VALUES (?)", row)


def rows(store: SqliteStore) -> int:
    with sqlite3.connect(store.path) as connection:
        [found] = connection.execute("SELECT count(*) FROM seen").fetchone()
    return int(found)
