"""Hints of the PostgreSQL store: when others are told, and a connection that hears nothing any more."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from active_workflow.store.base import Lease
from active_workflow.store.postgres import listening
from active_workflow.store.postgres.database import Options
from active_workflow.store.postgres.store import PostgresStore
from active_workflow.testing.store_contract.builders import completed, outside, owned, signalled, started
from tests.servers.proxy import FaultProxy
from tests.store.postgres_help import terminate_all, through
from tests.store.server_help import claim, insert, until

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture
def store(prepared_postgres_url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(prepared_postgres_url)
    yield store
    store.close()


def test_a_listener_whose_backend_ends_listens_again(store: PostgresStore, postgres_url: str) -> None:
    second = PostgresStore(postgres_url)
    told = threading.Event()
    stop = store.listen(told.set)
    assert stop is not None
    until(lambda: _hears(second, told))
    terminate_all(postgres_url)
    until(lambda: _hears(second, told))
    stop()
    second.close()


def _hears(second: PostgresStore, told: threading.Event) -> bool:
    """Whether a hint comes for a new execution."""
    told.clear()
    insert(second, os.urandom(4).hex())
    return told.wait(0.3)


def test_a_listener_on_a_dead_line_is_made_anew(
    store: PostgresStore, postgres_url: str, postgres_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind_proxy = PostgresStore(through(postgres_proxy, postgres_url), options=Options(timeout=1.0))
    monkeypatch.setattr(listening, "PING_EVERY", 0.2)
    monkeypatch.setattr(listening, "PATIENCE", 1.0)
    told = threading.Event()
    stop = behind_proxy.listen(told.set)
    assert stop is not None
    until(lambda: _hears(store, told))
    time.sleep(0.3)  # until all that was told has arrived
    postgres_proxy.silent = True
    assert not _hears(store, told)
    time.sleep(1.5)
    postgres_proxy.silent = False
    until(lambda: _hears(store, told))
    stop()


def test_a_listener_that_hears_itself_stays_connected(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "PING_EVERY", 0.02)
    monkeypatch.setattr(listening, "PATIENCE", 0.5)
    made: list[float] = []
    connect = store._db.connect
    monkeypatch.setattr(store._db, "connect", lambda until: made.append(until) or connect(until))
    stop = store.listen(lambda: None)
    assert stop is not None
    time.sleep(1.2)
    assert len(made) == 1
    stop()


def test_hints_are_given_for_what_concerns_others(store: PostgresStore, postgres_url: str) -> None:
    second = PostgresStore(postgres_url)
    hints: list[float] = []
    stop = second.listen(lambda: hints.append(0))
    assert stop is not None
    told = threading.Event()
    until(lambda: _starts_to_hear(store, second, told, hints))

    def hinted(act: object) -> bool:
        hints.clear()
        assert callable(act)
        act()
        time.sleep(0.15)
        assert len(hints) <= 1
        return bool(hints)

    insert(store, *(f"x{n}" for n in range(9)))
    time.sleep(0.15)
    found = [it for it in claim(store) if it.id.startswith("x")]
    changes = [owned(it, started(it, "reserve")) for it in found]
    assert not hinted(lambda: store.commit(changes))
    found = store.load([it.id for it in found])
    assert hinted(
        lambda: store.commit([owned(it, completed(it, "reserve"), release=True, due_at=7) for it in found])
    )
    [it] = store.load(["x1"])
    assert not hinted(lambda: second.commit([outside(it, signalled(it))]))  # its own
    [it] = store.load(["x1"])
    assert hinted(lambda: store.commit([outside(it, signalled(it))]))
    assert not hinted(lambda: store.release([Lease("x1", 99)], {"x1": 0}))
    stop()
    second.close()


def _starts_to_hear(
    store: PostgresStore, second: PostgresStore, told: threading.Event, hints: list[float]
) -> bool:
    insert(store, os.urandom(4).hex())
    told.wait(0.2)
    return bool(hints)
