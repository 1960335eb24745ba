"""Plain values made into typed ones, nested types included, and back: dataclasses and the standard types."""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import lru_cache
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from active_workflow.dsl import ctx_msgspec, ctx_pydantic
from active_workflow.dsl.where import listed, nearest
from active_workflow.errors import ContextError

_UNIONS = (Union, types.UnionType)


def structure(tp: Any, value: Any, path: str) -> Any:  # noqa: PLR0911 - a list of cases
    """Give a value as an instance of an annotated type.

    Args:
        tp: The annotation.
        value: Plain data, or instances already.
        path: Where in ctx it is, for messages.

    Raises:
        ContextError: It doesn't fit.
    """
    if type(value) is tp:  # most values: nothing nested, nothing to convert
        return value
    origin = get_origin(tp)
    if origin is Annotated:
        return structure(get_args(tp)[0], value, path)
    if isinstance(tp, NewType):
        return structure(tp.__supertype__, value, path)
    if tp is Any or tp is object or isinstance(tp, TypeVar | str):
        return value
    if origin in _UNIONS:
        return _union(get_args(tp), value, path)
    if origin is Literal:
        return _checked(value, value in get_args(tp), f"one of {listed(map(repr, get_args(tp)))}", path)
    if origin is not None:
        return _generic(origin, get_args(tp), value, path)
    return _class(tp, value, path)


def _class(tp: Any, value: Any, path: str) -> Any:  # noqa: PLR0911 - a list of cases
    if tp is None or tp is type(None):
        return _checked(value, value is None, "None", path)
    if is_typeddict(tp):
        return typed_dict(tp, value, path)
    if not isinstance(tp, type) or isinstance(value, tp):
        return value
    if isinstance(value, Mapping):
        if dataclasses.is_dataclass(tp):
            return dataclass_instance(tp, value, path)
        if ctx_msgspec.is_struct(tp):
            return ctx_msgspec.load(tp, value, path)
        if ctx_pydantic.is_model(tp):
            return ctx_pydantic.load(tp, value, path)
    if issubclass(tp, Enum):
        return _enum(tp, value, path)
    if tp is float and isinstance(value, int):
        return float(value)
    return _checked(value, False, tp.__name__, path)


def _enum(tp: type[Enum], value: Any, path: str) -> Any:
    try:
        return tp(value)
    except ValueError:
        return _checked(value, False, f"one of {listed(repr(item.value) for item in tp)}", path)


def _union(members: Sequence[Any], value: Any, path: str) -> Any:
    for member in members:
        if (isinstance(member, type) and type(value) is member) or (value is None and member is type(None)):
            return value
    problems = []
    for member in members:
        try:
            return structure(member, value, path)
        except ContextError as error:
            problems.append(str(error))
    raise ContextError(f"{path} fits no member of its type: " + "; ".join(problems))


def _generic(origin: Any, arguments: Sequence[Any], value: Any, path: str) -> Any:
    if not isinstance(origin, type):
        return value
    if issubclass(origin, Mapping):
        _checked(value, isinstance(value, Mapping), "a mapping", path)
        _, item = arguments
        return {key: structure(item, inner, f"{path}[{key!r}]") for key, inner in value.items()}
    if issubclass(origin, tuple):
        return _tuple(arguments, value, path)
    if issubclass(origin, AbstractSet):
        _checked(value, isinstance(value, AbstractSet | list | tuple), "a set", path)
        items = (structure(arguments[0], inner, f"{path}[…]") for inner in value)
        return frozenset(items) if origin is frozenset else set(items)
    if issubclass(origin, Sequence):
        _checked(value, isinstance(value, list | tuple), "a list", path)
        return [structure(arguments[0], inner, f"{path}[{at}]") for at, inner in enumerate(value)]
    return value if isinstance(value, Mapping) is False else _class(origin, value, path)


def _tuple(arguments: Sequence[Any], value: Any, path: str) -> Any:
    _checked(value, isinstance(value, list | tuple), "a tuple", path)
    members = [arguments[0]] * len(value) if arguments[-1:] == (Ellipsis,) else list(arguments)
    _checked(value, len(members) == len(value), f"a tuple of {len(members)}", path)
    return tuple(
        structure(member, inner, f"{path}[{at}]")
        for at, (member, inner) in enumerate(zip(members, value, strict=True))
    )


def _checked(value: Any, fits: bool, wanted: str, path: str) -> Any:
    if not fits:
        raise ContextError(f"{path} must be {wanted}, not {type(value).__name__} {value!r}")
    return value


def typed_dict(tp: Any, value: Any, path: str) -> Any:
    """Give a mapping as a TypedDict, its values structured."""
    _checked(value, isinstance(value, Mapping), "a mapping", path)
    hints = hints_of(tp)
    known_keys(value, hints, tp, path)
    _present(tp.__required_keys__, value, tp, path)
    return {key: structure(hints[key], inner, f"{path}.{key}") for key, inner in value.items()}


def dataclass_instance(cls: Any, value: Mapping[str, Any], path: str, *, make: Any = None) -> Any:
    """Make an instance of a dataclass (or, with ``make``, of a subclass that adds no field)."""
    hints = hints_of(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    known_keys(value, fields, cls, path)
    _present(
        (name for name, field in fields.items() if default_of(field) is None and field.init), value, cls, path
    )
    given = {name: structure(hints.get(name, Any), inner, f"{path}.{name}") for name, inner in value.items()}
    instance = (make or cls)(**{name: inner for name, inner in given.items() if fields[name].init})
    for name, inner in given.items():
        if not fields[name].init:
            object.__setattr__(instance, name, inner)
    return instance


def _present(required: Any, value: Mapping[str, Any], tp: Any, path: str) -> None:
    lacking = [name for name in required if name not in value]
    if lacking:
        raise ContextError(
            f"{path} lacks {listed(lacking)}, which {tp.__name__} asks for; give it, or give it a default"
        )


def default_of(field: Any) -> Any:
    """Give a function that gives a dataclass field's default, or None where it has none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    return None if field.default is dataclasses.MISSING else lambda: field.default


def known_keys(value: Mapping[str, Any], known: Any, tp: Any, path: str) -> None:
    """Check that a type has every key of a mapping.

    Raises:
        ContextError: It lacks one; the message gives the nearest.
    """
    for key in value:
        if key not in known:
            near = nearest(str(key), known)
            raise ContextError(
                f"{path}.{key}: {tp.__name__} has no field {key!r}{near}; it has {listed(known)}"
            )


@lru_cache(maxsize=512)
def hints_of(cls: Any) -> dict[str, Any]:
    """Give the types of a class's fields; none where a name in them can't be found at run time."""
    try:
        return get_type_hints(cls, include_extras=False)
    except NameError:  # a type defined inside a function, under `from __future__ import annotations`
        return {}


def plain(value: Any) -> Any:  # noqa: PLR0911 - a list of cases
    """Give a value with every model instance in it as a mapping, ready for the serializer."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, tuple):
        return tuple(plain(inner) for inner in value)
    if isinstance(value, type):
        return value
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if ctx_msgspec.is_struct(type(value)):
        return plain(ctx_msgspec.field_values(value))
    if ctx_pydantic.is_model(type(value)):
        return ctx_pydantic.plain(value)
    return value
