"""What stands in the brackets of ``Workflow[…]`` and ``Task[…]``: the type of ctx."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # with a default, so that a plain `Workflow` or `Task` has a ctx of any type
    from typing_extensions import TypeVar

    CtxT = TypeVar("CtxT", default=Any)
else:
    from typing import TypeVar

    CtxT = TypeVar("CtxT")

__all__ = ["CtxT"]
