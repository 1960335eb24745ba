"""Opens ctx for one attempt of a step, typed or not."""

from collections.abc import Mapping
from typing import Any, Protocol

from active_workflow.dsl.context import OpenCtx, Serializer
from active_workflow.dsl.current import StepInfo
from active_workflow.dsl.program import Program
from active_workflow.dsl.typed_context import OpenTypedCtx


class Opened(Protocol):
    """One attempt's hold on ctx."""

    @property
    def view(self) -> Any:
        """What user code sees: a ``Ctx``, or an instance of the ctx type."""
        ...

    def merge(self, mapping: Mapping[Any, Any], /) -> None:
        """Take over the mapping that a step returned; ContextError for a key that can't be."""
        ...

    def patch(self) -> Mapping[str, str | None]:
        """Give the keys that changed, None for a deleted one; raise SerializationError or ContextError."""
        ...

    def close(self) -> None:
        """Refuse whatever is written from now on."""


def open_ctx(
    program: Program, fragments: Mapping[str, str], info: StepInfo | None, serializer: Serializer
) -> Opened:
    """Open ctx for one attempt.

    Args:
        program: The workflow.
        fragments: What is recorded: the encoded value of each key.
        info: The attempt; None outside of one.
        serializer: Encodes and decodes values.

    Raises:
        ContextError: What is recorded doesn't fit the ctx type.
    """
    if program.ctx_type is None:
        return OpenCtx(fragments, info, serializer)
    return OpenTypedCtx(program.ctx_type, fragments, info, serializer)
