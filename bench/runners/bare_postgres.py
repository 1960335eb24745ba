"""The engine's driver, and one commit for each step."""

import time

import psycopg

from bench.runners.bare import ACTIVE, AHEAD, PATCH, Bare, measure

TABLES = """
CREATE TABLE executions (id text COLLATE "C" PRIMARY KEY, state text, active text, seq bigint,
  revision bigint) WITH (fillfactor = 60);
CREATE TABLE steps (execution_id text COLLATE "C", name text COLLATE "C", position integer, state text,
  seq bigint, attempts bigint, patch text, started_at bigint, finished_at bigint,
  PRIMARY KEY (execution_id, name));
"""
EXECUTIONS = (
    "INSERT INTO executions SELECT '01a20bf3-' || lpad(n::text, 27, '0'), 'running', '[]', 0, 1"
    f" FROM generate_series(0, {AHEAD - 1}) AS series(n)"
)
COMMIT = """
WITH e AS (UPDATE executions SET state = 'running', active = %s, seq = %s, revision = revision + 1
            WHERE id = %s RETURNING id, seq)
INSERT INTO steps SELECT id, 'step' || seq, seq, 'completed', seq, 1, %s, %s, %s FROM e
"""


class BarePostgres(Bare):
    """psycopg alone: one commit for each step."""

    TUNED = "both rows in one prepared statement, which is its own transaction; one connection, one thread"

    def prepare(self) -> None:
        self.connection = psycopg.connect(self.url, autocommit=True, prepare_threshold=0)
        self.connection.execute(TABLES, prepare=False)
        self.connection.execute(EXECUTIONS)
        self.connection.execute("ANALYZE")

    def commit(self) -> None:
        id, seq = f"01a20bf3-{self.number // 5 % AHEAD:027d}", self.number + 1
        self.number += 1
        now = time.time_ns() // 1000
        self.connection.execute(COMMIT, (ACTIVE, seq, id, PATCH, now, now))


if __name__ == "__main__":
    measure(BarePostgres)
