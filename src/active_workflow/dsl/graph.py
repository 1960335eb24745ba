"""Which step waits for which, and what must hold for the graph as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.dsl.collect import Place
from active_workflow.dsl.step_def import step_name
from active_workflow.dsl.where import listed, nearest


def predecessors(places: Sequence[Place]) -> dict[str, tuple[str, ...]]:
    """Give what each step waits for: what ``after=`` says, else the step or parallel group before it.

    Raises:
        DefinitionError: ``after=`` names a step that isn't there, or the step itself.
    """
    found: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    for _, stage in groupby(places, key=lambda place: place.group if place.group is not None else place.name):
        members = list(stage)
        for place in members:
            after = place.step.options.get("after")
            found[place.name] = before if after is None else _named(after, place, places)
        before = tuple(place.name for place in members)
    return found


def _named(after: Any, place: Place, places: Sequence[Place]) -> tuple[str, ...]:
    names = {other.name: other.name for other in places}
    names = {**{other.attribute: other.name for other in places}, **names}
    given = after if isinstance(after, list | tuple | set | frozenset) else [after]
    result: dict[str, None] = {}
    for item in given:
        try:
            name = step_name(item)
        except TypeError as error:
            raise place.where.error(f"after=: {error}") from None
        if name not in names:
            raise place.where.error(
                f"after={name!r} names no step of it{nearest(name, names)}; its steps are {listed(names)}"
            )
        if names[name] == place.name:
            raise place.where.error("after= names the step itself; name the steps that come before it")
        result[names[name]] = None
    return tuple(sorted(result, key=[other.name for other in places].index))


def check(plan: Plan, places: Sequence[Place]) -> None:
    """Check what only the whole graph can tell: cycles, the pivot, queues side by side.

    Raises:
        DefinitionError: One of these is wrong.
    """
    at = {place.name: place.where for place in places}
    cycle = _cycle(plan)
    if cycle:
        raise at[cycle[0]].error(
            f"the steps {listed(cycle)} wait for each other; take one of the after= away"
        )
    for problem, step, remedy in (*_pivot_problems(plan), *_queue_problems(plan)):
        raise at[step].error(f"{problem}; {remedy}")


def _cycle(plan: Plan) -> list[str]:
    try:
        list(plan.in_order())
    except ValueError:
        left = {step.name: step for step in plan.steps}
        while True:  # take away what is not on or behind a cycle; what can't be is the answer
            free = [name for name, step in left.items() if not any(other in left for other in step.after)]
            ends = [name for name in left if not any(name in step.after for step in left.values())]
            if not (free or ends):
                return list(left)
            for name in {*free, *ends}:
                del left[name]
    return []


def _pivot_problems(plan: Plan) -> Iterator[tuple[str, str, str]]:
    pivots = [step.name for step in plan.steps if step.pivot]
    if len(pivots) > 1:
        yield (
            f"the steps {listed(pivots)} are all pivots",
            pivots[1],
            "keep pivot=True on the one point of no return",
        )
    for name in pivots:
        beside = [step.name for step in plan.steps if step.name in plan.unordered[name]]
        if beside:
            yield (
                f"a pivot has every other step before or after it, but {listed(beside)} may run beside it",
                name,
                f'say which comes first, for instance after="{beside[0]}"',
            )


def _queue_problems(plan: Plan) -> Iterator[tuple[str, str, str]]:
    for step in plan.steps:
        for other in _beside(plan, step, plan.by_name):
            if other.queue != step.queue:
                yield (
                    f"it may run beside {other.name!r}, but one is on {step.queue!r}, one on {other.queue!r}",
                    step.name,
                    "put both on one queue, or one after the other",
                )


def _beside(plan: Plan, step: StepPlan, by_name: Mapping[str, StepPlan]) -> Iterator[StepPlan]:
    """Give the called steps that may run side by side with a called step."""
    if step.kind.calls and step.kind is not StepKind.DETACHED:
        yield from (by_name[name] for name in sorted(plan.unordered[step.name]) if by_name[name].kind.calls)
