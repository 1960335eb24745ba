"""What all rules share: how a store is made, and the fixtures that make and close it."""

from collections.abc import Iterator
from typing import Any

import pytest

from active_workflow.store.base import ClaimRequest, Clock, Lease, NewExecution, Store
from active_workflow.testing.store_contract.builders import execution

HOUR = 3_600_000_000
"""Microseconds. Leases and due times are hours away or over already, so that no test waits for one."""


class Rules:
    """The base of all groups of rules."""

    def make_store(self) -> Store:
        """Give a new, empty store."""
        raise NotImplementedError("define make_store() in your subclass of StoreContract")

    def make_store_at(self, clock: Clock) -> Store:  # noqa: ARG002 - for subclasses
        """Give a new, empty store, another one at each call, for which it is as late as a clock says."""
        pytest.skip("define make_store_at(clock) in your subclass of StoreContract")

    def make_second(self, store: Store) -> Store:
        """Give a second connection to a store's data; the very same store where there is no such thing."""
        return store

    def break_row(self, store: Store, id: str) -> None:  # noqa: ARG002 - for subclasses
        """Damage an execution's row so that it can't be read back."""
        pytest.skip(f"{type(store).__name__} has no rows that could break")

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = self.make_store()
        store.prepare()
        yield store
        store.close()

    @pytest.fixture
    def second(self, store: Store) -> Iterator[Store]:
        second = self.make_second(store)
        yield second
        if second is not store:
            second.close()


def insert(store: Store, *ids: str, **options: Any) -> None:
    """Insert plain executions that are due at once."""
    store.insert([NewExecution(execution(id, **options), due_at=0) for id in ids])


def claim(store: Store, owner: str = "w1", limit: int = 100, lease: int = HOUR, **filters: Any) -> list[str]:
    """Claim and give the ids."""
    request = ClaimRequest(owner, limit, lease, **filters)
    return [found.id for found in store.claim(request).executions]


def lease_of(store: Store, id: str) -> Lease:
    """Give the lease with the token that the execution now has."""
    return Lease(id, store.load([id])[0].token)
