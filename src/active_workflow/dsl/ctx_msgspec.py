"""ctx types and nested values that are ``msgspec.Struct``s. The library is met only if the user has it."""

import sys
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from active_workflow.errors import ContextError

_KEPT = (bytes, date, datetime, time, timedelta, Decimal, UUID)
"""What the serializer stores as it is."""


def is_struct(cls: object) -> bool:
    """Tell whether a class is a Struct: then the user has imported msgspec."""
    msgspec = sys.modules.get("msgspec")
    return msgspec is not None and isinstance(cls, type) and issubclass(cls, msgspec.Struct)


def field_defaults(cls: Any) -> dict[str, Any]:
    """Give the fields, each with a function that gives its default, or None where it has none."""
    msgspec = _msgspec()
    return {field.name: _default(field, msgspec.NODEFAULT) for field in msgspec.structs.fields(cls)}


def _default(field: Any, nothing: Any) -> Any:
    if field.default_factory is not nothing:
        return field.default_factory
    return None if field.default is nothing else lambda: field.default


def load(cls: Any, plain: Mapping[str, Any], path: str) -> Any:
    """Make an instance, nested ones included.

    Raises:
        ContextError: The values don't fit the type.
    """
    msgspec = _msgspec()
    renamed = {field.name: field.encode_name for field in msgspec.structs.fields(cls)}
    given = {renamed.get(name, name): value for name, value in plain.items()}
    try:
        return msgspec.convert(given, cls, builtin_types=_KEPT)
    except msgspec.ValidationError as error:
        raise ContextError(f"{path} doesn't fit {cls.__name__}: {error}") from None


def field_values(instance: Any) -> dict[str, Any]:
    """Give the fields of an instance, nested instances as they are."""
    fields = _msgspec().structs.fields(type(instance))
    return {field.name: getattr(instance, field.name) for field in fields}


def _msgspec() -> Any:
    return sys.modules["msgspec"]
