"""Brings a database's tables up to date: numbered ``.sql`` files, each applied once.

The server commits each change of a table by itself, so a crash may leave a migration half done. Whoever comes
next does it again from its beginning: a statement whose work is done already says so, and is passed over.
Whoever comes at the same time waits; where servers share no locks (in a cluster), the same rule holds.
"""

import hashlib

import pymysql  # type: ignore[import-untyped]

from active_workflow.errors import SchemaError, StoreUnavailable
from active_workflow.store.generations import refuse_later
from active_workflow.store.mysql.connection import Link
from active_workflow.store.mysql.failures import ALREADY_DONE, NO_TABLE, code_of
from active_workflow.store.mysql.statement import Listed, Statement, Statements
from active_workflow.store.statements import numbered, without_comments

_TABLE = """
CREATE TABLE IF NOT EXISTS aw_migrations (
  version INT NOT NULL PRIMARY KEY,
  name VARCHAR(200) NOT NULL,
  applied_at DATETIME(6) NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
"""
_VERSION = "SELECT COALESCE(MAX(version), 0) FROM aw_migrations"
_RECORD = (
    "INSERT INTO aw_migrations (version, name, applied_at) VALUES (:version, :name, UTC_TIMESTAMP(6)) "
    "ON DUPLICATE KEY UPDATE name = VALUES(name)"
)
_LOCK = "SELECT GET_LOCK(CONCAT(:name, LEFT(SHA1(DATABASE()), 20)), 600)"
_TABLES = ("migrations", "plans", "kinds", "executions", "steps", "signals", "keys")
_ENGINES = (
    "SELECT table_name, engine FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_name IN :tables AND engine <> 'InnoDB'"
)


def migrations() -> tuple[tuple[int, str, str], ...]:
    """Give all migrations of this version, in order: number, name, SQL."""
    return numbered("active_workflow.store.mysql")


def migrate(link: Link, say: Statements, where: str) -> None:
    """Apply what is missing; a database of a later version is refused.

    Raises:
        SchemaError: A later version of the library made the tables, or another engine than InnoDB has them.
    """
    newest = migrations()[-1][0]
    if _version(link, say, where, newest) < newest:
        lock = f"active_workflow {hashlib.sha1(say.prefix.encode(), usedforsecurity=False).hexdigest()[:20]}"
        if link.rows(Statement(_LOCK, {"name": lock})) != ((1,),):
            raise StoreUnavailable(f"{where}: another process has been changing the tables for ten minutes")
        _run(link, say, _TABLE)
        version = _version(link, say, where, newest)
        for number, name, text in migrations():
            if number > version:
                for statement in without_comments(text).split(";\n"):
                    _run(link, say, statement)
                link.run(Statement(say.put_into(_RECORD), {"version": number, "name": name}))
    tables = Listed([f"{say.prefix}{name}" for name in _TABLES])
    for table, engine in link.rows(Statement(_ENGINES, {"tables": tables})):
        raise SchemaError(
            f"{where}: the table {table} is kept by the engine {engine}, which has no transactions: "
            "ALTER TABLE … ENGINE=InnoDB"
        )


def _version(link: Link, say: Statements, where: str, newest: int) -> int:
    """Give the version of the tables, 0 for none; refuse one that this library doesn't know."""
    try:
        ((version,),) = link.rows(Statement(say.put_into(_VERSION), {}))
    except pymysql.Error as error:
        if code_of(error) != NO_TABLE:
            raise
        return 0
    refuse_later(where, version, newest)
    found: int = version
    return found


def _run(link: Link, say: Statements, text: str) -> None:
    """Run a statement of a migration, unless its work is done already."""
    try:
        link.run(Statement(say.put_into(text), {}))
    except pymysql.Error as error:
        if code_of(error) not in ALREADY_DONE:
            raise
