"""The yardstick: what one commit for each step costs with the same sqlite3, file system and settings.

Each commit updates one row and inserts one, with the bytes that the engine writes for a step.
"""

import sqlite3
import time
from pathlib import Path

ACTIVE = '[{"name":"two","state":"running","run":{"attempts":1,"running":true,"started_at":1790000000000000}}'
PATCH = '{"two":"0123456789"}'


def open_bare(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE executions (id TEXT PRIMARY KEY, state TEXT, active TEXT, seq INTEGER,"
        " revision INTEGER) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE steps (execution_id TEXT, name TEXT, position INTEGER, state TEXT, seq INTEGER,"
        " attempts INTEGER, patch TEXT, started_at INTEGER, finished_at INTEGER,"
        " PRIMARY KEY (execution_id, name)) WITHOUT ROWID"
    )
    return connection


def commit_steps(connection: sqlite3.Connection, count: int, first: int = 0) -> float:
    """Make so many commits, one step each; give the seconds they took."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT OR IGNORE INTO executions VALUES (?, 'running', '[]', 0, 1)",
        [(f"01a20bf3-{number:027d}",) for number in range(first, first + count // 5 + 1)],
    )
    connection.execute("COMMIT")
    began = time.perf_counter()
    for number in range(count):
        id = f"01a20bf3-{first + number // 5:027d}"
        seq = number % 5 + 1
        now = time.time_ns() // 1000
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "UPDATE executions SET state = 'running', active = ?, seq = ?, revision = revision + 1"
            " WHERE id = ?",
            (ACTIVE, seq, id),
        )
        connection.execute(
            "INSERT INTO steps VALUES (?, ?, ?, 'completed', ?, 1, ?, ?, ?)",
            (id, f"step{seq}", seq, seq, PATCH, now, now),
        )
        connection.execute("COMMIT")
    return time.perf_counter() - began
