"""Servers are prepared by `active-workflow migrate` alone: all else says so, and makes nothing."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import active_workflow as aw
from active_workflow.engine.copying import copy_executions
from active_workflow.errors import SchemaError
from active_workflow.store import MemoryStore, open_store
from active_workflow.store.readiness import ChecksTables
from active_workflow.testing.store_contract.races import at_once
from tests.servers.postgres import PostgresServer
from tests.store import mysql_help, postgres_help

pytestmark = [pytest.mark.services, pytest.mark.slow]

ADVICE = r"run `active-workflow migrate --store …` with its URL"


class PreparedGreet(aw.Workflow):
    @aw.step
    def hello(self) -> None: ...


def _postgres_has(url: str, _request: pytest.FixtureRequest) -> list[Any]:
    return postgres_help.sql(url, "SELECT relname FROM pg_class WHERE relname LIKE 'aw\\_%'")


def _mysql_has(url: str, _request: pytest.FixtureRequest) -> list[Any]:
    return mysql_help.sql(url, "SHOW TABLES")


def _redis_has(_url: str, request: pytest.FixtureRequest) -> list[Any]:
    with request.getfixturevalue("redis_server").client() as client:
        return list(client.keys("*"))


KINDS: dict[str, tuple[list[str], Callable[[str, pytest.FixtureRequest], list[Any]]]] = {
    "postgres": (["0001_initial"], _postgres_has),
    "mysql": (["0001_initial"], _mysql_has),
    "redis": (["format 1"], _redis_has),
}
"""What is applied to an empty server, and what gives all that is in it."""


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    return str(request.getfixturevalue(f"{kind}_url"))


@pytest.fixture
def there(kind: str, url: str, request: pytest.FixtureRequest) -> Callable[[], list[Any]]:
    """Gives all that is in the database."""
    return lambda: KINDS[kind][1](url, request)


def migrate(url: str, folder: Path) -> str:
    command = [sys.executable, "-m", "active_workflow", "migrate", "--store", url]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return ran.stderr + ran.stdout


def test_migrate_makes_it_and_says_what_it_applied(kind, url, there, tmp_path) -> None:
    (name,) = KINDS[kind][0]
    assert migrate(url, tmp_path) == f"applied {name}\nThe store is ready.\n"
    before = there()
    assert migrate(url, tmp_path) == "The store is ready.\n"
    assert there() == before
    with aw.Engine(url) as engine:
        assert engine.start(PreparedGreet, {}).wait(timeout=20).state == "completed"


def test_of_several_at_once_one_applies_it(kind, url) -> None:
    stores = [open_store(url) for _ in range(6)]
    applied: list[str] = []
    at_once(*(lambda store=store: applied.extend(store.prepare() or ()) for store in stores))
    assert applied == KINDS[kind][0]
    for store in stores:
        assert isinstance(store, ChecksTables)
        store.check()
        store.close()


@pytest.mark.parametrize(
    "act",
    [
        lambda engine: engine.start(PreparedGreet, {}),
        lambda engine: engine.start_many(PreparedGreet, [{}, {}]),
        lambda engine: engine.get("x1"),
        lambda engine: list(engine.find()),
        lambda engine: engine.cancel("x1"),
        lambda engine: engine.signal("x1", "go"),
        lambda engine: engine.complete_step("x1", "hello"),
        lambda engine: engine.prune(older_than="1d"),
        lambda engine: engine.run_until_idle(),
        lambda engine: engine.start_worker(),
        lambda engine: engine.store.check(),
        lambda engine: copy_executions(MemoryStore(), engine.store),
        lambda engine: copy_executions(engine.store, MemoryStore()),
    ],
    ids=["start", "start_many", "get", "find", "cancel", "signal", "complete", "prune", "run", "worker",
         "check", "copy to", "copy from"],
)  # fmt: skip
def test_all_else_says_what_to_run(url, there, act) -> None:
    with aw.Engine(url, embedded=False) as engine, pytest.raises(SchemaError, match=ADVICE):
        act(engine)
    assert there() == []


@pytest.mark.parametrize(
    "command",
    [
        *(["list"], ["show", "x"], ["worker", "flows"], ["start", "Greet", "--module", "flows"]),
        *(["signal", "x", "go"], ["copy", "--from", "sqlite:///mine.db", "--to"]),
    ],
    ids=lambda command: command[0],
)
def test_commands_say_so_in_one_line(url, there, command, tmp_path) -> None:
    (tmp_path / "flows.py").write_text(
        "import active_workflow as aw\nclass Greet(aw.Workflow):\n  hello = aw.task(lambda ctx: 1)\n"
    )
    with closing(open_store(f"sqlite:///{tmp_path}/mine.db")) as mine:
        mine.prepare()
    arguments = [*command, url] if command[0] == "copy" else [*command, "--store", url]
    command = [sys.executable, "-m", "active_workflow", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert ended.returncode == 1
    assert "run `active-workflow migrate --store …` with its URL" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert there() == []


def test_a_user_who_may_not_make_tables_needs_to_make_none(postgres_server: PostgresServer) -> None:
    url = postgres_server.empty_database()
    with closing(open_store(url)) as store:
        store.prepare()
    sql = postgres_help.sql
    sql(url, "CREATE ROLE only_uses LOGIN")
    sql(url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    sql(url, "GRANT USAGE ON SCHEMA public TO only_uses")
    sql(url, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO only_uses")
    with aw.Engine(f"{url}{'&' if '?' in url else '?'}user=only_uses") as engine:
        assert engine.start(PreparedGreet, {}).wait(timeout=20).state == "completed"
    sql(url, "DROP OWNED BY only_uses")
    sql(url, "DROP ROLE only_uses")
