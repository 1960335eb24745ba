"""In Django, `start` inside `atomic()` on the store's own database joins it, without being told."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import active_workflow as aw
from active_workflow.store.postgres.places import place_in_django, place_of
from tests.store import callers

transaction = pytest.importorskip("django.db.transaction")
done: list[int] = []


class AtomicOrder(aw.Workflow):
    @aw.step
    def work(self) -> None:
        done.append(self.ctx.n)


def url_of(store: str, request: pytest.FixtureRequest) -> str:
    if store == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/atomic.db"
    return str(request.getfixturevalue(f"prepared_{store}_url"))


@pytest.fixture(
    params=["sqlite", *(pytest.param(name, marks=pytest.mark.services) for name in ("postgres", "mysql"))]
)
def url(request: pytest.FixtureRequest) -> str:
    return url_of(request.param, request)


@pytest.fixture
def engine(url: str) -> Iterator[aw.Engine]:
    """This process's engine, and Django's alias `shop` for the same database."""
    made = aw.configure(url, poll_interval="30s")
    made.store.prepare()
    done.clear()
    connections = callers.use_django(url)
    yield made
    connections["shop"].close()
    made.close()


def count(engine: aw.Engine) -> int:
    return len(list(engine.find()))


def test_it_exists_once_the_block_commits_and_is_woken_then(engine: aw.Engine) -> None:
    told: list[str] = []
    began = time.monotonic()
    with transaction.atomic(using="shop"):
        execution = AtomicOrder.start(n=1)
        transaction.on_commit(lambda: told.append("committed"), using="shop")
        assert count(engine) == 0
        with pytest.raises(aw.NotCommitted):
            execution.wait("5s")
    assert told == ["committed"]
    assert execution.wait("20s").state == "completed"
    assert done == [1]
    assert time.monotonic() - began < 20, "it was found by polling: nobody heard of the commit"


def test_a_rollback_takes_it_back(engine: aw.Engine) -> None:
    with suppress(ValueError), transaction.atomic(using="shop"):
        execution = AtomicOrder.start(n=1)
        raise ValueError("no stock")
    assert count(engine) == 0
    with pytest.raises(aw.NotCommitted, match="rolled back"):
        execution.refresh()


def test_a_savepoint_takes_back_its_own(engine: aw.Engine) -> None:
    with transaction.atomic(using="shop"):
        outer = AtomicOrder.start(n=1)
        with suppress(ValueError), transaction.atomic(using="shop"):
            inner = AtomicOrder.start(n=2)
            raise ValueError("never mind")
        with transaction.atomic(using="shop"):
            kept = AtomicOrder.start(n=3)
    assert {outer.wait("20s").state, kept.wait("20s").state} == {"completed"}
    assert sorted(done) == [1, 3]
    with pytest.raises(aw.NotCommitted):
        inner.refresh()


def test_many_join_as_well(engine: aw.Engine) -> None:
    with transaction.atomic(using="shop"):
        several = AtomicOrder.start_many([{"n": n} for n in range(3)])
        assert count(engine) == 0
    assert {execution.wait("20s").state for execution in several} == {"completed"}


def test_outside_of_a_block_it_starts_by_itself(engine: aw.Engine, url: str) -> None:
    with callers.use_django(url)["shop"].cursor() as cursor:
        cursor.execute("SELECT 1")
    assert AtomicOrder.start(n=1).wait("20s").state == "completed"


def test_a_block_of_another_database_is_not_joined(engine: aw.Engine, tmp_path: Any) -> None:
    connections = callers.use_django(f"sqlite:///{tmp_path}/another.db")
    with transaction.atomic(using="shop"):
        assert AtomicOrder.start(n=1).wait("20s").state == "completed"
    connections["shop"].close()


def test_what_is_not_certain_is_not_joined(engine: aw.Engine, url: str, tmp_path: Any) -> None:
    """One look is enough: another user, other options of the connection, a file by a name of SQLite's own."""
    connections = callers.use_django(url)
    settings = connections.settings["shop"]
    if url.startswith("sqlite"):
        settings["NAME"], settings["OPTIONS"] = f"file:{tmp_path}/atomic.db", {"uri": True}
        with transaction.atomic(using="shop"):
            execution = AtomicOrder.start(n=1)
    else:
        settings["OPTIONS"] = (
            {"options": "-c search_path=public"} if "postgres" in url else {"init_command": "SELECT 1"}
        )
        with transaction.atomic(using="shop"):
            execution = AtomicOrder.start(n=1)
            assert count(engine) == 1
    assert execution.wait("20s").state == "completed"


def test_of_two_aliases_none_is_taken(engine: aw.Engine, url: str) -> None:
    connections = callers.use_django(url)
    connections.settings["twin"] = {**connections.settings["shop"]}
    with transaction.atomic(using="shop"), transaction.atomic(using="twin"):
        assert AtomicOrder.start(n=1).wait("20s").state == "completed"
    connections["twin"].close()
    del connections["twin"]


def test_a_store_without_transactions_starts_at_once(engine: aw.Engine) -> None:
    with aw.Engine("memory://") as other, transaction.atomic(using="shop"):
        assert other.start(AtomicOrder, {"n": 1}).wait("20s").state == "completed"


# --- What is the same database --------------------------------------------------------------------------

STORE = {"host": "db", "dbname": "shop", "user": "app", "password": "secret", "sslmode": "require"}
DJANGO = {"HOST": "db", "PORT": "", "NAME": "shop", "USER": "app", "PASSWORD": "", "OPTIONS": {}}


@pytest.mark.parametrize(
    ("store", "django", "same"),
    [
        ({}, {}, True),
        ({"port": "5432"}, {}, True),
        ({}, {"PORT": 5432}, True),
        ({}, {"PORT": 5433}, False),
        ({}, {"HOST": "other"}, False),
        ({}, {"HOST": ""}, False),
        ({}, {"NAME": "test_shop"}, False),
        ({}, {"USER": "admin"}, False),
        ({"options": "-c search_path=a"}, {}, False),
        ({"options": "-c search_path=a"}, {"OPTIONS": {"options": "-c search_path=a"}}, True),
        ({}, {"OPTIONS": {"service": "shop"}}, False),
        ({}, {"OPTIONS": {"sslmode": "disable", "pool": True}}, True),
    ],
)
def test_places(store: dict[str, Any], django: dict[str, Any], same: bool) -> None:
    assert (place_of(STORE | store) == place_in_django(DJANGO | django)) == same
