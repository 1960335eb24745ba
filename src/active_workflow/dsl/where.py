"""Where in the user's code something was written, so that an error can say it."""

import inspect
import linecache
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import FrameType

from active_workflow.errors import DefinitionError

_OWN = __name__.rpartition(".")[0] + "."


@dataclass(frozen=True, slots=True)
class Where:
    """A place in the user's code: file and line, and the class and step being defined there."""

    file: str = "<unknown>"
    line: int = 0
    owner: str = ""
    step: str = ""

    def of(self, owner: str, step: str = "") -> "Where":
        """Give the same place, told of its class and step."""
        return replace(self, owner=owner, step=step)

    def error(self, problem: str) -> DefinitionError:
        """Give the error to raise; ``problem`` ends with the remedy."""
        owner = self.owner.rpartition("<locals>.")[2]
        subject = ".".join(name for name in (owner, self.step) if name)
        return DefinitionError(
            ": ".join(part for part in (f"{self.file}:{self.line}", subject, problem) if part)
        )


def caller() -> FrameType | None:
    """Give the innermost frame that is not of this package."""
    frame = inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(_OWN):
        frame = frame.f_back
    return frame


def here(owner: str = "", step: str = "") -> Where:
    """Give the place in the user's code that is being executed."""
    return at(caller(), owner, step)


def at(frame: FrameType | None, owner: str = "", step: str = "") -> Where:
    """Give the place that a frame is at."""
    if frame is None:
        return Where(owner=owner, step=step)
    return Where(frame.f_code.co_filename, frame.f_lineno, owner, step)


def assigned_name(where: Where) -> str:
    """Give the name that the line of source assigns to, as far as the line tells."""
    match = re.match(r"\s*([A-Za-z_]\w*)\s*(?::[^=]+)?=[^=]", linecache.getline(where.file, where.line))
    return match[1] if match else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Give ``' (did you mean "retry"?)'`` where a known name is near, else nothing."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f' (did you mean "{found[0]}"?)' if found else ""


def listed(names: Iterable[str]) -> str:
    """Give names as an enumeration for a message."""
    return ", ".join(names) or "none"
