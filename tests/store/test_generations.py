"""A store and processes of other generations: older tables are brought up to date, newer ones left alone.

The later version is a process of its own, which knows a migration more; it dies where a test wants it to.
"""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import active_workflow as aw
from active_workflow.errors import SchemaError
from active_workflow.store import open_store
from active_workflow.store.base import Query
from active_workflow.testing.store_contract.base import claim, insert

LATER = """
import os, signal, sys
from importlib import import_module
from active_workflow.store import open_store
from active_workflow.store.base import Query

kind, url, dies = sys.argv[1:]
migrate = import_module(f"active_workflow.store.{kind}.migrate")
known = migrate.migrations()
number = known[-1][0] + 1
text = "ALTER TABLE aw_executions ADD COLUMN later TEXT;\\nUPDATE aw_executions SET later = state;\\n"


class Migrations(tuple):
    def __iter__(self):
        yield from tuple.__iter__(self)
        if dies == "dies":  # all has been done, and nothing is committed
            os.kill(os.getpid(), signal.SIGKILL)


later = Migrations((*known, (number, f"{number:04}_later", text)))
migrate.migrations = lambda: later
store = open_store(url)
store.prepare()
print(*sorted(x.id for x in store.find(Query())))
store.close()
"""


@dataclass
class Place:
    """Where a store is, and what is in it without the library's help."""

    kind: str
    url: str

    def ask(self, statement: str) -> list[Any]:
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
                return connection.execute(statement).fetchall()
        import psycopg  # noqa: PLC0415 - an extra

        with psycopg.connect(self.url) as connection:
            return connection.execute(statement.encode()).fetchall()

    @property
    def version(self) -> int:
        [(version,)] = self.ask("SELECT max(version) FROM aw_migrations")
        return int(version)

    def later(self, *, dies: bool = False) -> subprocess.Popen[str]:
        """Start a process of the later version."""
        return subprocess.Popen(
            [sys.executable, "-c", LATER, self.kind, self.url, "dies" if dies else "lives"],
            env=os.environ | {"PYTHONPATH": str(Path(aw.__file__).parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


PLACES = {
    "sqlite": lambda _request, folder: f"sqlite:///{folder}/store.db",
    "postgres": lambda request, _folder: str(request.getfixturevalue("postgres_url")),
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def place(request, tmp_path) -> Place:
    """A store of this version with two executions in it, one of them in a worker's hands."""
    found = Place(request.param, PLACES[request.param](request, tmp_path))
    with closing(open_store(found.url)) as store:
        store.prepare()
        insert(store, "x1", "x2")
        assert claim(store, limit=1) == ["x1"]
    return found


def test_a_later_version_brings_older_tables_up_to_date(place) -> None:
    before = place.version
    for _ in range(2):  # once done, there is nothing to do
        process = place.later()
        assert (process.communicate()[0], process.returncode) == ("x1 x2\n", 0)
        assert place.version == before + 1
    assert place.ask("SELECT id, later FROM aw_executions ORDER BY id") == [
        ("x1", "pending"),
        ("x2", "pending"),
    ]


def test_a_crash_in_the_midst_of_a_migration_leaves_the_older_version(place) -> None:
    before = place.version
    process = place.later(dies=True)
    assert (process.communicate()[0], process.returncode) == ("", -signal.SIGKILL)
    assert place.version == before
    with closing(open_store(place.url)) as store:  # this version goes on with it
        store.prepare()
        assert claim(store, "w2") == ["x2"]
        assert store.find(Query())[0].token == 1
    process = place.later()
    assert (process.communicate()[0], process.returncode) == ("x1 x2\n", 0)
    assert place.version == before + 1


def test_many_at_once_of_which_some_die_migrate_once(place) -> None:
    before = place.version
    processes = [place.later(dies=number % 2 == 0) for number in range(6)]
    codes = {process.wait(60) for process in processes}
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
    assert codes <= {0, -signal.SIGKILL}
    assert 0 in codes
    assert place.version == before + 1
    assert place.ask(f"SELECT count(*) FROM aw_migrations WHERE version > {before}") == [(1,)]


def test_tables_of_a_later_version_are_refused_and_left_alone(place) -> None:
    process = place.later()
    assert process.wait(60) == 0
    process.communicate()
    rows = "SELECT * FROM aw_executions ORDER BY id"
    before = place.ask(rows)

    class Greet(aw.Workflow):
        hello = aw.task(lambda ctx: None)

    with closing(open_store(place.url)) as store:
        for _ in range(2):
            with pytest.raises(
                SchemaError, match=f"tables of version {place.version}, made by a later .* upgrade"
            ):
                store.prepare()
    for act in (
        lambda engine: engine.start(Greet, {}),
        lambda engine: engine.get("x1"),
        lambda engine: list(engine.find()),
        lambda engine: engine.cancel("x1"),
        lambda engine: engine.run_until_idle(),
    ):
        with aw.Engine(place.url, embedded=False) as engine, pytest.raises(SchemaError, match="upgrade"):
            act(engine)
    assert place.ask(rows) == before
