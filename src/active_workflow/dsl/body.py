"""What is written in a class body, noted while Python executes it.

Every step made in a class body is noted in that body's own namespace. When the class is compiled, a step
that was made there and is not found under a name is a mistake that can be told: nothing is lost silently.
"""

import inspect
from dataclasses import dataclass, field
from itertools import count
from types import FrameType
from typing import Any

from active_workflow.dsl.current import running
from active_workflow.dsl.where import Where, at, caller
from active_workflow.errors import MisuseError

KEY = "__active_workflow_body__"
_numbers = count()


@dataclass
class Body:
    """The notes on one class body.

    Attributes:
        made: Everything made there, in order.
        group: Number of the ``with parallel():`` that is open.
    """

    made: list[Any] = field(default_factory=list)
    group: int | None = None


def next_number() -> int:
    """Give a number greater than all before: the order of writing."""
    return next(_numbers)


def body_of(cls: type) -> Body:
    """Give the notes on a class's own body, not those of its bases."""
    found = vars(cls).get(KEY)
    return found if isinstance(found, Body) else Body()


def open_body(making: str) -> tuple[Body | None, Where]:
    """Find the class body that is being executed, and the place in it.

    Args:
        making: What is being made, for the message: ``"sleep()"``.

    Returns:
        The body's notes (None: not in a class body) and the place.

    Raises:
        MisuseError: A step runs here; it meant something else.
    """
    first = caller()
    frame = first
    while frame is not None and not _is_class_body(frame) and not _is_module(frame):
        frame = frame.f_back
    if frame is not None and _is_class_body(frame):
        namespace = frame.f_locals
        return namespace.setdefault(KEY, Body()), at(first, namespace["__qualname__"])
    if (now := running()) is not None and (first is None or not _is_module(first)):
        raise MisuseError(
            f"{making} was called while step {now.info.step_name!r} runs, but it defines a step in a "
            'class body; to pause here use time.sleep, to try again later raise RetryAfter("30s")'
        )
    return None, at(first)


def _is_module(frame: FrameType) -> bool:
    return frame.f_code.co_name == "<module>"


def _is_class_body(frame: FrameType) -> bool:
    """Class bodies alone run unoptimised, in a namespace that Python has given a qualified name."""
    return not frame.f_code.co_flags & inspect.CO_OPTIMIZED and "__qualname__" in frame.f_locals
