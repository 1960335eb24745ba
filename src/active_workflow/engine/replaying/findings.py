"""What there is to say of one execution and today's code. Nothing is called but what reads its ctx."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import NamedTuple

from active_workflow.core.needs import Code, Needs
from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import Phase
from active_workflow.dsl.open_ctx import open_ctx
from active_workflow.dsl.program import Lack, LackKind, Program
from active_workflow.dsl.where import listed
from active_workflow.store.serializer import Serializer


class Outcome(StrEnum):
    """What would become of an execution."""

    BLOCK = "block"
    """It would be blocked, or stand still, until there is a worker with the code."""
    FAIL = "fail"
    """Its next step or undo would fail before any of your code is called."""
    AGAIN = "again"
    """A step whose effect may have happened would run once more."""
    SKIP = "skip"
    """Something that the code has would not happen for it, as its plan doesn't have it."""
    KEEP = "keep"
    """It would go by what its plan says, where the code says something else. No reason to worry."""


class Kind(NamedTuple):
    """A kind of finding."""

    outcome: Outcome
    remedy: str


_KEEP = "keep it until nothing needs it, or the old class beside the new one under its own version="

KINDS: Mapping[str, Kind] = {
    "AW201": Kind(Outcome.BLOCK, "name its module; a class that was renamed keeps the old name with name="),
    "AW202": Kind(Outcome.BLOCK, _KEEP),
    "AW203": Kind(Outcome.BLOCK, "give the new one another name, and keep the old"),
    "AW204": Kind(Outcome.BLOCK, _KEEP),
    "AW205": Kind(Outcome.BLOCK, _KEEP),
    "AW206": Kind(Outcome.BLOCK, _KEEP),
    "AW207": Kind(Outcome.BLOCK, "have a worker serve it until nothing is on it: worker --queues …"),
    "AW208": Kind(Outcome.FAIL, "let the type take what is stored: a default, a wider type, the old field"),
    "AW211": Kind(Outcome.SKIP, "nothing, if that is meant; else do it by hand, or wait until they are over"),
    "AW212": Kind(Outcome.SKIP, "nothing, if that is meant; else undo by hand, or wait until they are over"),
    "AW213": Kind(Outcome.KEEP, "nothing: new executions go by the code"),
    "AW221": Kind(Outcome.AGAIN, "its step_key is the same: let the other side know it, or write a verify"),
}  # fmt: skip

_LACKS = {
    LackKind.STEP: "AW202",
    LackKind.KIND: "AW203",
    LackKind.COMPENSATION: "AW204",
    LackKind.VERIFY: "AW205",
    LackKind.CONDITION: "AW206",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about executions in flight and today's code.

    Attributes:
        id: ``"AW201"``, …; docs/howto/deploy-safely.md explains each.
        workflow: The workflow's name.
        version: The version of the executions.
        step: The step, or "" where it is about the whole.
        problem: What would happen, and why.
        detail: More about the one that was found first.
    """

    id: str
    workflow: str
    version: int | str
    step: str
    problem: str
    detail: str = field(default="", compare=False)

    @property
    def outcome(self) -> Outcome:
        """What would become of the executions."""
        return KINDS[self.id].outcome

    @property
    def told(self) -> str:
        """The problem, with the detail if there is one."""
        return f"{self.problem}: {self.detail}" if self.detail else self.problem

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return KINDS[self.id].remedy

    @property
    def names(self) -> frozenset[str]:
        """By what it may be silenced."""
        one = f"{self.id}:{self.workflow}"
        return frozenset({self.id, one, f"{one}.{self.step}" if self.step else one})


def _finding(id: str, plan: Plan, step: str, problem: str, detail: str = "") -> Finding:
    return Finding(id, plan.workflow, plan.version, step, problem, detail)


def no_code(plan: Plan, reason: str) -> Finding:
    """Say that there is no code of a workflow at all."""
    return _finding("AW201", plan, "", reason)


def of_lacks(plan: Plan, lacks: Collection[Lack]) -> list[Finding]:
    """Say what the code lacks."""
    return [_finding(_LACKS[lack.kind], plan, lack.step, lack.reason) for lack in lacks]


def of_queues(plan: Plan, needed: Needs, queues: Collection[str] | None) -> Iterator[Finding]:
    """Say which steps nobody would run, as no worker serves their queue."""
    for name in needed:
        queue = plan.by_name[name].queue
        if queues is not None and queue not in queues:
            problem = f"no worker serves its queue {queue!r}: the workers serve {listed(sorted(queues))}"
            yield _finding("AW207", plan, name, problem)


def of_ctx(x: Execution, needed: Needs, program: Program, serializer: Serializer) -> Iterator[Finding]:
    """Say that what is stored can't be read by today's code."""
    try:
        open_ctx(program, x.ctx, None, serializer).close()
    except Exception as error:  # noqa: BLE001 - the user's own type may raise anything
        yield _finding("AW208", x.plan, "", "its stored ctx can't be read", _first_line(error))
    for name, codes in needed.items():
        result = x.step(name).result
        try:
            if Code.UNDO in codes and result is not None:
                serializer.load(result)
        except Exception as error:  # noqa: BLE001 - the serializer may be the user's own, too
            yield _finding("AW208", x.plan, name, "the result for its undo can't be read", _first_line(error))


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def of_differences(x: Execution, needed: Needs, program: Program) -> Iterator[Finding]:
    """Say what the code has that goes by the plan for executions in flight, or not at all."""
    old, new = x.plan, program.plan
    if old.hash == new.hash or _is_child(old, new):
        return
    if x.phase is Phase.FORWARD and x.ending is None:
        for step in new.steps:
            if step.name not in old.by_name:
                yield _finding("AW211", old, step.name, "it is new: executions in flight go on without it")
    for name in needed:
        today = new.by_name.get(name)
        if today is not None:
            yield from _step_differences(old, old.by_name[name], today, needed[name])
    if old.timeout != new.timeout:
        yield _finding("AW213", old, "", "the timeout of the workflow is another one now: the old one counts")


def _is_child(old: Plan, new: Plan) -> bool:
    """Whether it is the plan of what a fire-and-forget step has become: that step alone."""
    step = new.by_name.get(old.steps[0].name)
    return len(old.steps) == 1 and step is not None and step.kind is StepKind.DETACHED


_TOLD_ELSEWHERE = {"name", "kind", "compensates", "no_undo"}
_WORDS = {"after": "place", "decides": "condition", "verifies": "verify", "store_as": "store_result_as"}


def _step_differences(plan: Plan, old: StepPlan, new: StepPlan, codes: Collection[Code]) -> Iterator[Finding]:
    if new.compensates and not old.compensates:
        yield _finding("AW212", plan, old.name, "its compensation is new: executions in flight do without it")
    changed = [
        _WORDS.get(item.name, item.name)
        for item in fields(StepPlan)
        if item.name not in _TOLD_ELSEWHERE and getattr(old, item.name) != getattr(new, item.name)
    ]
    if changed and codes != {Code.UNDO}:
        problem = f"it has another {listed(changed)} now: executions in flight go by the old"
        yield _finding("AW213", plan, old.name, problem)


def of_repeats(plan: Plan, steps: Collection[str]) -> list[Finding]:
    """Say which steps run once more though their effect may have happened."""
    problem = "nobody knows what its last attempt did: it runs once more"
    return [_finding("AW221", plan, step, problem) for step in steps]
