"""What is explored: each a plan of a few steps, how its calls may end, and how much may go wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.plan_data import sealed
from active_workflow.core.retry import RetryPolicy

SECOND = 1_000_000
RETURNS = ("returns",)


@dataclass(frozen=True)
class Configuration:
    """A small cluster: two workers, one execution.

    Attributes:
        name: What to call it.
        plan: The execution's.
        ends: How calls may end, by step (``undo a`` for an undo): ``returns``, ``raises``; else they return.
        trouble: How many crashes, leases that run out and failing store calls there may be in all.
        cancels, completions, signals, pauses: How often at most somebody does that.
        operations: How often an operator has tried again what is stuck.
        slots: How many calls a worker makes at once.
        bases: Instants from which something is counted when they are past; see ``canonical``.
        late_effects: Whether a call may die before its effect as well as after it.
        large: Whether it takes too long for every run of the tests.
    """

    name: str
    plan: Plan
    ends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trouble: int = 1
    cancels: int = 0
    completions: int = 0
    signals: int = 0
    pauses: int = 0
    operations: int = 0
    slots: int = 1
    bases: frozenset[str] = frozenset()
    late_effects: bool = False
    large: bool = False


def _chain(**options: dict[str, Any]) -> Plan:
    """Give a plan of three steps in a row, each with an undo unless it is said otherwise."""
    steps: list[StepPlan] = []
    for name in ("a", "b", "c"):
        after = tuple(step.name for step in steps[-1:])
        given = {"compensates": name != "c", **options.get(name, {})}
        steps.append(StepPlan(name, after=after, **given))
    return sealed(Plan("Small", tuple(steps)))


def _parallel() -> Plan:
    steps = (
        StepPlan("a", compensates=True),
        StepPlan("b", compensates=True),
        StepPlan("c", after=("a", "b")),
    )
    return sealed(Plan("Small", steps))


_WAIT = {"kind": StepKind.SIGNAL, "signals": ("go",), "timeout": 5 * SECOND, "compensates": False}
_AGAIN = (RetryPolicy(2, "fixed", SECOND),)

_SMALL = (
    Configuration("a saga that fails", _chain(), {"c": ("raises",)}),
    Configuration("a step that is tried again", _chain(c={"retry": _AGAIN}), {"c": ("returns", "raises")}),
    Configuration("an external step, completed early, late and twice",
                  _chain(b={"kind": StepKind.EXTERNAL}), {"b": ("returns", "raises")}, completions=2),
    Configuration("cancel", _chain(), cancels=1),
    Configuration("at most once", _chain(b={"at_most_once": True}), {"c": ("raises",)}),
    Configuration("verify", _chain(b={"verifies": True}), {"c": ("raises",)}, late_effects=True),
    Configuration("a pivot", _chain(b={"pivot": True, "compensates": False}), {"c": ("returns", "raises")},
                  cancels=1, operations=1),
    Configuration("a step that runs out of time",
                  _chain(b={"timeout": 2 * SECOND}), bases=frozenset({"called_at"})),
    Configuration("a wait for a signal", _chain(b=_WAIT), {"c": ("raises",)}, signals=2),
    Configuration("two steps side by side", _parallel(), {"c": ("raises",)}, slots=2),
    Configuration("an undo that fails", _chain(c={"retry": ()}), {"c": ("raises",), "undo a": ("returns", "raises")},
                  operations=1),
    Configuration("pause", _chain(), {"c": ("raises",)}, pauses=1, trouble=0),
)  # fmt: skip


def _larger(small: Configuration) -> Configuration:
    return replace(small, name=f"{small.name}, with more trouble", trouble=small.trouble + 1, large=True)


CONFIGURATIONS = (*_SMALL, *(_larger(small) for small in _SMALL))
"""All of them, those that are quick first."""
