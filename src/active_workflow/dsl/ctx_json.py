"""Plain JSON read as the ctx type has it: a ``Decimal`` is written ``"9.99"``, a time as ISO 8601 has it."""

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, NewType, Union, get_args, get_origin, is_typeddict
from uuid import UUID

from active_workflow.dsl import ctx_msgspec, ctx_pydantic
from active_workflow.dsl.ctx_structure import hints_of
from active_workflow.dsl.ctx_types import CtxType
from active_workflow.dsl.durations import parse_duration
from active_workflow.errors import ConfigurationError, ContextError


def read_json(known: CtxType | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Give ctx as it came in JSON with the types that JSON lacks, where the ctx type names them.

    Args:
        known: The ctx type; without one nothing is changed.
        values: Plain JSON. What the type doesn't tell stays: whether it fits is checked at the start.

    Raises:
        ContextError: A text is no such value; the message says how one is written.
    """
    hints = {} if known is None else hints_of(known.type)
    return {key: _read(hints.get(key, Any), value, f"ctx.{key}") for key, value in values.items()}


def is_text(known: CtxType | None, key: str) -> bool:
    """Tell whether a key of ctx can be nothing but text (or None)."""
    hint = None if known is None else hints_of(known.type).get(key)
    members = get_args(hint) if get_origin(hint) in _UNIONS else (hint,)
    return {member for member in members if member is not type(None)} == {str}


_UNIONS = (Union, types.UnionType)


def _read(tp: Any, value: Any, path: str) -> Any:
    origin = get_origin(tp)
    if origin is Annotated:
        return _read(get_args(tp)[0], value, path)
    if isinstance(tp, NewType):
        return _read(tp.__supertype__, value, path)
    if origin in _UNIONS:
        return _union(get_args(tp), value, path)
    if isinstance(origin, type):
        return _generic(origin, get_args(tp), value, path)
    if isinstance(value, Mapping) and _has_fields(tp):
        hints = hints_of(tp)
        return {key: _read(hints.get(key, Any), inner, f"{path}.{key}") for key, inner in value.items()}
    return _scalar(tp, value, path)


def _has_fields(tp: Any) -> bool:
    return (
        is_typeddict(tp)
        or dataclasses.is_dataclass(tp)
        or ctx_msgspec.is_struct(tp)
        or ctx_pydantic.is_model(tp)
    )


def _union(members: Sequence[Any], value: Any, path: str) -> Any:
    """Leave what is of some member as it is; else the first member that can read it does."""
    if value is None or type(value) in members:
        return value
    problems = []
    for member in members:
        try:
            found = _read(member, value, path)
        except ContextError as error:
            problems.append(str(error))
        else:
            if found is not value:
                return found
    if len(problems) == len(members) - (type(None) in members):
        raise ContextError("; or ".join(problems))
    return value


def _generic(origin: type, arguments: Sequence[Any], value: Any, path: str) -> Any:
    if issubclass(origin, Mapping) and isinstance(value, Mapping):
        item = arguments[-1]
        return {key: _read(item, inner, f"{path}[{key!r}]") for key, inner in value.items()}
    if isinstance(value, list) and issubclass(origin, Sequence | AbstractSet):
        each = issubclass(origin, tuple) and arguments[-1:] != (Ellipsis,)
        members = list(arguments) if each else [arguments[0]] * len(value)
        if len(members) == len(value):
            pairs = enumerate(zip(members, value, strict=True))
            return [_read(member, inner, f"{path}[{at}]") for at, (member, inner) in pairs]
    return value


def _decimal(value: str | float) -> Decimal:
    found = Decimal(str(value))
    if not found.is_finite():
        raise ValueError
    return found


def _timedelta(value: str | float) -> timedelta:
    return timedelta(microseconds=parse_duration(value, "it"))


_READERS: Mapping[Any, tuple[tuple[type, ...], Callable[[Any], Any], str]] = {
    Decimal: ((str, int, float), _decimal, '"9.99"'),
    datetime: ((str,), datetime.fromisoformat, '"2026-11-24T08:00:00+00:00"'),
    date: ((str,), date.fromisoformat, '"2026-11-24"'),
    time: ((str,), time.fromisoformat, '"08:00:00"'),
    timedelta: ((str, int, float), _timedelta, '"15m", or a number of seconds'),
    UUID: ((str,), UUID, '"12345678-1234-5678-1234-567812345678"'),
}
"""Of each type: what JSON it is read from, how, and an example."""


def _scalar(tp: Any, value: Any, path: str) -> Any:
    known = _READERS.get(tp) if isinstance(tp, type) else None
    if known is None or isinstance(value, bool) or not isinstance(value, known[0]):
        return value
    _, read, example = known
    try:
        return read(value)
    except (ValueError, InvalidOperation, OverflowError, ConfigurationError):
        raise ContextError(f"{path} must be a {tp.__name__}, written {example}, not {value!r}") from None
