"""Hints of the Redis store: when others are told, and a connection that hears nothing any more."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from active_workflow.store.base import Lease
from active_workflow.store.redis import listening
from active_workflow.store.redis.store import RedisStore
from active_workflow.store.redis.url import open_redis
from active_workflow.testing.store_contract.builders import completed, outside, owned, signalled, started
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer
from tests.store.redis_help import through
from tests.store.server_help import claim, insert, until

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture
def store(redis_url: str) -> Iterator[RedisStore]:
    store = open_redis(redis_url)
    store.prepare()
    yield store
    store.close()


@pytest.fixture
def second(redis_url: str, store: RedisStore) -> Iterator[RedisStore]:
    second = open_redis(redis_url)
    yield second
    second.close()


class Told:
    """Listens, and counts what it is told."""

    def __init__(self, store: RedisStore) -> None:
        self._told = threading.Event()
        stop = store.listen(self._told.set)
        assert stop is not None
        self.stop = stop

    def hears(self, act, seconds: float = 0.3) -> bool:
        """Whether a hint comes while something is done."""
        self._told.clear()
        act()
        return self._told.wait(seconds)


@pytest.fixture
def told(store: RedisStore, second: RedisStore) -> Iterator[Told]:
    told = Told(store)
    until(lambda: told.hears(lambda: insert(second, os.urandom(4).hex())))
    claim(store)
    yield told
    told.stop()


def test_who_is_told_what(told: Told, store: RedisStore, second: RedisStore) -> None:
    assert told.hears(lambda: insert(second, "x1"), 5)
    assert not told.hears(lambda: insert(store, "x2"))  # its own doing is no news
    [x1, x2] = claim(second)
    assert not told.hears(lambda: second.commit([owned(x1, started(x1, "reserve"))]))
    [x1] = second.load(["x1"])
    done = completed(x1, "reserve")
    assert told.hears(lambda: second.commit([owned(x1, done, release=True, due_at=0)]), 5)
    assert told.hears(lambda: second.commit([outside(x2, signalled(x2))]), 5)
    assert not told.hears(lambda: second.release([Lease("x2", x2.token)], {"x2": None}))
    [x2] = [it for it in claim(second) if it.id == "x1"]
    assert told.hears(lambda: second.release([Lease("x1", x2.token)], {"x1": 0}), 5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_another_store(told: Told, store: RedisStore) -> None:
    def child_inserts() -> None:
        child = os.fork()
        if not child:
            insert(store, "x1")
            os._exit(0)
        os.waitpid(child, 0)

    assert told.hears(child_inserts, 5)


def test_words_that_come_together_are_all_heard(
    told: Told, store: RedisStore, redis_server: RedisServer
) -> None:
    with redis_server.client() as client, client.pipeline(transaction=True) as together:
        together.publish("{aw}:hints", str(store._origin))
        together.publish("{aw}:hints", "somebody")
        assert told.hears(together.execute, 5)


def test_a_listener_whose_connection_ends_listens_again(
    told: Told, second: RedisStore, redis_server: RedisServer
) -> None:
    with redis_server.client() as client:
        assert client.execute_command("CLIENT", "KILL", "TYPE", "pubsub") == 1
    until(lambda: told.hears(lambda: insert(second, os.urandom(4).hex())))


def test_a_listener_on_a_dead_line_is_made_anew(
    store: RedisStore, redis_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "PING_EVERY", 0.2)
    monkeypatch.setattr(listening, "PATIENCE", 1.0)
    behind_proxy = through(redis_proxy, timeout=1.0)
    told = Told(behind_proxy)

    def somebody_inserts() -> None:
        insert(store, os.urandom(4).hex())

    until(lambda: told.hears(somebody_inserts))
    time.sleep(1.0)  # some signs of life are asked for, and come
    assert behind_proxy.hears()
    assert told.hears(somebody_inserts, 5)
    redis_proxy.silent = True
    assert not told.hears(somebody_inserts)
    assert told.hears(lambda: None, 5)  # it has found out: whoever relied on it looks for himself
    assert not behind_proxy.hears()
    redis_proxy.silent = False
    until(lambda: told.hears(somebody_inserts))
    until(behind_proxy.hears)
    told.stop()
    assert not behind_proxy.hears()
    behind_proxy.close()


def test_stopping_is_quick(store: RedisStore) -> None:
    told = Told(store)
    began = time.monotonic()
    told.stop()
    assert time.monotonic() - began < 1
