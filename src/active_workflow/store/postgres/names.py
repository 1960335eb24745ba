"""What the tables are really called: a schema and a prefix, checked and quoted, in each statement's place."""

import re
from collections.abc import Mapping
from typing import Any

from psycopg.types.numeric import Int8

from active_workflow.store.plain_names import check_name
from active_workflow.store.postgres.sql import SQL
from active_workflow.store.statements import lines_for

_NAME = re.compile(r"(INDEX )?\baw_(\w+)")
MAX_LENGTH = 63
"""PostgreSQL cuts longer names silently, so that two of them may become one."""
LONGEST = len("executions_completed")


class Names:
    """The names of one store's tables, and its statements with these names in them.

    Args:
        schema: The schema they are in; None leaves that to the connection's ``search_path``.
        prefix: What each name begins with.

    Raises:
        ConfigurationError: One of them is no plain name, or too long.
    """

    def __init__(self, schema: str | None, prefix: str) -> None:
        if schema is not None:
            check_name("schema", schema, MAX_LENGTH)
        if prefix:
            check_name("prefix", prefix, MAX_LENGTH - LONGEST)
        self.schema = schema
        self.prefix = prefix
        self._dot = f'"{schema}".' if schema else ""
        self.channel = self.channel_of(schema)
        self._statements = {name: self.put_into(text) for name, text in SQL.items()}

    def channel_of(self, schema: str | None) -> str:
        """Give the channel of a store that names the schema of these tables so."""
        return f"{schema or ''}.{self.prefix}executions"[-MAX_LENGTH:]

    def put_into(self, text: str) -> bytes:
        """Give SQL with the real names in place of ``aw_…``; an index is made without its schema."""
        return _NAME.sub(self._real, text).encode()

    def _real(self, found: re.Match[str]) -> str:
        index, name = found.groups()
        quoted = f'"{self.prefix}{name}"'
        return f"{index}{quoted}" if index else f"{self._dot}{quoted}"

    def __getitem__(self, name: str) -> bytes:
        return self._statements[name]

    def with_lines(self, name: str, values: Mapping[str, Any]) -> tuple[bytes, list[Any]]:
        """Give a statement without those lines whose condition has no value, and its parameters.

        Its parameters are written ``:name`` and are numbered in the order of ``values``.
        """
        given = {name for name, value in values.items() if value is not None}
        text = lines_for(self._statements[name].decode(), given)
        used = [key for key in values if re.search(rf"(?<!:):{key}\b", text)]
        for number, key in enumerate(used, 1):
            text = re.sub(rf"(?<!:):{key}\b", f"${number}", text)
        return text.encode(), [as_parameter(values[key]) for key in used]


def as_parameter(value: Any) -> Any:
    """Give a value as psycopg sends it: numbers in one size, lest each make a statement of its own."""
    return Int8(value) if isinstance(value, int) else value
