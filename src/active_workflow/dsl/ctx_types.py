"""The kinds of ctx types: dataclass, TypedDict, msgspec Struct, pydantic model."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol, is_typeddict

from active_workflow.dsl import ctx_msgspec, ctx_pydantic
from active_workflow.dsl.ctx_structure import (
    dataclass_instance,
    default_of,
    known_keys,
    plain,
    typed_dict,
)
from active_workflow.dsl.ctx_view import CtxInfo, Hold, attach, bound_class, hold_of
from active_workflow.dsl.where import listed
from active_workflow.errors import MissingKey

Defaults = Mapping[str, Callable[[], Any] | None]


class CtxType(Protocol):
    """What the library knows of a workflow's ctx type.

    Attributes:
        type: The user's own class.
        defaults: Its fields, each with a function that gives its default, or None where it has none.
        takes_more: Whether it takes keys that it has no field for.
    """

    type: Any
    defaults: Defaults
    takes_more: bool

    def load(self, values: Mapping[str, Any]) -> Any:
        """Give a view; raise ContextError where the values don't fit."""
        ...

    def plain(self, view: Any) -> dict[str, Any]:
        """Give a view's values with model instances as mappings."""
        ...

    def hold(self, view: Any, hold: Hold) -> None:
        """Tell a view which attempt it is for."""
        ...

    def given_by(self, instance: Any) -> frozenset[str]:
        """Give the fields of a user's instance that may have been given by the user."""
        ...


class DataclassCtx:
    """A dataclass as ctx type."""

    def __init__(self, cls: Any) -> None:
        self.type = cls
        self.takes_more = False
        self.defaults: Defaults = {field.name: default_of(field) for field in dataclasses.fields(cls)}
        self._view = bound_class(cls)

    def load(self, values: Mapping[str, Any]) -> Any:
        return dataclass_instance(self.type, values, "ctx", make=self._view)

    def plain(self, view: Any) -> dict[str, Any]:
        return {name: plain(getattr(view, name)) for name in self.defaults}

    def hold(self, view: Any, hold: Hold) -> None:
        attach(view, hold)

    def given_by(self, instance: Any) -> frozenset[str]:  # noqa: ARG002 - it can't tell
        return frozenset(self.defaults)


class StructCtx:
    """A msgspec Struct as ctx type."""

    def __init__(self, cls: Any) -> None:
        self.type = cls
        self.takes_more = False
        self.defaults: Defaults = ctx_msgspec.field_defaults(cls)
        self._view = bound_class(cls, keywords={"dict": True})
        self._view.__eq__ = _equal_as(cls)

    def load(self, values: Mapping[str, Any]) -> Any:
        known_keys(values, self.defaults, self.type, "ctx")
        return ctx_msgspec.load(self._view, values, "ctx")

    def plain(self, view: Any) -> dict[str, Any]:
        return dict(plain(ctx_msgspec.field_values(view)))

    def hold(self, view: Any, hold: Hold) -> None:
        attach(view, hold)

    def given_by(self, instance: Any) -> frozenset[str]:  # noqa: ARG002 - it can't tell
        return frozenset(self.defaults)


class PydanticCtx:
    """A pydantic model as ctx type."""

    def __init__(self, cls: Any) -> None:
        self.type = cls
        self.takes_more = ctx_pydantic.takes_more(cls)
        self.defaults: Defaults = ctx_pydantic.field_defaults(cls)
        self._aliases = ctx_pydantic.aliases(cls)
        self._view = bound_class(cls, slots=True)

    def load(self, values: Mapping[str, Any]) -> Any:
        if not self.takes_more:
            known_keys(values, {**self.defaults, **self._aliases}, self.type, "ctx")
        names = {name: alias for alias, name in self._aliases.items()}
        return ctx_pydantic.load(
            self._view, {names.get(key, key): value for key, value in values.items()}, "ctx"
        )

    def plain(self, view: Any) -> dict[str, Any]:
        return ctx_pydantic.plain(view)

    def hold(self, view: Any, hold: Hold) -> None:
        attach(view, hold, to_dict=False)

    def given_by(self, instance: Any) -> frozenset[str]:
        return ctx_pydantic.fields_set(instance)


class TypedDictCtx:
    """A TypedDict as ctx type: the view is a dict that checks its keys."""

    def __init__(self, cls: Any) -> None:
        self.type = cls
        self.takes_more = False
        self.defaults: Defaults = dict.fromkeys(cls.__annotations__)

    def load(self, values: Mapping[str, Any]) -> Any:
        return DictCtx(typed_dict(self.type, values, "ctx"))

    def plain(self, view: Any) -> dict[str, Any]:
        return {str(key): plain(value) for key, value in view.items()}

    def hold(self, view: Any, hold: Hold) -> None:
        attach(view, hold)

    def given_by(self, instance: Any) -> frozenset[str]:
        return frozenset(instance)


class DictCtx(dict[str, Any], CtxInfo):
    """The view of a ctx whose type is a TypedDict."""

    def __missing__(self, key: str) -> Any:
        return CtxInfo.__getitem__(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if (hold := hold_of(self)) is not None:
            hold.check(DictCtx, key)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        if (hold := hold_of(self)) is not None:
            hold.check(DictCtx, key)
        super().__delitem__(key)

    def __getattr__(self, name: str) -> Any:
        hold = hold_of(self)
        if name in self:
            return self[name]
        if hold is not None and (handed := hold.handed(name)) is not None:
            return handed
        if hold is None or name not in hold.more:
            raise MissingKey(f"ctx has no key {name!r}; it has {listed(self)}")
        return hold.serializer.load(hold.more[name])

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def _equal_as(cls: type) -> Callable[[Any, object], bool]:
    """Structs are equal only if their classes are the same: compare as the user's own class would."""

    def __eq__(self: Any, other: object) -> bool:  # noqa: N807 - it becomes one
        return isinstance(other, cls) and ctx_msgspec.field_values(self) == ctx_msgspec.field_values(other)

    return __eq__


def ctx_type(cls: Any) -> CtxType | None:
    """Give what is known of a ctx type, or None for a class that can't be one."""
    if is_typeddict(cls):
        return TypedDictCtx(cls)
    if not isinstance(cls, type):
        return None
    if ctx_pydantic.is_model(cls):
        return PydanticCtx(cls)
    if ctx_msgspec.is_struct(cls):
        return StructCtx(cls)
    return DataclassCtx(cls) if dataclasses.is_dataclass(cls) else None


def is_default(known: CtxType, name: str, value: Any) -> bool:
    """Tell whether a value is what the field has without it."""
    default = known.defaults.get(name)
    return default is not None and bool(default() == value)
