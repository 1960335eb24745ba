"""Hints of the PostgreSQL store: when others are told, and a connection that hears nothing any more."""

import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

import active_workflow as aw
from active_workflow.dsl import registry
from active_workflow.store.base import Claimed, ClaimRequest, Lease
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
    until(behind_proxy.hears)
    time.sleep(0.3)  # until all that was told has arrived
    postgres_proxy.silent = True
    assert not _hears(store, told)
    assert told.wait(5)  # it has found out: whoever relied on it looks for himself
    assert not behind_proxy.hears()
    postgres_proxy.silent = False
    until(lambda: _hears(store, told))
    until(behind_proxy.hears)
    stop()
    assert not behind_proxy.hears()


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


def test_of_two_who_share_a_store_none_hears_all(store: PostgresStore) -> None:
    assert not store.hears()
    first = store.listen(lambda: None)
    until(store.hears)
    second = store.listen(lambda: None)
    assert not store.hears()
    assert first is not None
    assert second is not None
    first()
    until(store.hears)
    second()
    assert not store.hears()


def test_whoever_heard_all_looks_when_another_comes_to_share_the_store(store: PostgresStore) -> None:
    told = threading.Event()
    first = store.listen(told.set)
    until(store.hears)
    told.clear()
    second = store.listen(lambda: None)
    assert told.wait(5)
    assert first is not None
    assert second is not None
    first()
    second()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_another_store(store: PostgresStore) -> None:
    told = threading.Event()
    stop = store.listen(told.set)
    until(store.hears)
    told.clear()
    child = os.fork()
    if not child:
        insert(store, "x1")
        os._exit(0)
    os.waitpid(child, 0)
    assert told.wait(5)
    assert stop is not None
    stop()


@pytest.mark.parametrize(("here", "there"), [(None, "public"), ("public", None)])
def test_stores_that_name_the_same_schema_or_none_hear_each_other(
    prepared_postgres_url: str, here: str | None, there: str | None
) -> None:
    store = PostgresStore(prepared_postgres_url, schema=here)
    other = PostgresStore(prepared_postgres_url, schema=there)
    told = threading.Event()
    stop = store.listen(told.set)
    until(store.hears)
    told.clear()
    insert(other, "x1")
    assert told.wait(5)
    assert stop is not None
    stop()
    store.close()
    other.close()


class Hint(aw.Workflow):
    @aw.step
    def done(self) -> None:
        self.ctx.done = True


class Claiming(PostgresStore):
    """Tells when it was asked for work."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[float] = []

    def claim(self, request: ClaimRequest) -> Claimed:
        self.asked.append(time.monotonic())
        return super().claim(request)


@pytest.fixture
def idle(prepared_postgres_url: str) -> Iterator[Claiming]:
    """The store of a worker that surely hears hints: it asks each second in place of each 50 ms."""
    store = Claiming(prepared_postgres_url)
    with aw.Engine(store, poll_interval="50ms") as engine:
        engine.start_worker()
        until(lambda: store.hears() and _rests(store))
        yield store


def _rests(store: Claiming) -> bool:
    return time.monotonic() - store.asked[-1] > 0.3


def test_an_idle_worker_that_hears_hints_seldom_asks(idle: Claiming) -> None:
    before = len(idle.asked)
    time.sleep(3)
    assert len(idle.asked) - before <= 4


def test_it_runs_at_once_what_is_told_and_on_time_what_is_due(idle: Claiming, postgres_url: str) -> None:
    with aw.Engine(postgres_url, embedded=False) as other:
        now = datetime.now(UTC)
        later = other.start(Hint, {}, run_at=now + timedelta(seconds=0.5))
        at_once = other.start(Hint, {})
        assert at_once.wait("20s").state == later.wait("20s").state == "completed"
        assert at_once.completed_at - at_once.created_at < timedelta(seconds=0.4)
        assert later.completed_at - now < timedelta(seconds=0.9)


def test_what_no_hint_has_told_is_found_by_the_next_poll(idle: Claiming) -> None:
    began = time.monotonic()
    insert(idle, "x1", plan=registry.find("Hint").plan, input={})  # its own word is no news to it
    until(lambda: idle.states(["x1"])["x1"] == "completed")
    assert time.monotonic() - began < 1.5


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
