"""The lines of a run, to be asked for single figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Line = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """What a run has left."""

    lines: list[Line]

    @property
    def machine(self) -> Line:
        """Where and when it ran."""
        return self.lines[0] if self.lines else {}

    @property
    def end(self) -> Line:
        """What was told at its end, if it came so far."""
        return self.lines[-1] if self.lines and "fdatasync_us_after" in self.lines[-1] else {}

    def of(self, system: str, workload: str, processes: int = 1) -> Line | None:
        """Give one result, if there is one."""
        wanted = {"system": system, "workload": workload, "processes": processes}
        found = [line for line in self.lines if wanted.items() <= line.items() and "missing" not in line]
        return found[-1] if found else None

    def figure(self, system: str, workload: str, name: str, processes: int = 1) -> float | None:
        """Give one figure, if it is there."""
        return (self.of(system, workload, processes) or {}).get(name)

    def missing(self) -> Iterator[Line]:
        """Give what could not be measured."""
        return (line for line in self.lines if "missing" in line)


def told(value: float | None, unit: str = "") -> str:
    """Write a figure as people read it; a dash where there is none."""
    if value is None:
        return "–"
    form = ",.0f" if value >= 100 else ".1f" if value >= 1 else ".2g"
    return f"{value:{form}}{unit}"


def ratio(one: float | None, other: float | None) -> float | None:
    """Give one figure as a multiple of another, if both are there."""
    return one / other if one is not None and other else None
