"""Tables of the PostgreSQL store: how they are made, where, and what they refuse."""

import psycopg
import pytest

from active_workflow.errors import ActiveWorkflowError, ConfigurationError, SchemaError, StoreUnavailable
from active_workflow.store import open_store
from active_workflow.store.postgres import migrate as migrating
from active_workflow.store.postgres.store import PostgresStore
from active_workflow.testing.store_contract.races import at_once
from tests.store.postgres_help import sql
from tests.store.server_help import claim, insert

pytestmark = pytest.mark.services


@pytest.mark.parametrize("schema", [None, "flows"])
def test_many_may_prepare_at_once(postgres_url: str, schema: str | None) -> None:
    stores = [PostgresStore(postgres_url, schema=schema) for _ in range(6)]
    at_once(*(store.prepare for store in stores))
    table = f"{schema or 'public'}.aw_migrations"
    assert sql(postgres_url, f"SELECT version FROM {table} WHERE version > 0") == [(1,)]
    insert(stores[0], "x1")
    assert [it.id for it in stores[1].load(["x1"])] == ["x1"]
    for store in stores:
        store.close()


def test_a_migration_that_breaks_off_leaves_nothing_behind(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PostgresStore(postgres_url)
    whole = migrating.migrations()
    broken = (*whole, (2, "0002_broken", "CREATE TABLE aw_more (id int);\nSELECT 1 / 0;\n"))
    monkeypatch.setattr(migrating, "migrations", lambda: broken)
    with pytest.raises(Exception, match="division by zero"):
        store.prepare()
    assert sql(postgres_url, "SELECT to_regclass('aw_more'), to_regclass('aw_executions')") == [(None, None)]
    monkeypatch.setattr(migrating, "migrations", lambda: whole)
    store.prepare()
    insert(store, "x1")
    monkeypatch.setattr(
        migrating, "migrations", lambda: (*whole, (2, "0002_more", "CREATE TABLE aw_more ();"))
    )
    store.prepare()
    assert [it.id for it in store.load(["x1"])] == ["x1"]
    assert sql(postgres_url, "SELECT max(version) FROM aw_migrations") == [(2,)]
    store.close()


def test_a_newer_schema_is_refused(postgres_url: str) -> None:
    store = PostgresStore(postgres_url)
    store.prepare()
    sql(postgres_url, "INSERT INTO aw_migrations (version, name) VALUES (999, 'later')")
    with pytest.raises(SchemaError, match=r"version 999.*upgrade"):
        store.prepare()


def test_a_check_makes_nothing(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PostgresStore(postgres_url)
    with pytest.raises(SchemaError, match="has no tables of ours: run `active-workflow migrate"):
        store.check()
    assert sql(postgres_url, "SELECT to_regclass('aw_migrations')") == [(None,)]
    store.prepare()
    store.check()
    newer = (*migrating.migrations(), (2, "0002_more", "CREATE TABLE aw_more ();"))
    monkeypatch.setattr(migrating, "migrations", lambda: newer)
    with pytest.raises(SchemaError, match="tables of version 1, this version needs 2"):
        store.check()
    store.close()


def test_without_tables_it_says_what_to_do(postgres_url: str) -> None:
    store = PostgresStore(postgres_url)
    with pytest.raises(SchemaError, match="active-workflow migrate"):
        store.load(["x1"])
    elsewhere = PostgresStore(postgres_url, schema="nowhere")
    with pytest.raises(SchemaError, match="active-workflow migrate"):
        elsewhere.load(["x1"])
    elsewhere.close()
    store.close()


def test_stores_of_one_database_don_t_meet(postgres_url: str) -> None:
    urls = [f"{postgres_url}?schema=Select&prefix=a_", f"{postgres_url}?schema=Select&prefix=", postgres_url]
    stores = [open_store(url) for url in urls]
    for number, store in enumerate(stores):
        store.prepare()
        insert(store, f"x{number}")
    assert [[it.id for it in claim(store)] for store in stores] == [["x0"], ["x1"], ["x2"]]
    assert sql(postgres_url, 'SELECT id FROM "Select"."a_executions"') == [("x0",)]
    for store in stores:
        store.close()


@pytest.mark.parametrize("name", ['a"b', "a b", "1a", "a;drop table x", "é", "a" * 70, "a\0", "x.y"])
def test_names_that_are_no_plain_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"can't be used|too long"):
        PostgresStore("postgresql://h/d", schema=name)
    with pytest.raises(ConfigurationError, match=r"can't be used|too long"):
        PostgresStore("postgresql://h/d", prefix=name)


def test_options_of_the_url(postgres_url: str) -> None:
    url = f"{postgres_url}?application_name=a%20b&pool_size=2&prepare_threshold=none&timeout=2.5&schema=s"
    store = open_store(url.replace("postgresql://", "postgres://"))
    assert isinstance(store, PostgresStore)
    assert (store._db.options.pool_size, store._db.options.prepare_threshold) == (2, None)
    assert (store._db.options.timeout, store._names.schema) == (2.5, "s")
    store.prepare()
    assert store._db.call(lambda link: link.rows(b"SHOW application_name")) == [("a b",)]
    store.close()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("pool_size=many", "no number"),
        ("pool_size=0", "too small"),
        ("timeout=0", "too small"),
        ("timeout=nan", "too small"),
        ("nonsense=1", "nonsense"),
        ("schema=a-b", "schema"),
    ],
)
def test_options_that_can_t_be_used_are_told(query: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        open_store(f"postgresql://ada:s3cret@db/shop?{query}")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("password", ["s3cret%", "s3cret%zz", "s3cret@x:y", "[s3cret"])
def test_a_url_that_can_t_be_read_is_told_without_secrets(password: str) -> None:
    with pytest.raises(ActiveWorkflowError) as caught:
        open_store(f"postgresql://ada:{password}@127.0.0.1:1/shop").now()
    assert "s3cret" not in str(caught.value)


def test_what_libpq_reads_is_left_as_it_is() -> None:
    store = open_store(
        "postgresql+psycopg://a%40b:x%23y@h1:1,h2:2/d?schema=s&application_name=a+b%2Bc&password=#1"
    )
    assert isinstance(store, PostgresStore)
    found = store._db._parameters
    assert (found["user"], found["host"], found["port"]) == ("a@b", "h1,h2", "1,2")
    assert (found["application_name"], found["password"]) == ("a+b+c", "#1")


def test_a_server_that_isn_t_there_is_named_without_secrets() -> None:
    store = PostgresStore("postgresql://ada:s3cret@127.0.0.1:1/shop")
    with pytest.raises(
        StoreUnavailable, match=r"postgresql://127\.0\.0\.1:1/shop.*is the server up"
    ) as caught:
        store.now()
    assert "s3cret" not in str(caught.value)


def test_a_database_that_isn_t_there_is_to_be_created(postgres_url: str) -> None:
    store = PostgresStore(postgres_url.rpartition("/")[0] + "/not_there")
    with pytest.raises(StoreUnavailable, match=r'database "not_there" does not exist: create it first'):
        store.prepare()


def test_the_database_guards_the_law_too(postgres_url: str) -> None:
    store = PostgresStore(postgres_url)
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
        with pytest.raises(psycopg.IntegrityError):
            sql(postgres_url, f"UPDATE aw_executions SET {wrong}")
    store.close()


def test_a_schema_that_is_there_is_taken_by_whoever_may_make_none(postgres_url: str) -> None:
    sql(postgres_url, "CREATE ROLE owns_its_schema LOGIN")
    sql(postgres_url, "CREATE SCHEMA ours AUTHORIZATION owns_its_schema")
    store = PostgresStore(postgres_url.replace("postgres@", "owns_its_schema@"), schema="ours")
    assert store.prepare()
    store.check()
    store.close()
    sql(postgres_url, "DROP OWNED BY owns_its_schema")
    sql(postgres_url, "DROP ROLE owns_its_schema")
