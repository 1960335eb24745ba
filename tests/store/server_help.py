"""What the tests of all stores with a server share."""

import time
from collections.abc import Callable
from typing import Any

from active_workflow.core.snapshot import Execution
from active_workflow.errors import UnknownCommit
from active_workflow.store.base import ClaimRequest, NewExecution, Store
from active_workflow.testing.store_contract.builders import execution, outside, signalled

HOUR = 3_600_000_000


def insert(store: Store, *ids: str, **options: Any) -> None:
    store.insert([NewExecution(execution(id, **options), due_at=0) for id in ids])


def claim(store: Store, limit: int = 100, owner: str = "w1", lease: int = HOUR) -> list[Execution]:
    return list(store.claim(ClaimRequest(owner, limit, lease)).executions)


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
