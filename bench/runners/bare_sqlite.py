"""The same sqlite3, file system and settings as the engine's, and one commit for each step."""

import sqlite3
import time

from bench.runners.bare import ACTIVE, AHEAD, PATCH, Bare, measure


class BareSqlite(Bare):
    """sqlite3 alone: one commit for each step."""

    TUNED = "WAL with synchronous=FULL, as the engine has it; tables without rowid; one thread"

    def prepare(self) -> None:
        self.connection = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute(
            "CREATE TABLE executions (id TEXT PRIMARY KEY, state TEXT, active TEXT, seq INTEGER,"
            " revision INTEGER) WITHOUT ROWID"
        )
        self.connection.execute(
            "CREATE TABLE steps (execution_id TEXT, name TEXT, position INTEGER, state TEXT, seq INTEGER,"
            " attempts INTEGER, patch TEXT, started_at INTEGER, finished_at INTEGER,"
            " PRIMARY KEY (execution_id, name)) WITHOUT ROWID"
        )
        with self.connection:
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.executemany(
                "INSERT INTO executions VALUES (?, 'running', '[]', 0, 1)",
                [(f"01a20bf3-{number:027d}",) for number in range(AHEAD)],
            )

    def commit(self) -> None:
        id, seq = f"01a20bf3-{self.number // 5 % AHEAD:027d}", self.number + 1
        self.number += 1
        now = time.time_ns() // 1000
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.execute(
            "UPDATE executions SET state = 'running', active = ?, seq = ?, revision = revision + 1"
            " WHERE id = ?",
            (ACTIVE, seq, id),
        )
        self.connection.execute(
            "INSERT INTO steps VALUES (?, ?, ?, 'completed', ?, 1, ?, ?, ?)",
            (id, f"step{seq}", seq, seq, PATCH, now, now),
        )
        self.connection.execute("COMMIT")


if __name__ == "__main__":
    measure(BareSqlite)
