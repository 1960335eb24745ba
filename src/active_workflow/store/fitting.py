"""Fitting values into JSON: what it has no word for is replaced by its tagged form.

This is on the way of every value of every step. It looks at types only and bails out with ``UnfitError``
where something can't be stored; ``faults`` then finds out what, and where. What a type doesn't tell (NaN,
NUL characters) is found by the JSON writer and in the text.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from operator import is_
from typing import Any

from active_workflow.store.faults import MAX_DEPTH
from active_workflow.store.jsontext import write_json
from active_workflow.store.tags import TAG, enum_name, tagged, write_scalar

_PLAIN = frozenset({str, int, float, bool, type(None)})


class UnfitError(Exception):
    """The value can't be stored; ``find_fault`` finds out why."""


def fitted(value: Any, depth: int = 0) -> Any:
    """Give the value as JSON has it: the very same object where nothing in it needs a tag."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if depth >= MAX_DEPTH:
        raise UnfitError
    if kind is dict:
        return _fit_dict(value, depth + 1)
    if kind is list:
        return _fit_list(value, depth + 1)
    return _fit_other(value, depth + 1)


def _fit_dict(value: dict[Any, Any], depth: int) -> Any:
    moved = {}
    for key, item in value.items():
        if type(key) is not str and not isinstance(key, str):
            raise UnfitError
        if type(item) not in _PLAIN:
            fit = fitted(item, depth)
            if fit is not item:
                moved[key] = fit
    if moved:
        value = {**value, **moved}
    if TAG in value:
        return tagged("dict", [[key, value[key]] for key in value])
    return value


def _fit_list(value: list[Any], depth: int) -> list[Any]:
    if _PLAIN.issuperset(map(type, value)):
        return value
    fits = _fit_all(value, depth)
    return value if all(map(is_, fits, value)) else fits


def _fit_all(items: Iterable[Any], depth: int) -> list[Any]:
    return [fitted(item, depth) for item in items]


def _fit_enum(value: Enum, depth: int) -> Any:
    if "<locals>" in type(value).__qualname__:
        raise UnfitError
    return {**tagged("enum", fitted(value.value, depth)), "t": enum_name(type(value))}


def _fit_tuple(value: tuple[Any, ...], depth: int) -> Any:
    if hasattr(value, "_asdict"):
        raise UnfitError
    return tagged("tuple", _fit_all(value, depth))


def _fit_other(value: Any, depth: int) -> Any:
    for base, fit in _BASES.items():
        if isinstance(value, base):
            return fit(value, depth)
    data = write_scalar(value)
    if data is None:
        raise UnfitError
    return data


_BASES: dict[type, Callable[[Any, int], Any]] = {
    Enum: _fit_enum,  # first: a member may be text or a number as well
    tuple: _fit_tuple,
    set: lambda value, depth: tagged("set", sorted(_fit_all(value, depth), key=write_json)),
    frozenset: lambda value, depth: tagged("frozenset", sorted(_fit_all(value, depth), key=write_json)),
    dict: lambda value, depth: _fit_dict(dict(value), depth),
    list: lambda value, depth: _fit_list(list(value), depth),
    str: lambda value, _: str.__str__(value),
    int: lambda value, _: int.__index__(value),
    float: lambda value, _: float.__pos__(value),
}
