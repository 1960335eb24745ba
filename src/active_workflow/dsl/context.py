"""ctx without a type: a mapping with attribute access over encoded values, decoded only when looked at.

The store keeps ctx as one encoded text for each key. ``OpenCtx`` is one attempt's hold on it: it decodes a
key when it is first read and, at the end, encodes again only what may have changed. ``Ctx`` is what users
see of it.
"""

from collections.abc import ItemsView, Iterator, Mapping, MutableMapping
from typing import Any, Protocol

from active_workflow.dsl.current import RESERVED, StepInfo
from active_workflow.dsl.where import listed, nearest
from active_workflow.errors import ContextError, MissingKey, ReadOnlyError, SerializationError


class Serializer(Protocol):
    """Turns values into text and back. One that isn't ours may be configured."""

    def dump(self, value: Any, /) -> str:
        """Encode a value; raise SerializationError (with the path), TypeError or ValueError if not."""
        ...

    def load(self, text: str, /) -> Any:
        """Give the value that ``dump`` encoded."""


ENDED = "the step has ended: what is written to ctx now would be lost; write it before the step returns"
NO_STEP = "execution_id, step_name, step_key and attempt are there while a step runs only"
SNAPSHOT = "this ctx only shows what was recorded; steps and signals change it"

IMMUTABLE = frozenset({str, int, float, bool, type(None), bytes})


class OpenCtx:
    """One attempt's hold on a ctx without a type."""

    __slots__ = ("_changed", "_deleted", "_values", "closed", "fragments", "info", "serializer")

    def __init__(
        self, fragments: Mapping[str, str], info: StepInfo | None, serializer: Serializer, closed: str = ""
    ) -> None:
        self.fragments = fragments
        self.info = info
        self.serializer = serializer
        self.closed = closed
        self._values: dict[str, Any] = {}
        self._changed: dict[str, None] = {}  # keys that were set, or whose value can be changed in place
        self._deleted: dict[str, None] = {}

    @property
    def view(self) -> "Ctx":
        """What user code sees."""
        return Ctx(self)

    def merge(self, mapping: Mapping[Any, Any]) -> None:
        """Take over the mapping that a step returned."""
        for key, value in mapping.items():
            self.set(key, value)

    def patch(self) -> dict[str, str | None]:
        """Give the keys whose encoded value is another one now; None for a deleted key.

        Raises:
            SerializationError: A value can't be stored; ``path`` says where in ctx it is.
        """
        patch: dict[str, str | None] = {}
        for key in self._changed:
            text = encode(self.serializer, key, self._values[key])
            if text != self.fragments.get(key):
                patch[key] = text
        for key in self._deleted:
            patch[key] = None
        return patch

    def close(self) -> None:
        """Refuse whatever is written from now on."""
        self.closed = ENDED

    def keys(self) -> list[str]:
        """The keys there are, in the order they came."""
        kept = [key for key in self.fragments if key not in self._deleted]
        return kept + [key for key in self._values if key not in self.fragments]

    def has(self, key: object) -> bool:
        """Tell whether there is such a key."""
        return key in self._values or (key in self.fragments and key not in self._deleted)

    def get(self, key: str) -> Any:
        """Give a value; a KeyError if there is none."""
        if key in self._values:
            return self._values[key]
        if key in self._deleted:
            raise KeyError(key)
        value = self._values[key] = self.serializer.load(self.fragments[key])
        if type(value) not in IMMUTABLE:
            self._changed[key] = None
        return value

    def set(self, key: object, value: Any) -> None:
        """Set a key."""
        key = storable_key(key)
        self._writable(key)
        self._values[key] = value
        self._changed[key] = None
        self._deleted.pop(key, None)

    def delete(self, key: str) -> None:
        """Delete a key that there is."""
        self._writable(key)
        self._values.pop(key, None)
        self._changed.pop(key, None)
        if key in self.fragments:
            self._deleted[key] = None

    def _writable(self, key: str) -> None:
        if self.closed:
            raise ReadOnlyError(f"ctx.{key} can't be changed: {self.closed}")


