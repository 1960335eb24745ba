"""What users see of a typed ctx: an instance of their type that also has the engine's names and ``ctx["k"]``.

The instance is of a subclass made here, so that it can tell when a step writes what would be lost: a name
that the type lacks, or anything after the step has ended. It passes for the user's own class.
"""

import types
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from active_workflow.dsl.context import NO_STEP, Serializer, missing
from active_workflow.dsl.current import RESERVED, StepInfo
from active_workflow.dsl.where import listed, nearest
from active_workflow.errors import ContextError, ReadOnlyError

_HOLD = "_active_workflow_hold"


class Hold:
    """What a view knows beside the fields of its type.

    Attributes:
        info: Which attempt it is for.
        fields: The names its type has.
        takes_more: Whether its type takes other names, too.
        more: Encoded values of keys that the type has no field for: payloads of signals and completions.
        serializer: Decodes these.
        closed: Why nothing can be written, once that is so.
    """

    __slots__ = ("closed", "fields", "info", "more", "serializer", "takes_more")

    def __init__(
        self,
        info: StepInfo | None,
        fields: Iterable[str],
        more: Mapping[str, str],
        serializer: Serializer,
        *,
        takes_more: bool = False,
    ) -> None:
        self.info = info
        self.fields = frozenset(fields)
        self.takes_more = takes_more
        self.more = more
        self.serializer = serializer
        self.closed = ""

    def check(self, cls: type, name: str) -> None:
        """Raise where a name can't be set."""
        if self.closed:
            raise ReadOnlyError(f"ctx.{name} can't be changed: {self.closed}")
        if name in RESERVED:
            raise ReadOnlyError(f"ctx.{name} is the engine's own name and can't be set")
        own = name.startswith("_") or hasattr(getattr(cls, name, None), "__set__")
        if not (own or self.takes_more or name in self.fields):
            fields = sorted(self.fields)
            what = f"ctx.{name}: {cls.__name__} has no field {name!r}{nearest(name, fields)}"
            raise ContextError(f"{what}; it has {listed(fields)}")


class CtxInfo:
    """Inherit it in a ctx type to have the engine's names typed: they are there while a step runs.

    Without it they are there as well, but type checkers don't know.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        connection: Any
        """The database connection (or session) that a transactional step is handed."""

    @property
    def execution_id(self) -> str:
        """The execution's id."""
        return _info(self).execution_id

    @property
    def step_name(self) -> str:
        """The step that runs."""
        return _info(self).step_name

    @property
    def step_key(self) -> str:
        """``"<execution id>:<step>"``, the same over all attempts: a key for calls to others."""
        return _info(self).step_key

    @property
    def attempt(self) -> int:
        """Which attempt of the step this is; 1 is the first."""
        return _info(self).attempt

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self, key)
        except AttributeError:
            raise missing(key, keys_of(self)) from None

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, value)

    def __contains__(self, key: object) -> bool:
        return key in keys_of(self)


def hold_of(view: Any) -> Hold | None:
    """Give a view's hold, or None for an instance that the user made."""
    try:
        found = object.__getattribute__(view, _HOLD)
    except AttributeError:
        return None
    return found if isinstance(found, Hold) else None


def keys_of(view: Any) -> list[str]:
    """Give the keys that ``ctx["k"]`` knows."""
    hold = hold_of(view)
    return [] if hold is None else [*sorted(hold.fields), *hold.more]


def _info(view: Any) -> StepInfo:
    hold = hold_of(view)
    if hold is None or hold.info is None:
        raise AttributeError(NO_STEP)
    return hold.info


def _more(view: Any, name: str) -> Any:
    """Give a value that the type has no field for."""
    hold = hold_of(view)
    handed = None if hold is None or hold.info is None else hold.info.connection
    if name == "connection" and handed is not None:
        return handed
    if hold is None or name not in hold.more:
        raise missing(name, keys_of(view))
    return hold.serializer.load(hold.more[name])


def bound_class(user: type, *, slots: bool = False, keywords: Mapping[str, Any] | None = None) -> Any:
    """Make the subclass of a user's ctx type that views are instances of.

    Args:
        user: A dataclass, Struct or pydantic model.
        slots: Whether the hold needs a slot of its own, apart from the instance's ``__dict__``.
        keywords: Class keywords.
    """

    def fill(namespace: dict[str, Any]) -> None:
        def __setattr__(self: Any, name: str, value: Any) -> None:  # noqa: N807 - it becomes one
            if (hold := hold_of(self)) is not None:
                hold.check(user, name)
            super(view, self).__setattr__(name, value)

        def __getattr__(self: Any, name: str) -> Any:  # noqa: N807 - it becomes one
            inherited = getattr(super(view, self), "__getattr__", None)
            if inherited is not None:
                with suppress(AttributeError):
                    return inherited(name)
            return _more(self, name)

        namespace.update(
            __module__=user.__module__,
            __qualname__=user.__qualname__,
            __doc__=user.__doc__,
            __setattr__=__setattr__,
            __getattr__=__getattr__,
            __class__=property(lambda _self: user),  # equal to the user's own instances, by their __eq__
        )
        if slots:
            namespace["__slots__"] = (_HOLD,)

    bases = (user,) if issubclass(user, CtxInfo) else (user, CtxInfo)
    view: Any = types.new_class(user.__name__, bases, dict(keywords or {}), fill)
    return view


def attach(view: Any, hold: Hold, *, to_dict: bool = True) -> None:
    """Give a view its hold."""
    if to_dict:
        view.__dict__[_HOLD] = hold
    else:
        object.__setattr__(view, _HOLD, hold)
