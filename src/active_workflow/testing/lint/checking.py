"""Runs the rules over workflows, and puts each finding in its place."""

import inspect
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from active_workflow.dsl.callables import TaskMethod, has_call
from active_workflow.dsl.collect import Place, places
from active_workflow.dsl.names import module_name
from active_workflow.dsl.program import Program
from active_workflow.dsl.tasks import options_of
from active_workflow.dsl.where import Where
from active_workflow.dsl.workflow import Workflow, program_of
from active_workflow.engine.settings import settings_from
from active_workflow.testing.lint.rules import RULES, Subject
from active_workflow.testing.lint.source import Facts, facts_of


@dataclass(frozen=True, repr=False)
class Finding:
    """Something in a definition that will hurt.

    Attributes:
        id: ``"AW101"``, …; docs/howto/check-definitions.md explains each.
        workflow: The workflow's name.
        step: The step's.
        file: Where the step is written.
        line: In which line.
        problem: What is wrong.
        remedy: What to do about it.
    """

    id: str
    workflow: str
    step: str
    file: str
    line: int
    problem: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}: {self.id} {self.workflow}.{self.step}: {self.problem}; {self.remedy}"
        )

    __repr__ = __str__


def check(
    *what: ModuleType | type[Workflow[Any]] | Program | str,
    ignore: Collection[str] = (),
    queues: Collection[str] | None = None,
) -> list[Finding]:
    """Look at definitions for what will hurt once something crashes.

    Args:
        *what: Modules (objects or dotted names, imported already), workflow classes or programs. Of a module
            all workflows that are defined in it and in modules inside it.
        ignore: Findings to leave out: ``"AW101"``, ``"AW101:Checkout"``, ``"AW101:Checkout.charge_card"``.
        queues: The queues that the workers serve, all together; the setting ``queues`` unless given. Where
            neither says, no step is held to any.

    Returns:
        The findings, in the order of writing.

    Raises:
        ValueError: There is no such finding to be ignored.
    """
    unknown = [given for given in ignore if given.partition(":")[0] not in RULES]
    if unknown:
        raise ValueError(f"ignore: there is no finding {unknown[0]!r}; there are {', '.join(RULES)}")
    programs = {id(program): program for one in what for program in _programs(one)}
    served = settings_from({}).queues if queues is None else queues
    found = [finding for program in programs.values() for finding in _findings(program, served)]
    return [finding for finding in found if not _names(finding) & set(ignore)]


def _names(finding: Finding) -> set[str]:
    return {
        finding.id,
        f"{finding.id}:{finding.workflow}",
        f"{finding.id}:{finding.workflow}.{finding.step}",
    }


def _programs(what: ModuleType | type[Workflow[Any]] | Program | str) -> list[Program]:
    if isinstance(what, Program):
        return [what]
    if isinstance(what, type):
        return [program_of(what)]
    name = what if isinstance(what, str) else what.__name__
    found = {}  # not from the registry: there a class of another module may have taken a name over
    for workflow in _defined(Workflow):
        program = workflow.__aw_program__
        if program is not None and _is_in(workflow.__module__, name):
            found[program.name, program.version] = program
    return list(found.values())


def _defined(base: type[Workflow[Any]]) -> Iterator[type[Workflow[Any]]]:
    for workflow in base.__subclasses__():
        yield workflow
        yield from _defined(workflow)


def _is_in(module: str, name: str) -> bool:
    return any(known == name or known.startswith(f"{name}.") for known in (module, module_name(module)))


def _findings(program: Program, queues: Collection[str] | None) -> Iterator[Finding]:
    found = {place.name: place for place in places(program.workflow, Where())}
    code, workflow = program.steps, program.workflow
    runs = {name: _facts(place.step.target, workflow) for name, place in found.items() if code[name].call}
    undos = {name: _facts(_undo(place), workflow) for name, place in found.items() if code[name].compensate}
    subject = Subject(program, runs, undos, queues)
    told = [(id, *item) for id, rule in RULES.items() for item in rule(subject)]
    order = {name: number for number, name in enumerate(found)}
    for id, step, problem, remedy in sorted(told, key=lambda item: (order[item[1]], item[0])):
        where = found[step].where
        yield Finding(id, program.name, step, where.file, where.line, problem, remedy)


def _undo(place: Place) -> Any:
    """Give what a step's compensation was given as."""
    return {**options_of(place.step.target), **place.step.options}["compensate"]


def _facts(given: Any, workflow: type) -> Facts:
    """Give the facts of what a step calls, in any of the forms in which it may be given."""
    method = "call"
    if isinstance(given, TaskMethod):
        given, method = given.task, given.method
    if has_call(given):
        owner = given if isinstance(given, type) else type(given)
        return facts_of(inspect.getattr_static(owner, method, None), owner, task=True)
    if isinstance(given, str):
        given = inspect.getattr_static(workflow, given)
    return facts_of(given, workflow)
