"""A store that keeps only what a change carries: rows of steps, active steps, the head, signals."""

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution, Signal, Step


class NaiveStore:
    """Keeps one execution the way every real store does, and gives it back."""

    def __init__(self, x: Execution) -> None:
        self.rows: dict[str, Step] = {step.name: step for step in x.steps.values() if not step.active}
        self.active: dict[str, Step] = {}
        self.signals: dict[int, Signal] = {}
        self.children: dict[str, Execution] = {}
        self._take_head(x)

    def commit(self, change: Change) -> None:
        assert change.guarded_revision == self.head.revision
        self.rows |= {step.name: step for step in change.steps}
        self.signals |= {signal.number: signal for signal in change.received}
        for number in change.taken:
            del self.signals[number]
        for child in change.children:
            assert child.id not in self.children
            self.children[child.id] = child
        self._take_head(change.after)

    def _take_head(self, x: Execution) -> None:
        """Of an active step that has a row, patch and result are kept there alone."""
        self.head = x.evolve(steps={}, signals=(), ctx={})
        self.active = {
            step.name: step.evolve(patch={}, result=None) if step.name in self.rows else step
            for step in x.steps.values()
            if step.active
        }

    def load(self) -> Execution:
        steps = dict(self.rows)
        for name, step in self.active.items():
            row = self.rows.get(name)
            steps[name] = step.evolve(patch=row.patch, result=row.result) if row else step
        return self.head.evolve(steps=steps, signals=tuple(self.signals[n] for n in sorted(self.signals)))
