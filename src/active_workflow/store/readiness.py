"""Whether a store's tables are there, and who makes them: its first use, or ``active-workflow migrate``."""

from typing import Protocol, TypeGuard, runtime_checkable

from active_workflow.store.base import Store


@runtime_checkable
class ChecksTables(Protocol):
    """What a store has that can look at its tables without making any.

    Attributes:
        prepares_itself: Whether its first use makes them, as a file's does. Else only ``prepare`` does, which
            ``active-workflow migrate`` calls: who uses a server need not be allowed to make tables.
    """

    prepares_itself: bool

    def check(self) -> None:
        """Raise StoreError unless the tables are there and up to date; change nothing."""
        ...


def needs_migrate(store: Store) -> TypeGuard[ChecksTables]:
    """Tell whether the first use of a store leaves its tables to ``migrate``, as on a server."""
    return isinstance(store, ChecksTables) and not store.prepares_itself


def ready(store: Store) -> None:
    """Do what has to be done before the first use of a store.

    Raises:
        SchemaError: It doesn't prepare itself, and its tables are missing or of another generation.
    """
    if needs_migrate(store):
        store.check()
    else:
        store.prepare()
