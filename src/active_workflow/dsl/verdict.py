"""What ``verify`` may answer about an attempt of unknown outcome."""

from dataclasses import dataclass
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class Landed:
    """The attempt had its effect.

    Attributes:
        result: What the step would have returned; a mapping is merged into ctx.
    """

    result: Any = None


class Answer(Enum):
    """The answers that carry no result."""

    NOT_LANDED = "not landed"
    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return self.name


NOT_LANDED = Answer.NOT_LANDED
"""The attempt had no effect: the step may run again."""
UNKNOWN = Answer.UNKNOWN
"""Nobody can tell (yet)."""


def settled(answer: Any) -> tuple[bool | None, Any]:
    """Read an answer of ``verify``.

    Args:
        answer: ``Landed(result)``, ``NOT_LANDED`` or ``UNKNOWN``; or for short ``True`` (landed without a
            result), ``False``, ``None`` (unknown).

    Returns:
        Whether the attempt landed (None: unknown), and its result.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(answer, Landed):
        return True, answer.result
    if answer is NOT_LANDED:
        return False, None
    if answer is UNKNOWN:
        return None, None
    if answer is None or isinstance(answer, bool):
        return answer, None
    raise TypeError(f"verify answered {answer!r}: return Landed(result), NOT_LANDED or UNKNOWN")
