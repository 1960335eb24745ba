"""What the tests of the PostgreSQL store share."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg

from active_workflow.core.snapshot import Execution
from active_workflow.errors import UnknownCommit
from active_workflow.store.base import ClaimRequest, NewExecution, Store
from active_workflow.testing.store_contract.builders import execution, outside, signalled
from tests.servers.proxy import FaultProxy

HOUR = 3_600_000_000


def insert(store: Store, *ids: str, **options: Any) -> None:
    store.insert([NewExecution(execution(id, **options), due_at=0) for id in ids])


def claim(store: Store, limit: int = 100, owner: str = "w1", lease: int = HOUR) -> list[Execution]:
    return list(store.claim(ClaimRequest(owner, limit, lease)).executions)


def sql(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []


def terminate_all(url: str) -> int:
    """End every other backend of a database, as an operator or a failover does."""
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    return len(sql(url, f"{ended} AND pid <> pg_backend_pid()"))


def signal_once(store: Store, id: str, payload: str) -> None:
    """Record a signal, whatever happens to commits: after one of unknown outcome look, never guess."""
    while True:
        [it] = store.load([id])
        if any(signal.payload == payload for signal in it.signals):
            return
        try:
            [answer] = store.commit([outside(it, signalled(it, payload))])
        except UnknownCommit:
            continue
        if answer.verdict == "applied":
            return


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that another thread or process brings about."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def through(proxy: FaultProxy, url: str) -> str:
    """The same database by way of a proxy, in plain text."""
    return f"postgresql://postgres@127.0.0.1:{proxy.port}{urlsplit(url).path}?sslmode=disable"
