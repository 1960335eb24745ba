"""Tables of the MariaDB and MySQL store: how they are made, what their URLs say, and what they refuse."""

from contextlib import suppress

import pymysql
import pytest

from active_workflow.errors import ActiveWorkflowError, ConfigurationError, SchemaError, StoreUnavailable
from active_workflow.store import open_store
from active_workflow.store.base import NewExecution, Query
from active_workflow.store.mysql import migrate as migrating
from active_workflow.store.mysql.connection import Link
from active_workflow.store.mysql.database import Address, Database, Options
from active_workflow.store.mysql.statement import Statement
from active_workflow.store.mysql.store import MySQLStore
from active_workflow.testing.store_contract.builders import execution
from active_workflow.testing.store_contract.races import at_once
from tests.store.mysql_help import sql
from tests.store.server_help import claim, insert

pytestmark = [pytest.mark.services, pytest.mark.slow]

ADDRESS = Address("ada", "s3cret", "127.0.0.1", 1, "shop")


def test_many_may_prepare_at_once(mysql_url: str) -> None:
    stores = [open_store(mysql_url) for _ in range(6)]
    at_once(*(store.prepare for store in stores))
    assert sql(mysql_url, "SELECT version FROM aw_migrations") == [(1,)]
    insert(stores[0], "x1")
    assert [it.id for it in stores[1].load(["x1"])] == ["x1"]
    for store in stores:
        store.close()


class CrashError(Exception):
    """Stands for the end of the process."""


