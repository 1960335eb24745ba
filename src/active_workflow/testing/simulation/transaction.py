"""The transaction of a simulated transactional step: its effect happens with the commit, or not at all."""

from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from active_workflow.core.snapshot import Execution
from active_workflow.store.transactions import Decide
from active_workflow.testing.simulation.broken import Broken
from active_workflow.testing.simulation.ledger import Entry


class Completes(Protocol):
    """The store as a process sees it."""

    def complete(self, known: Execution, decide: Decide, effect: Callable[[], None]) -> bool:
        """Commit what is decided, and the effect with it."""
        ...


class SimulatedTransaction:
    """See ``StepTransaction``. What the step writes in it is its one effect.

    Attributes:
        broken: What the judge has found at its commit.
    """

    connection: Any = None
    late = False
    transient = False

    def __init__(self, store: Completes, entry: Entry) -> None:
        self._store = store
        self._entry = entry
        self.broken: Broken | None = None

    def session(self) -> NoReturn:
        """There is none."""
        raise NotImplementedError

    def take_back(self) -> None:
        """Nothing has happened yet."""

    def complete(self, known: Execution, decide: Decide) -> bool:
        """Write what became of the step, and commit."""
        try:
            return self._store.complete(known, decide, self._effect)
        except Broken as broken:  # kept: the engine would take it for an error of the driver's
            self.broken = broken
            return False

    def _effect(self) -> None:
        self._entry.effect = True
