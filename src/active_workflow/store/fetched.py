"""Rows of executions that were fetched and are still to be read: that needs no connection."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from active_workflow.core.snapshot import Execution
from active_workflow.errors import CorruptRow
from active_workflow.store.codec import corrupt, read_execution
from active_workflow.store.plans import Plans

Row = tuple[Any, ...]
Groups = dict[str, list[Row]]


def no_groups() -> Groups:
    """Give a place for rows by execution."""
    return defaultdict(list)


@dataclass(slots=True)
class Fetched:
    """The rows of some executions, by id.

    Attributes:
        executions: Their own, with the columns ``codec.LOADED``.
        steps: Those of their steps, with the columns ``STEP_COLUMNS``.
        signals: Number, name, payload, key and time of the unread ones, in their order.
    """

    executions: dict[str, Row] = field(default_factory=dict)
    steps: Groups = field(default_factory=no_groups)
    signals: Groups = field(default_factory=no_groups)

    def plans(self) -> Iterable[str]:
        """Give the hashes of the plans that have to be known to read them."""
        return (row[_PLAN] for row in self.executions.values())

    def read(self, ids: Iterable[str], plans: Plans) -> list[Execution]:
        """Give those of the executions that exist, in order; CorruptRow where one can't be read."""
        return [self._read(id, plans) for id in ids if id in self.executions]

    def read_what_can_be(
        self, ids: Iterable[str], plans: Plans
    ) -> tuple[list[Execution], dict[str, CorruptRow]]:
        """Give those of the executions that exist, in order; beside them those that can't be read."""
        executions: list[Execution] = []
        broken: dict[str, CorruptRow] = {}
        for id in ids:
            if id in self.executions:
                try:
                    executions.append(self._read(id, plans))
                except CorruptRow as error:
                    broken[id] = error
        return executions, broken

    def _read(self, id: str, plans: Plans) -> Execution:
        row = self.executions[id]
        plan = plans.get(row[_PLAN])
        if plan is None:
            raise corrupt(id, f"its plan {row[_PLAN]} is missing in aw_plans, or can't be read")
        return read_execution(row, self.steps.get(id, ()), self.signals.get(id, ()), plan)


_PLAN = 1
