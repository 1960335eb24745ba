"""A workflow as the engine knows it: its plan, and the callables that the plan names."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from active_workflow.core.needs import Code, Needs, everything
from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.dsl.ctx_types import CtxType


@dataclass(frozen=True, slots=True)
class StepCode:
    """The callables of one step, in the shapes the engine calls. An awaitable answer is to be awaited.

    Attributes:
        call: ``call(ctx, args)``: does the step, with ctx or (``args`` not None) with those in its place.
            None for sleeps and waits.
        call_is_async: Whether ``call`` gives a coroutine.
        when: Whether the step is needed, or None for always.
        unless: Whether it is not needed, or None for never.
        args: The arguments in place of ctx, or None.
        until: When a sleep ends (an aware datetime), or None.
        compensate: ``compensate(ctx, result)``, or None.
        compensate_is_async: Whether it gives a coroutine.
        verify: What became of an attempt, for ``verdict.settled``; or None.
        verify_is_async: Whether it gives a coroutine.
        transactional: What a transactional step is handed: ``"connection"`` or ``"session"``; else nothing.
    """

    call: Callable[[Any, tuple[Any, ...] | None], Any] | None = None
    call_is_async: bool = False
    when: Callable[[Any], Any] | None = None
    unless: Callable[[Any], Any] | None = None
    args: Callable[[Any], Any] | None = None
    until: Callable[[Any], Any] | None = None
    compensate: Callable[[Any, Any], Any] | None = None
    compensate_is_async: bool = False
    verify: Callable[[Any], Any] | None = None
    verify_is_async: bool = False
    transactional: str = ""


class LackKind(StrEnum):
    """What today's code has no more, in words."""

    STEP = "step"
    KIND = "step of that kind"
    COMPENSATION = "compensation"
    VERIFY = "verify"
    CONDITION = "when, unless or until"


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that an execution may need and today's code does not have."""

    kind: LackKind
    step: str
    reason: str


@dataclass(frozen=True)
class Program:
    """A defined workflow.

    Attributes:
        plan: What is stored of it.
        workflow: The user's class.
        steps: The code of each step of the plan.
        ctx_type: What its ctx is checked against, or None.
        idempotency_key: The user's function of ctx that gives an execution's key, or None.
        key_reuse: ``"never"``, ``"failed"`` or ``"terminal"``.
        queue: The queue of its steps that name no other.
    """

    plan: Plan
    workflow: type
    steps: Mapping[str, StepCode]
    ctx_type: CtxType | None = None
    idempotency_key: Callable[[Any], str | None] | None = None
    key_reuse: str = "never"
    queue: str = "default"

    @property
    def name(self) -> str:
        """The registered name."""
        return self.plan.workflow

    @property
    def version(self) -> int | str:
        """The version label."""
        return self.plan.version

    def lacks(self, plan: Plan, needed: Needs | None = None) -> list[Lack]:
        """Tell what this code lacks to serve an execution that started with another plan; empty if nothing.

        Args:
            plan: The plan that the execution keeps.
            needed: The code that it may still call; None takes all that the plan names.
        """
        if plan.hash == self.plan.hash:
            return []
        wanted = everything(plan) if needed is None else needed
        return [lack for name, codes in wanted.items() for lack in self._lacks(plan.by_name[name], codes)]

    def _lacks(self, old: StepPlan, needed: Collection[Code]) -> list[Lack]:
        new, code = self.plan.by_name.get(old.name), self.steps.get(old.name)
        if new is None or code is None:
            return [Lack(LackKind.STEP, old.name, f"{self.name} has no step {old.name!r} any more")]
        if not _same_kind(old.kind, new.kind):
            reason = f"step {old.name!r} was {old.kind.value} and is {new.kind.value} now"
            return [Lack(LackKind.KIND, old.name, reason)]
        if old.transactional and not code.transactional:  # what became of its attempts would be misjudged
            reason = f"step {old.name!r} was transactional and is not any more"
            return [Lack(LackKind.KIND, old.name, reason)]
        there = {
            LackKind.COMPENSATION: (Code.UNDO, code.compensate),
            LackKind.VERIFY: (Code.VERIFY, code.verify),
            LackKind.CONDITION: (Code.DECIDE, code.when or code.unless or code.until),
        }
        return [
            Lack(kind, old.name, f"step {old.name!r} has no {kind.value} any more")
            for kind, (wanted, has) in there.items()
            if wanted in needed and not has
        ]


def _same_kind(old: StepKind, new: StepKind) -> bool:
    """A fire-and-forget step is a called step in the plan of the execution that it becomes."""
    return old is new or (old is StepKind.CALL and new is StepKind.DETACHED)
