"""Brings a database's tables up to date: numbered ``.sql`` files, each applied once.

All that is missing is applied in one transaction, which a row of the table of migrations guards: whoever
comes at the same time waits for it, and then finds everything done. A crash leaves nothing half done.
"""

import time

from psycopg.errors import DuplicateObject, DuplicateSchema, DuplicateTable, UndefinedTable, UniqueViolation

from active_workflow.errors import SchemaError
from active_workflow.store.generations import refuse_earlier, refuse_later
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.names import Names
from active_workflow.store.statements import numbered

_TABLE = """
CREATE TABLE IF NOT EXISTS aw_migrations (
  version integer PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
_HAS_SCHEMA = b"SELECT FROM pg_namespace WHERE nspname = $1"
"""Asked first: to `CREATE SCHEMA IF NOT EXISTS` takes the right to make one even where it is there."""
_GUARD = "INSERT INTO aw_migrations (version, name) VALUES (0, 'guard') ON CONFLICT DO NOTHING"
_LOCK = "SELECT version FROM aw_migrations WHERE version = 0 FOR UPDATE"
_VERSION = "SELECT coalesce(max(version), 0) FROM aw_migrations"
_RECORD = "INSERT INTO aw_migrations (version, name) VALUES ($1::int, $2)"
_TRIES = 50


def migrations() -> tuple[tuple[int, str, str], ...]:
    """Give all migrations of this version, in order: number, name, SQL."""
    return numbered("active_workflow.store.postgres")


def migrate(link: Link, names: Names, where: str) -> list[str]:
    """Apply what is missing, and give its names; a database of a later version is refused.

    Raises:
        SchemaError: A later version of the library made the tables.
    """
    newest = migrations()[-1][0]
    if _version(link, names, where, newest) == newest:
        return []
    applied = []
    _make_guard(link, names)
    with link.transaction():
        link.run(b"SET LOCAL lock_timeout = 0")
        link.run(names.put_into(_LOCK))
        version = _version(link, names, where, newest)
        for number, name, text in migrations():
            if number > version:
                link.script(names.put_into(text))
                link.run(names.put_into(_RECORD), [str(number), name])
                applied.append(name)
    return applied


def check_tables(link: Link, names: Names, where: str) -> None:
    """Raise SchemaError unless the tables are of this version; nothing is made or changed."""
    newest = migrations()[-1][0]
    version = _version(link, names, where, newest)
    refuse_earlier(where, version, newest)


def _version(link: Link, names: Names, where: str, newest: int) -> int:
    """Give the version of the tables, 0 for none; refuse one that this library doesn't know."""
    try:
        ((version,),) = link.rows(names.put_into(_VERSION))
    except UndefinedTable:
        return 0
    refuse_later(where, version, newest)
    found: int = version
    return found


def _make_guard(link: Link, names: Names) -> None:
    """Make the table that guards the rest. Of two that come at once one may fail, and finds it made."""
    for _ in range(_TRIES):
        try:
            if names.schema is not None and not link.rows(_HAS_SCHEMA, [names.schema]):
                link.run(f'CREATE SCHEMA IF NOT EXISTS "{names.schema}"'.encode())
            link.run(names.put_into(_TABLE))
            link.run(names.put_into(_GUARD))
            return
        except (UniqueViolation, DuplicateTable, DuplicateObject, DuplicateSchema):
            time.sleep(0.02)
    raise SchemaError("the table of migrations can't be made: others make and remove it all the time")