class Ctx(MutableMapping[str, Any]):
    """The state that the steps of an execution share: a mapping whose keys are attributes, too.

    Beside the keys there are, read-only, ``execution_id``, ``step_name``, ``step_key`` and ``attempt``, and
    in a transactional step ``connection``.
    """

    __slots__ = ("__open",)
    __open: OpenCtx
    __hash__ = None  # type: ignore[assignment]  # it is mutable

    def __init__(self, opened: OpenCtx) -> None:
        _hold(self, opened)

    def __getitem__(self, key: str) -> Any:
        try:
            return self.__open.get(key)
        except KeyError:
            raise missing(key, self.__open.keys()) from None

    def __setitem__(self, key: str, value: Any) -> None:
        self.__open.set(key, value)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise missing(key, self.__open.keys())
        self.__open.delete(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__open.keys())

    def __len__(self) -> int:
        return len(self.__open.keys())

    def __contains__(self, key: object) -> bool:
        found: bool = self.__open.has(key)
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python asks for its own protocols; those are no keys
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _METHODS:
            raise ReadOnlyError(f'ctx.{name} is a method of ctx; write ctx["{name}"] for a key of that name')
        if name in RESERVED:
            raise ReadOnlyError(f"ctx.{name} is the engine's own name and can't be set; choose another key")
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    @property
    def items(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - the keys come first
        """The user's key ``items`` if there is one, else the mapping's method."""
        return self.get("items", self.__pairs)

    def __pairs(self) -> ItemsView[str, Any]:
        return ItemsView(self)

    @property
    def execution_id(self) -> str:
        """The execution's id."""
        return self.__info.execution_id

    @property
    def step_name(self) -> str:
        """The step that runs."""
        return self.__info.step_name

    @property
    def step_key(self) -> str:
        """``"<execution id>:<step>"``, the same over all attempts: a key for calls to others."""
        return self.__info.step_key

    @property
    def attempt(self) -> int:
        """Which attempt of the step this is; 1 is the first."""
        return self.__info.attempt

    @property
    def connection(self) -> Any:
        """The connection of a transactional step; anywhere else the user's key of that name."""
        info: StepInfo | None = self.__open.info
        handed = None if info is None else info.connection
        return self["connection"] if handed is None else handed

    @property
    def __info(self) -> StepInfo:
        info: StepInfo | None = self.__open.info
        if info is None:
            raise AttributeError(NO_STEP)
        return info

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    def __repr__(self) -> str:
        return f"Ctx({dict(self)!r})"


_hold = Ctx.__dict__["_Ctx__open"].__set__
_METHODS = frozenset(name for name in dir(MutableMapping) if not name.startswith("_")) - {"items"}


def missing(key: object, keys: list[str]) -> MissingKey:
    """Give the error for a key that ctx doesn't have."""
    return MissingKey(f"ctx has no key {key!r}{nearest(str(key), keys)}; it has {listed(keys)}")


def storable_key(key: object) -> str:
    """Check that something can be a key of ctx.

    Raises:
        SerializationError: It is no text.
        ContextError: It is one of the engine's names.
    """
    if type(key) is not str and not isinstance(key, str):
        raise SerializationError(f"ctx[{key!r}]: a key must be text, not {type(key).__name__}", f"[{key!r}]")
    if key in RESERVED:
        raise ContextError(f"ctx.{key} is the engine's own name and can't be a key; choose another")
    return str(key)


def encode(serializer: Serializer, key: str, value: Any) -> str:
    """Encode the value of a key.

    Raises:
        SerializationError: It can't be; ``path`` begins with the key.
    """
    try:
        return serializer.dump(value)
    except (TypeError, ValueError, RecursionError) as error:  # what serializers raise, ours and others'
        inner = str(getattr(error, "path", ""))
        path = key + (inner if inner[:1] in {"", "["} else f".{inner}")
        reason = str(error).removeprefix(f"{inner}: ")
        raise SerializationError(f"ctx.{path}: {reason}", path) from error
