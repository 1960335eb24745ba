"""Why a value can't be stored, and where in it: asked only after writing it has failed."""

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from active_workflow.errors import SerializationError

MAX_DEPTH = 100
"""Deeper values hit the recursion limit of one reader or another, ours included."""
_STORABLE = (
    *(type(None), bool, int, float, str, dict, list, tuple, set, frozenset),
    *(datetime, date, time, timedelta, Decimal, UUID, bytes, Enum),
)


def find_fault(value: object) -> SerializationError | None:
    """Give the error that tells the first thing in a value that can't be stored; None if all can."""
    return next((fault_at(path, reason) for path, reason in _faults(value, "", 0)), None)


def unknown_fault(value: object) -> SerializationError:
    """Give the error for a value that could not be written although nothing in it is known to be wrong."""
    return fault_at("", f"a value of type {type(value).__name__} can't be stored")


def fault_at(path: str, reason: str) -> SerializationError:
    """Give the error for a reason at a path."""
    return SerializationError(f"{path}: {reason}" if path else reason, path)


def under(key: str, error: SerializationError) -> SerializationError:
    """Give the same error as seen from the mapping that holds the value under this key."""
    reason = str(error).removeprefix(f"{error.path}: ") if error.path else str(error)
    joined = error.path if error.path.startswith("[") or not error.path else f".{error.path}"
    return fault_at(key + joined, reason)


def _faults(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH:
        yield _shortened(path), f"nested deeper than {MAX_DEPTH} levels (or it contains itself)"
        return
    reason = _reason(value)
    if reason is not None:
        yield path, reason
        return
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                yield path, f"the key {key!r} is no string: write str(key), or pass a list of pairs"
            elif (broken := _reason(key)) is not None:
                yield path, f"the key {key!r}: {broken}"
    for step, item in _children(value):
        yield from _faults(item, path + step if path or step[0] != "." else step[1:], depth + 1)


def _children(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Enum):
        yield ".value", value.value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (f".{key}" if str(key).isidentifier() else f"[{key!r}]"), item
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif isinstance(value, set | frozenset):
        for item in value:
            yield "{…}", item


def _reason(value: object) -> str | None:  # noqa: PLR0911 - a list of cases reads best as one
    """Tell why a value itself (not what is in it) can't be stored; None if it can."""
    if isinstance(value, str):
        return _text_reason(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value!r} is no JSON: pass None, or the word as text"
    if isinstance(value, Decimal) and not value.is_finite():
        return f"{value!r} can't be compared with itself: pass None, or the word as text"
    if isinstance(value, int) and not _is_readable(value):
        return "an integer of so many digits is refused by Python itself when read back: pass bytes"
    if isinstance(value, Enum) and "<locals>" in type(value).__qualname__:
        return (
            f"{type(value).__qualname__} is defined inside a function and can't be found again: move it out"
        )
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return f"a named tuple ({type(value).__name__}) would lose its names: pass value._asdict()"
    return None if isinstance(value, _STORABLE) else _object_reason(value)


def _is_readable(number: int) -> bool:
    try:
        int.__repr__(number)
    except ValueError:
        return False
    return True


def is_text(text: str) -> bool:
    """Tell whether a text can be written as UTF-8: it can't with half of a surrogate pair in it."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text_reason(text: str) -> str | None:
    if "\0" in text:
        return "text with a NUL character can't be kept by PostgreSQL: take it out, or pass bytes"
    if not is_text(text):
        return "half of a surrogate pair is no text: decode it with errors='replace', or pass bytes"
    return None


def _object_reason(value: Any) -> str:
    kind = type(value)
    for attribute, what, remedy in _HINTS:
        if all(hasattr(value, name) for name in attribute.split()):
            return f"{what} {kind.__qualname__} can't be stored: pass {remedy.format(kind.__name__.lower())}"
    if isinstance(value, bytearray | memoryview):
        return f"a {kind.__qualname__} can't be stored: pass bytes(value)"
    return f"a value of type {kind.__qualname__} can't be stored: pass what it is made of"


_HINTS = (
    ("_meta pk", "the model instance", "{}.pk"),  # Django's, known by its face: nothing is imported
    ("__dataclass_fields__", "the dataclass", "dataclasses.asdict({})"),
    ("model_dump", "the model", "{}.model_dump()"),
    ("__traceback__ args", "the exception", "str(error), or raise it"),
    ("__await__", "an awaitable", "what it gives: await it first"),
    ("__call__", "a callable", "what it returns"),
)


def _shortened(path: str, length: int = 60) -> str:
    return path if len(path) <= length else path[:length] + "…"
