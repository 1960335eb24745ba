"""What the tables are really called: a schema and a prefix, checked and quoted, in each statement's place."""

import re
from collections.abc import Mapping
from typing import Any

from psycopg.types.numeric import Int8

from active_workflow.errors import ConfigurationError
from active_workflow.store.postgres.sql import SQL

_NAME = re.compile(r"(INDEX )?\baw_(\w+)")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONDITION = re.compile(r"^(.*?) *-- if (\w+)$")
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
        for what, name, room in (("schema", schema, 0), ("prefix", prefix, LONGEST)):
            if name is None or (not name and what == "prefix"):
                continue
            if not _PLAIN.fullmatch(name):
                raise ConfigurationError(
                    f"the {what} {name!r} can't be used: letters, digits and underscores, no digit first"
                )
            if len(name) + room > MAX_LENGTH:
                raise ConfigurationError(
                    f"the {what} {name!r} is too long: at most {MAX_LENGTH - room} letters"
                )
        self.schema = schema
        self.prefix = prefix
        self._dot = f'"{schema}".' if schema else ""
        self.channel = f"{schema or ''}.{prefix}executions"[-MAX_LENGTH:]
        self._statements = {name: self.put_into(text) for name, text in SQL.items()}

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
        kept = [_CONDITION.match(line) or line for line in self._statements[name].decode().splitlines()]
        text = "\n".join(
            line if isinstance(line, str) else line[1]
            for line in kept
            if isinstance(line, str) or values[line[2]] is not None
        )
        used = [key for key in values if re.search(rf"(?<!:):{key}\b", text)]
        for number, key in enumerate(used, 1):
            text = re.sub(rf"(?<!:):{key}\b", f"${number}", text)
        return text.encode(), [as_parameter(values[key]) for key in used]


def as_parameter(value: Any) -> Any:
    """Give a value as psycopg sends it: numbers in one size, lest each make a statement of its own."""
    return Int8(value) if isinstance(value, int) else value
