"""The transaction of a simulated transactional step: its effect happens with the commit, or not at all."""

from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from active_workflow.core.snapshot import Execution
from active_workflow.store.transactions import Decide
from active_workflow.testing.simulation.ledger import Entry


class Completes(Protocol):
    """The store as a process sees it."""

    def complete(self, known: Execution, decide: Decide, effect: Callable[[], None]) -> bool:
        """Commit what is decided, and the effect with it."""
        ...


class SimulatedTransaction:
    """See ``StepTransaction``. What the step writes in it is its one effect."""

    connection: Any = None
    late = False
    transient = False

    def __init__(self, store: Completes, entry: Entry) -> None:
        self._store = store
        self._entry = entry

    def session(self) -> NoReturn:
        """There is none."""
        raise NotImplementedError

    def take_back(self) -> None:
        """Nothing has happened yet."""

    def complete(self, known: Execution, decide: Decide) -> bool:
        """Write what became of the step, and commit."""
        return self._store.complete(known, decide, self._effect)

    def _effect(self) -> None:
        self._entry.effect = True
