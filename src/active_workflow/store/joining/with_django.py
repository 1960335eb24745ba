"""Database connections of Django. Imported only once Django has been."""

from collections.abc import Callable
from typing import Any

from django.conf import settings  # type: ignore[import-untyped]
from django.db import DataError, IntegrityError, connections, transaction  # type: ignore[import-untyped]

from active_workflow.store.joining.caller import SyncCaller, no_transaction
from active_workflow.store.joining.placeholders import with_percent
from active_workflow.store.joining.script import Rows, Statement
from active_workflow.store.joining.with_sqlite3 import plain
from active_workflow.store.transactions import IsHere


def surrounding(is_here: IsHere) -> str | None:
    """Give the alias whose ``atomic`` block surrounds this call, if it surely leads to a store's database.

    Where two do, none is given: nobody can tell which one is meant.
    """
    wrappers = connections.all(initialized_only=True) if settings.configured else ()
    found = [
        str(wrapper.alias)
        for wrapper in wrappers
        if wrapper.in_atomic_block and is_here(wrapper.vendor, wrapper.settings_dict)
    ]
    return found[0] if len(found) == 1 else None


class DjangoCaller(SyncCaller):
    """The connection of an alias in this thread; Django's own cursor keeps its books in order.

    Args:
        alias: The alias; an unknown one raises Django's own error.
    """

    data_errors = (DataError, IntegrityError, UnicodeEncodeError, OverflowError)

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._wrapper: Any = connections[alias]

    @property
    def vendor(self) -> str:
        """What its database is called."""
        return str(self._wrapper.vendor)

    def begin(self) -> None:
        """See that a transaction is open: ``atomic()`` has begun it."""
        if self._wrapper.get_autocommit():
            raise no_transaction(f"write `with transaction.atomic(using={self._alias!r}):` around it")

    def run(self, statement: Statement) -> Rows:
        """Run a statement and give its rows."""
        with self._wrapper.cursor() as cursor:
            for parameters in (statement.parameters,) if statement.repeats is None else statement.repeats:
                text, ordered = with_percent(statement.text, parameters)
                cursor.execute(text, ordered or None)
            return plain(cursor.fetchall()) if statement.repeats is None and cursor.description else ()

    def after_commit(self, call: Callable[[], None]) -> bool:
        """Call something soon after the outermost ``atomic`` block has been committed."""
        if self._wrapper.in_atomic_block:
            transaction.on_commit(call, using=self._alias, robust=True)
        return bool(self._wrapper.in_atomic_block)
