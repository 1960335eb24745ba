"""Commits in a thread of its own: reports are taken meanwhile, and the database works beside Python."""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from active_workflow.core.change import Change
from active_workflow.store.base import Applied

Outcome = Sequence[Applied] | BaseException
"""The store's answers, or why there are none."""
MOST_CHANGES = 200
"""So many go into one commit at most: while its answer is worked on, the store has the next one."""

Commit = Callable[[Sequence[Change]], Sequence[Applied]]
Told = Callable[[Sequence[Change], Outcome], None]


class Committer:
    """Makes one commit at a time.

    Args:
        commit: The store's.
        told: Takes what became of each, in this thread.
        name: What the thread is called.
    """

    def __init__(self, commit: Commit, told: Told, name: str) -> None:
        self._commit = commit
        self._told = told
        self._batches: SimpleQueue[Sequence[Change] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def submit(self, changes: Sequence[Change]) -> int:
        """Have changes committed; give in how many commits, each of which is told of."""
        if self._thread.ident is None:
            self._thread.start()
        commits = -(-len(changes) // MOST_CHANGES)
        size = -(-len(changes) // commits)
        for first in range(0, len(changes), size):
            self._batches.put(changes[first : first + size])
        return commits

    def close(self) -> None:
        """Let the thread end after its present commit."""
        self._batches.put(None)

    def _run(self) -> None:
        while (changes := self._batches.get()) is not None:
            try:
                outcome: Outcome = self._commit(changes)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the worker has to know
                outcome = error
            self._told(changes, outcome)
