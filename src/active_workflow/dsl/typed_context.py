"""One attempt's hold on a ctx that has a type."""

from collections.abc import Mapping
from typing import Any

from active_workflow.dsl.context import ENDED, IMMUTABLE, Serializer, encode, storable_key
from active_workflow.dsl.ctx_structure import known_keys
from active_workflow.dsl.ctx_types import CtxType
from active_workflow.dsl.ctx_view import Hold
from active_workflow.dsl.current import StepInfo


class OpenTypedCtx:
    """The same as ``OpenCtx``, with an instance of the user's type as view."""

    __slots__ = ("_hold", "_loaded", "_merged", "_type", "fragments", "serializer", "view")

    def __init__(
        self, known: CtxType, fragments: Mapping[str, str], info: StepInfo | None, serializer: Serializer
    ) -> None:
        self._type = known
        self._merged: dict[str, Any] = {}
        self.fragments = fragments
        self.serializer = serializer
        more = {key: text for key, text in fragments.items() if not self._has(key)}
        self._hold = Hold(info, known.defaults, more, serializer, takes_more=known.takes_more)
        self._loaded = self._decoded()
        self.view = known.load(self._loaded)
        known.hold(self.view, self._hold)

    def _decoded(self) -> dict[str, Any]:
        load = self.serializer.load
        return {key: load(text) for key, text in self.fragments.items() if self._has(key)}

    def _has(self, key: str) -> bool:
        return self._type.takes_more or key in self._type.defaults

    def merge(self, mapping: Mapping[Any, Any]) -> None:
        """Take over the mapping that a step returned; a key that the type lacks is a ContextError."""
        keys = {storable_key(key): None for key in mapping}
        if not self._type.takes_more:
            known_keys(keys, self._type.defaults, self._type.type, "ctx")
        self._merged.update(mapping)

    def patch(self) -> dict[str, str | None]:
        """Give the keys whose encoded value is another one now; None for a deleted key.

        Raises:
            SerializationError: A value can't be stored; ``path`` says where in ctx it is.
            ContextError: A value doesn't fit the type.
        """
        values = self._type.plain(self.view)
        if self._merged:
            values = self._type.plain(self._type.load({**values, **self._merged}))
        texts = {
            key: encode(self.serializer, key, value)
            for key, value in values.items()
            if type(value) not in IMMUTABLE or value is not self._loaded.get(key, self)
        }
        moved = {key: text for key, text in texts.items() if text != self.fragments.get(key)}
        patch: dict[str, str | None] = {**self._changed_here(moved)}
        if patch and not self._merged:
            self._type.load(values)  # the next step must be able to read what this one wrote
        gone = (key for key in self.fragments if self._has(key) and key not in values)
        return {**patch, **dict.fromkeys(gone)}

    def _changed_here(self, moved: Mapping[str, str]) -> dict[str, str]:
        """Leave out what differs only because the type reads or defaults it so."""
        if not moved:
            return {}
        before = self._type.plain(self._type.load(self._decoded()))
        return {
            key: text
            for key, text in moved.items()
            if key not in before or encode(self.serializer, key, before[key]) != text
        }

    def close(self) -> None:
        """Refuse whatever is written from now on."""
        self._hold.closed = ENDED
