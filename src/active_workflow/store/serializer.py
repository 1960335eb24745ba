"""The value serializer: Python values to JSON text and back, strictly.

What is written comes back equal and of the same type, or is refused at once with its place in the value:
everything JSON has, and datetime, date, time, timedelta, Decimal, UUID, bytes, Enum, tuple, set, frozenset.
Subclasses of dict, list, str, int and float come back as these, which they are equal to.

Changes are found by comparing texts: sets are sorted and separators fixed, so that values which are equal and
alike in their types give the same text. Only the order of a dict's keys, which is kept, tells texts apart.

One rule about text for all databases: no NUL character and no half surrogate pair. PostgreSQL can keep
neither, and a value that one store takes and another refuses would break on the day of the move.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from active_workflow.errors import SerializationError
from active_workflow.store.faults import find_fault, is_text, under, unknown_fault
from active_workflow.store.fitting import UnfitError, fitted
from active_workflow.store.jsontext import quote, scanner, write_json
from active_workflow.store.tags import TAG, read_tagged


@runtime_checkable
class Serializer(Protocol):
    """Turns values into text and back. Equal values should give equal text: changes are found by that."""

    def dump(self, value: Any) -> str:
        """Give a value's text; raise SerializationError where that is not possible."""
        ...

    def load(self, text: str) -> Any:
        """Give the value that ``dump`` made the text of."""
        ...


class JsonSerializer:
    """The serializer unless another is configured: JSON, with tags for what JSON has no word for."""

    def dump(self, value: Any) -> str:
        """Give a value's canonical JSON text.

        Raises:
            SerializationError: Something in it can't be stored; ``path`` says where.
        """
        if type(value) is str and value.isascii() and "\0" not in value:
            return quote(value)
        try:
            text = write_json(fitted(value))
        except (UnfitError, ValueError) as error:
            raise find_fault(value) or unknown_fault(value) from error
        if ("\\u0000" in text or not is_text(text)) and (fault := find_fault(value)):
            raise fault
        return text

    def load(self, text: str) -> Any:
        """Give the value of a text; what was never JSON raises SerializationError."""
        try:
            value, end = (_read_tagged if TAG in text else _read)(text, 0)
        except (StopIteration, ValueError, RecursionError) as error:
            if isinstance(error, SerializationError):
                raise
            raise SerializationError(f"a stored value is no JSON: {text[:60]!r}") from error
        if end != len(text):
            raise SerializationError(f"a stored value has something after its end: {text[:60]!r}")
        return value


class TextSerializer:
    """Makes any serializer's text fit for JSON documents, by writing it as a JSON string."""

    def __init__(self, inner: Serializer) -> None:
        self.inner = inner

    def dump(self, value: Any) -> str:
        """Give the inner serializer's text as a JSON string."""
        text = self.inner.dump(value)
        if not isinstance(text, str):
            raise SerializationError(
                f"{type(self.inner).__name__}.dump() gave {type(text).__name__}: it has to give str"
            )
        return json.dumps(text)

    def load(self, text: str) -> Any:
        """Give the value that the inner serializer reads from its text."""
        return self.inner.load(json.loads(text))


def embeddable(serializer: Serializer) -> Serializer:
    """Give a serializer whose texts are JSON: stores keep many of them in one JSON document."""
    return (
        serializer if isinstance(serializer, JsonSerializer | TextSerializer) else TextSerializer(serializer)
    )


def canonical(text: str) -> str:
    """Give the one text of all texts that differ from this one only in the order of keys."""
    return json.dumps(json.loads(text), sort_keys=True) if "{" in text else text


# --- Mappings, key by key ---------------------------------------------------------------------------


def dump_fields(serializer: Serializer, values: Mapping[str, Any]) -> dict[str, str]:
    """Give each key's encoded text; an error's path begins with the key."""
    texts = {}
    for key, value in values.items():
        if fault := find_fault({key: None}):
            raise fault
        try:
            texts[key] = serializer.dump(value)
        except SerializationError as error:
            raise under(key, error) from None
    return texts


def load_fields(serializer: Serializer, texts: Mapping[str, str]) -> dict[str, Any]:
    """Give each key's value."""
    return {key: serializer.load(text) for key, text in texts.items()}


_read = scanner()
_read_tagged = scanner(read_tagged)
