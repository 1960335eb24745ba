"""Placeholders as drivers want them: ours are ``?`` for SQLite and ``$1`` for PostgreSQL."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_OURS = re.compile(r"\?|\$([0-9]+)")


def with_percent(text: str, parameters: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """Give a statement with ``%s``, and its parameters in the order in which they are written."""
    if not parameters:
        return text, ()
    rewritten, order = _rewritten(text)
    return rewritten, tuple(parameters[n] for n in order) if order else tuple(parameters)


@lru_cache(maxsize=256)
def _rewritten(text: str) -> tuple[str, tuple[int, ...]]:
    order = tuple(int(found[1]) - 1 for found in _OURS.finditer(text) if found[1])
    return _OURS.sub("%s", text.replace("%", "%%")), order