def test_a_migration_may_crash_between_any_two_statements(
    mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server keeps each change of a table at once: whoever comes next finds a part of them."""
    run = Link.run
    for crash_at in range(1, 30):
        sql(mysql_url, "DROP TABLE IF EXISTS aw_migrations, aw_plans, aw_kinds, aw_executions, aw_steps")
        sql(mysql_url, "DROP TABLE IF EXISTS aw_signals, aw_keys")
        left = [crash_at]

        def crashing(link: Link, *statements: Statement, left: list[int] = left) -> object:
            left[0] -= 1
            if not left[0]:
                raise CrashError
            return run(link, *statements)

        monkeypatch.setattr(Link, "run", crashing)
        with suppress(CrashError):
            open_store(mysql_url).prepare()
        monkeypatch.setattr(Link, "run", run)
        store = open_store(mysql_url)
        store.prepare()
        insert(store, "x1")
        assert [it.id for it in store.load(["x1"])] == ["x1"]
        store.close()
        if left[0] > 0:
            break
    else:
        raise AssertionError("it never came to its end")
    assert crash_at > 8


def test_a_later_migration_is_added(mysql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(mysql_url)
    store.prepare()
    insert(store, "x1")
    more = "-- A comment; with a semicolon.\nCREATE TABLE aw_more (id INT);\nALTER TABLE aw_more ADD a INT;\n"
    whole = migrating.migrations()
    monkeypatch.setattr(migrating, "migrations", lambda: (*whole, (2, "0002_more", more)))
    sql(mysql_url, "CREATE TABLE aw_more (id INT, a INT)")  # a crash came after its last statement
    store.prepare()
    assert sql(mysql_url, "SELECT max(version) FROM aw_migrations") == [(2,)]
    assert [it.id for it in store.load(["x1"])] == ["x1"]
    store.close()


def test_a_newer_schema_is_refused(mysql_url: str) -> None:
    store = open_store(mysql_url)
    store.prepare()
    sql(mysql_url, "INSERT INTO aw_migrations VALUES (999, 'later', NOW())")
    with pytest.raises(SchemaError, match=r"version 999.*upgrade"):
        store.prepare()


def test_an_engine_without_transactions_is_refused(mysql_url: str) -> None:
    open_store(mysql_url).prepare()
    sql(mysql_url, "ALTER TABLE aw_steps ENGINE = Aria")
    with pytest.raises(SchemaError, match=r"aw_steps.*Aria.*InnoDB"):
        open_store(mysql_url).prepare()


def test_without_tables_it_says_what_to_do(mysql_url: str) -> None:
    store = open_store(mysql_url)
    with pytest.raises(SchemaError, match="active-workflow migrate"):
        store.load(["x1"])
    store.close()


def test_an_old_server_is_refused() -> None:
    database = Database(ADDRESS, Options(), lambda: None)
    for version in ("10.5.9-MariaDB-1", "5.5.5-10.3.2-MariaDB", "5.7.44-log"):
        with pytest.raises(SchemaError, match="or later is needed"):
            database._check_version(version)
    for version in ("10.6.1-MariaDB", "5.5.5-10.11.2-MariaDB-log", "11.4.2-MariaDB", "8.0.36", "9.1.0"):
        database._check_version(version)


def test_stores_of_one_database_don_t_meet(mysql_url: str) -> None:
    urls = [mysql_url, f"{mysql_url}?prefix=Select_", f"{mysql_url}?prefix="]
    stores = [open_store(url) for url in urls]
    for number, store in enumerate(stores):
        store.prepare()
        insert(store, f"x{number}")
    assert [[it.id for it in claim(store)] for store in stores] == [["x0"], ["x1"], ["x2"]]
    assert sql(mysql_url, "SELECT id FROM Select_executions") == [(b"x1",)]
    for store in stores:
        store.close()


@pytest.mark.parametrize("prefix", ["a`b", "a b", "1a", "a;drop table x", "é", "a" * 46, "a\0", "x.y"])
def test_names_that_are_no_plain_names_are_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match=r"can't be used|too long"):
        MySQLStore(ADDRESS, prefix=prefix)


def test_the_longest_prefix_can_be_used(mysql_url: str) -> None:
    store = open_store(f"{mysql_url}?prefix={'p' * 43}_")
    store.prepare()
    insert(store, "x1")
    assert [it.id for it in claim(store)] == ["x1"]
    store.close()


def test_tags_are_compared_as_bytes(mysql_url: str) -> None:
    store = open_store(mysql_url)
    store.prepare()
    tags = [{"a": "x"}, {"A": "x"}, {"a": "X"}, {"a": "x "}, {"a": "é"}, {"a": "e\u0301"}, {'"': "\\"}]
    tags += [{"a": 'x", "b": "y'}, {"b": "y", "a": "z"}, {"😀": "%s"}, {"a.b": "$"}, {"": ""}]
    store.insert([NewExecution(execution(f"x{n}", tags=one)) for n, one in enumerate(tags)])
    for number, one in enumerate(tags):
        assert [it.id for it in store.find(Query(tags=one))] == [f"x{number}"]
    assert [it.id for it in store.find(Query(tags={"b": "y"}))] == ["x8"]
    store.close()


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "MariaDB"])
def test_schemes_and_options_of_the_url(scheme: str) -> None:
    store = open_store(f"{scheme}://a%40b:x%23y@h1/my%20db?pool_size=2&timeout=2.5&prefix=s_&ssl_ca=/ca.pem")
    assert isinstance(store, MySQLStore)
    address = store._db._address
    assert (address.user, address.password, address.host, address.port) == ("a@b", "x#y", "h1", 3306)
    assert (address.database, address.more, store._say.prefix) == ("my db", {"ssl_ca": "/ca.pem"}, "s_")
    assert store._db.options == Options(2, 2.5)
    assert "x#y" not in repr(address) + repr(store) + store._db.where


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("db/shop?pool_size=many", "no number"),
        ("db/shop?pool_size=0", "too small"),
        ("db/shop?timeout=0", "too small"),
        ("db/shop?timeout=nan", "too small"),
        ("db/shop?nonsense=1", "nonsense.*prefix"),
        ("db/shop?schema=a", "schema"),
        ("db/shop?prefix=a-b", "prefix"),
        ("db", "names no database"),
        ("db/", "names no database"),
        ("db:port/shop", "can't be read"),
        ("x:y@z:y/shop", "can't be read"),
    ],
)
def test_what_is_wrong_with_a_url_is_told_without_secrets(rest: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        open_store(f"mysql://ada:s3cret@{rest}")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("password", ["s3cret%", "s3cret%zz", "s3cret@x:y", "[s3cret", "s3cret/x"])
def test_a_url_that_can_t_be_read_is_told_without_secrets(password: str) -> None:
    with pytest.raises(ActiveWorkflowError) as caught:
        open_store(f"mysql://ada:{password}@127.0.0.1:1/shop").now()
    assert "s3cret" not in str(caught.value)


def test_a_server_that_isn_t_there_is_named_without_secrets() -> None:
    with pytest.raises(StoreUnavailable, match=r"mysql://127\.0\.0\.1:1/shop.*is the server up") as caught:
        MySQLStore(ADDRESS).now()
    assert "s3cret" not in str(caught.value)


def test_a_wrong_password_is_told_without_it(mysql_url: str) -> None:
    user, _, rest = mysql_url.partition("@")
    scheme = user.rpartition(":")[0]
    with pytest.raises(StoreUnavailable, match=r"denied.*may this user connect") as caught:
        open_store(f"{scheme}:s3cret@{rest}").now()
    assert "s3cret" not in str(caught.value)


def test_the_database_guards_the_law_too(mysql_url: str) -> None:
    store = open_store(mysql_url)
    store.prepare()
    insert(store, "x1")
    for wrong in (
        "state = 'sleeping'",
        "state = 'completed'",
        "completed_at = 1",
        "lease_owner = 'w1'",
        "lease_until = 1",
        "revision = 0",
        "id = NULL",
    ):
        with pytest.raises(pymysql.Error, match=r"CONSTRAINT|null"):
            sql(mysql_url, f"UPDATE aw_executions SET {wrong}")
    store.close()
