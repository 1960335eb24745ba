"""Which steps a workflow class has: its own and its bases', in order, none of them lost."""

from collections.abc import Iterator, Mapping
from typing import Any

from active_workflow.dsl import steps
from active_workflow.dsl.body import body_of
from active_workflow.dsl.step_def import StepDef, StepRef
from active_workflow.dsl.steps import StepDecorator
from active_workflow.dsl.tasks import Task
from active_workflow.dsl.where import Where, assigned_name

TAKEN = frozenset({"ctx", "start", "start_async", "start_many", "start_many_async"})
"""The public names of ``Workflow``, which can't be steps."""

_MAKERS: tuple[object, ...] = (
    steps.step,
    steps.task,
    steps.sleep,
    steps.wait_for_signal,
    steps.parallel,
)


class Place:
    """A step in its place.

    Attributes:
        attribute: The class attribute it is found under.
        name: Its name in the plan.
        step: As it was written (last).
        group: The ``with parallel():`` it belongs to: an override keeps its predecessor's place.
        where: Where it was written, told of class and step.
    """

    __slots__ = ("attribute", "group", "name", "step", "where")

    def __init__(self, owner: type, attribute: str, step: StepDef, group: int | None) -> None:
        self.attribute = attribute
        self.name: str = step.options.get("name") or attribute
        self.step = step
        self.group = group
        self.where = step.where.of(owner.__qualname__, attribute)


def places(cls: type, where: Where) -> list[Place]:
    """Give the steps of a class in the order in which they run: bases and mixins first, as in dataclasses.

    Raises:
        DefinitionError: A step is lost, bound twice, hidden by something else, or has a name that is taken.
    """
    found: dict[str, Place] = {}
    for base in reversed(cls.__mro__):
        _check_body(base, where)
        own = dict(_own_steps(base))
        for attribute, value in vars(base).items():
            if attribute in found and attribute not in own:
                _drop(found, attribute, value, base, where)
        for attribute, step in own.items():
            _check_binding(base, attribute, step)
            old = found.get(attribute)
            group = old.group if old else step.group
            found[attribute] = Place(base, attribute, step, group)
    _check_names(found)
    return list(found.values())


def _own_steps(cls: type) -> Iterator[tuple[str, StepDef]]:
    own = [(name, value) for name, value in vars(cls).items() if isinstance(value, StepDef)]
    yield from sorted(own, key=lambda item: item[1].number)


def _drop(found: dict[str, Place], attribute: str, value: Any, cls: type, where: Where) -> None:
    if value is None:
        del found[attribute]
        return
    code = getattr(value, "__code__", None)
    at = Where(code.co_filename, code.co_firstlineno) if code else where
    what = "a plain def" if code else f"{value!r}"
    raise at.of(cls.__qualname__, attribute).error(
        f"{what} redefines the step of {found[attribute].where.owner}; add @step (or write task(…)) to "
        f"replace the step, or write {attribute} = None to remove it"
    )


def _check_binding(cls: type, attribute: str, step: StepDef) -> None:
    at = step.where.of(cls.__qualname__, attribute)
    if attribute in TAKEN:
        raise at.error(f"{attribute!r} is a name of Workflow itself and can't be a step; choose another name")
    if len(step.bound) > 1:
        others = ", ".join(f"{owner.__name__}.{name}" for owner, name in step.bound)
        raise at.error(
            f"one step object is in {len(step.bound)} places ({others}); write task(X) again for each"
        )


def _check_names(found: Mapping[str, Place]) -> None:
    names: dict[str, str] = {}
    for place in found.values():
        given: object = place.name
        if not isinstance(given, str):
            raise place.where.error(f"name={given!r} is no text; write the step's name in quotes")
        if place.name in names:
            raise place.where.error(
                f"{names[place.name]!r} has the step name {place.name!r} too; change one name="
            )
        names[place.name] = place.attribute


# --- Steps that were made in a class body and are not to be found there ------------------------------


def _check_body(cls: type, where: Where) -> None:
    bound = [value for value in vars(cls).values() if isinstance(value, StepDef)]
    for made in body_of(cls).made:
        if isinstance(made, StepDecorator) and not made.used:
            raise made.where.of(cls.__qualname__, assigned_name(made.where)).error(
                f"{made.making[:-1]}…) with options alone is a decorator and decorates nothing here; "
                "write it above a def, or give task() what to run: task(ReserveStock, retry=…)"
            )
        if isinstance(made, StepDef) and not any(made is value for value in bound):
            raise _lost(cls, made)
    for name, value in vars(cls).items():
        forgotten = _forgotten(cls, name, value)
        if forgotten:
            raise where.of(cls.__qualname__, name).error(forgotten)
        if isinstance(value, StepRef):
            raise where.of(cls.__qualname__, name).error(
                f"{value!r} is a step already; write task(X) again for another"
            )


def _forgotten(cls: type, name: str, value: object) -> str | None:
    """Say what is missing where a name of the class was meant to be a step and is none."""
    if value in _MAKERS:
        said = getattr(value, "__name__", "")
        return f"{said} without parentheses makes no step; write {name} = {said}(…)"
    if isinstance(value, Task):
        return f"a task alone makes no step; write {name} = task({type(value).__name__}(…))"
    nested = isinstance(value, type) and value.__qualname__.startswith(f"{cls.__qualname__}.")
    if isinstance(value, type) and issubclass(value, Task) and not nested:
        return f"a Task class alone makes no step; write {name} = task({value.__name__})"
    return None


def _lost(cls: type, made: StepDef) -> Exception:
    """Say what became of a step that no name of its class leads to."""
    name = made.label
    at = made.where.of(cls.__qualname__, name)
    now = vars(cls).get(name) if name else None
    if name and isinstance(now, StepDef):
        return at.error(
            f"{name!r} is defined twice, again on line {now.where.line}; give one of them another name"
        )
    if name and name in vars(cls):
        return at.error(f"the name {name!r} was assigned again, to {now!r}; give the step a name of its own")
    return at.error(
        "this step ends under no name of the class, so it would never run; assign it to one "
        "(cool_off = sleep(…)), each step by itself and not in a list"
    )
