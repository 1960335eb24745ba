"""Statements with the tables' real names and the values put in: each is then a text of its own.

In the ``.sql`` files a value is written ``:name``. Text is quoted by the connection, as its session wants it.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from active_workflow.store.mysql.sql import SQL
from active_workflow.store.plain_names import check_name
from active_workflow.store.statements import lines_for

Quote = Callable[[str], str]
"""Gives a text as SQL has it, in quotes."""

_NAME = re.compile(r"\baw_(\w+)")
_VALUE = re.compile(r":([a-z_]+)\b")
LONGEST = 64 - len("executions_completed")
"""What is left for a prefix: the server takes names of 64 letters."""
CLOCK = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))"


@dataclass(frozen=True, slots=True)
class Expression:
    """SQL itself in place of a value."""

    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Values in brackets, as ``IN`` has them; nothing is in an empty list."""

    values: Collection[Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as ``VALUES`` has them."""

    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as a table that a statement can join: the columns, and for each row their values."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement whose values are still to be put in.

    Attributes:
        text: The statement, with ``:name`` where values go.
        values: Its values by name.
    """

    text: str
    values: Mapping[str, Any]

    def render(self, quote: Quote) -> str:
        """Give the whole text."""
        return _VALUE.sub(lambda found: _written(self.values[found[1]], quote), self.text)


def _written(value: Any, quote: Quote) -> str:
    if isinstance(value, Expression):
        return value.text
    if isinstance(value, Listed):
        return "(" + (", ".join([_scalar(each, quote) for each in value.values]) or "NULL") + ")"
    if isinstance(value, Rows):
        return ", ".join(["(" + ", ".join([_scalar(v, quote) for v in row]) + ")" for row in value.rows])
    if isinstance(value, Table):
        first, *others = value.rows
        head = ", ".join(
            [f"{_scalar(v, quote)} AS {name}" for v, name in zip(first, value.columns, strict=True)]
        )
        more = [" UNION ALL SELECT " + ", ".join([_scalar(v, quote) for v in row]) for row in others]
        return f"(SELECT {head}{''.join(more)})"
    return _scalar(value, quote)


def _scalar(value: Any, quote: Quote) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Expression):
        return value.text
    return str(int(value))


class Statements:
    """The statements of one store.

    Args:
        prefix: What the names of its tables begin with.

    Raises:
        ConfigurationError: That is no plain name, or too long.
    """

    def __init__(self, prefix: str) -> None:
        if prefix:
            check_name("prefix", prefix, LONGEST)
        self.prefix = prefix
        self._texts = {name: self.put_into(text) for name, text in SQL.items()}

    def put_into(self, text: str) -> str:
        """Give SQL with the real names in place of ``aw_…``."""
        return _NAME.sub(lambda found: f"`{self.prefix}{found[1]}`", text)

    def __call__(self, name: str, **values: Any) -> Statement:
        """Give a statement with its values; a line ``… -- if x`` is in it only if x isn't None."""
        text = self._texts[name]
        if "-- if" in text:
            text = lines_for(text, {key for key, value in values.items() if value is not None})
        return Statement(text, values)


START, COMMIT, ROLLBACK = (Statement(text, {}) for text in ("START TRANSACTION", "COMMIT", "ROLLBACK"))


def transaction(statements: Sequence[Statement]) -> list[Statement]:
    """Give statements as one transaction."""
    return [START, *statements, COMMIT]


def time_of(given: int | None) -> Expression:
    """Give the time: what a clock has given, else the server's own."""
    return Expression(CLOCK if given is None else str(given))
