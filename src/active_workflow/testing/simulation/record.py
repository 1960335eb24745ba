"""What the judge knows of one execution: the row as it was last written, and what led there."""

from collections import Counter

from active_workflow.core.snapshot import Execution
from active_workflow.engine.call import CallKind


class Record:
    """The judge's memory of one execution.

    Attributes:
        row: What the store has.
        owner: Who has, or had last, its lease.
        lease_until: Until when; None when it was given up.
        order: The steps that had an outcome recorded which may have to be undone, in order.
        undo_began: How many outcomes were recorded when a step's undo began.
        completed: The steps that were ever recorded as completed.
        interruptions: How often the lease changed hands while an attempt was recorded as running.
        failures: How often an attempt of a step was recorded as failed.
        renewals: How often an operator had a step, or its undo, tried anew.
        resolved: The steps that an operator spoke about.
        rejected: The steps of which their partner said that they failed.
        taken: The payload of the signal that each step took.
        told: The revisions that observers were told of.
    """

    def __init__(self, row: Execution, owner: str | None, lease_until: int) -> None:
        """Begin with an execution that was inserted."""
        self.row = row
        self.owner = owner
        self.lease_until: int | None = None if owner is None else lease_until
        self.order: list[str] = []
        self.undo_began: dict[str, int] = {}
        self.completed: set[str] = set()
        self.interruptions: Counter[tuple[CallKind, str]] = Counter()
        self.failures: Counter[tuple[CallKind, str]] = Counter()
        self.renewals = 0
        self.resolved: set[str] = set()
        self.rejected: set[str] = set()
        self.taken: dict[str, str] = {}
        self.told: set[int] = set()

    def taken_over(self, row: Execution, owner: str, lease_until: int) -> None:
        """Somebody claimed it: what was recorded as running is interrupted."""
        self.row, self.owner, self.lease_until = row, owner, lease_until
        for step in row.steps.values():
            if step.run.running:
                self.interruptions[CallKind.RUN, step.name] += 1
            if step.undo.running:
                self.interruptions[CallKind.UNDO, step.name] += 1
