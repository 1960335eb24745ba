"""A real store whose k-th call goes wrong: it fails, its answer is lost, or the process dies there."""

import os
from collections.abc import Callable
from typing import Any

from active_workflow.errors import StoreUnavailable, UnknownCommit
from active_workflow.store.base import Store

CALLS = frozenset({"insert", "load", "states", "commit", "claim", "renew", "release", "touch", "find"})
EXCEPTIONS = ("fails before", "answer is lost")
DEATHS = ("dies before", "dies after")
DEAD = 77
"""The exit code of a process that died as it was told."""


class FaultyStore:
    """The store as its caller sees it.

    Args:
        store: The real one.
        fault: What goes wrong, once.
        at: With which call, counted from 1; 0 is never.

    Attributes:
        made: The names of the calls that were made.
    """

    def __init__(self, store: Store, fault: str = "", at: int = 0) -> None:
        self._store = store
        self._fault = fault
        self._at = at
        self.made: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._watched(name, found) if name in CALLS else found

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **options: Any) -> Any:
            self.made.append(name)
            fault = self._fault if len(self.made) == self._at else ""
            if fault == "dies before":
                os._exit(DEAD)
            if fault == "fails before":
                raise StoreUnavailable(f"injected: before {name}")
            answer = call(*args, **options)
            if fault == "dies after":
                os._exit(DEAD)
            if fault == "answer is lost":
                kind = UnknownCommit if name == "commit" else StoreUnavailable
                raise kind(f"injected: after {name}")
            return answer

        return watched
