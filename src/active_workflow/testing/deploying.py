"""The replay of executions in flight against today's code, for a test before a deploy."""

from collections.abc import Collection

from active_workflow.engine.replaying.replay import Replay
from active_workflow.engine.replaying.replay import replay as replay_store
from active_workflow.store import JsonSerializer, Serializer, Store, open_store
from active_workflow.store.readiness import ChecksTables


def replay(
    store: Store | str,
    *,
    serializer: Serializer | None = None,
    queues: Collection[str] | None = None,
    ignore: Collection[str] = (),
) -> Replay:
    """Tell what the workflows defined here would do with the executions in flight in a store.

    ::

        def test_nothing_in_flight_is_broken():
            found = replay("postgresql://reader@host/shop")
            assert found.clean, found

    Args:
        store: The store or its URL; it is only read.
        serializer: The one that the engine is configured with, if that is not the built-in one.
        queues: The queues that all workers together serve; None is all.
        ignore: Findings to leave out: ``"AW211"``, ``"AW211:Checkout"``, ``"AW211:Checkout.audit"``.

    Raises:
        StoreError: There is no such store, or its tables are of another version.
        ValueError: There is no such finding to be ignored.
    """
    there = open_store(store) if isinstance(store, str) else store
    try:
        if isinstance(there, ChecksTables):
            there.check()
        return replay_store(there, serializer or JsonSerializer(), queues=queues, ignore=ignore)
    finally:
        if there is not store:
            there.close()
