"""Whoever finishes external steps, sends signals, and lets time pass, while a run waits."""

from collections.abc import Callable, Mapping
from typing import Any

from active_workflow.core.plan import StepKind, StepPlan
from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.core.snapshot import Step
from active_workflow.core.states import StepState
from active_workflow.dsl.handle import Execution
from active_workflow.dsl.where import listed, nearest
from active_workflow.store.base import ClaimRequest
from active_workflow.testing.exploring.schedule import Schedule, Turn
from active_workflow.testing.exploring.stage import Stage

Drive = Callable[[Execution], object]
"""Called with the execution while it waits; may complete steps, send signals, cancel."""


class Partners:
    """Those outside.

    Args:
        completions: For each external step the payload it is completed with, or a function of the execution
            that gives it. A step that is not named is completed with None.
        signals: The same for each signal by its name.
        drive: Asked first, whenever the execution waits.
    """

    def __init__(
        self, completions: Mapping[str, Any], signals: Mapping[str, Any], drive: Drive | None
    ) -> None:
        self.completions = completions
        self.signals = signals
        self.drive = drive

    def check(self, steps: Mapping[str, StepPlan], signals: frozenset[str]) -> None:
        """Raise ValueError for a payload that nothing would ever take."""
        external = [
            name for name, step in steps.items() if step.kind is StepKind.EXTERNAL or step.undo_external
        ]
        for what, given, known in (
            ("completions", self.completions, external),
            ("signals", self.signals, sorted(signals)),
        ):
            for name in given:
                if name not in known:
                    raise ValueError(
                        f"{what}: {name!r} is none of this workflow's{nearest(name, known)}; "
                        f"it has {listed(known)}"
                    )

    def act(self, stage: Stage, schedule: Schedule) -> str | None:
        """Have one of them do something; give what in words, or None where nobody has anything to do."""
        if self.drive is not None:
            before = [x.revision for x in stage.store.snapshots()]
            self.drive(stage.handle())
            if [x.revision for x in stage.store.snapshots()] != before:
                return "drive has moved it on"
        for x in stage.store.snapshots():
            for step in x.steps.values():
                told = self._answer(stage, schedule, x, step)
                if told is not None:
                    return told
        return None

    def _answer(self, stage: Stage, schedule: Schedule, x: Snapshot, step: Step) -> str | None:
        plan, engine = x.plan.by_name[step.name], stage.engine
        if step.undo_waiting_since is not None:
            changed = engine.complete_step(x.id, step.name, payload=None)
            return f"the undo of {step.name} is completed from outside" if changed else None
        if step.state is not StepState.WAITING or schedule.turns(Turn.SILENCE, step.name):
            return None
        if plan.kind is StepKind.EXTERNAL:
            if schedule.turns(Turn.REJECT, step.name):
                engine.fail_step(x.id, step.name, error_class="Rejected", message="explore has it rejected")
                return f"{step.name} is failed from outside"
            payload = self._payload(self.completions, step.name, stage, x.id)
            changed = engine.complete_step(x.id, step.name, payload=payload)
            return f"{step.name} is completed from outside" if changed else None
        if plan.kind is StepKind.SIGNAL:
            name = next((name for name in plan.signals if name in self.signals), plan.signals[0])
            engine.signal(x.id, name, payload=self._payload(self.signals, name, stage, x.id))
            return f"the signal {name} comes"
        return None

    @staticmethod
    def _payload(given: Mapping[str, Any], name: str, stage: Stage, id: str) -> Any:
        payload = given.get(name)
        return payload(stage.handle(id)) if callable(payload) else payload


def next_due(stage: Stage) -> int | None:
    """Tell when some execution is due next, or loses a dead worker's lease; None: never."""
    nobody = ClaimRequest(owner="nobody", limit=0, lease=0)
    return stage.store.claim(nobody).next_due
