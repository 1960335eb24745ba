"""The statements of the SQLite store, by name."""

import json
from collections.abc import Iterable

from active_workflow.store.statements import statements

SQL = statements("active_workflow.store.sqlite")


def as_json(values: Iterable[object]) -> str:
    """Give values as a JSON array, the one form in which a list becomes a single parameter."""
    return json.dumps(list(values), ensure_ascii=False)
