"""Waits for executions to come to an end: one question to the store for all that are awaited."""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, InvalidStateError

from active_workflow.core.snapshot import Execution
from active_workflow.core.states import STALLED, State
from active_workflow.errors import StoreError

SHORTEST = 0.02
LONGEST = 1.0


def is_settled(state: State) -> bool:
    """Tell whether a wait is over: nothing, or only an operator, moves the execution on."""
    return state.terminal or state in STALLED


class Waiter:
    """Completes a future for each awaited execution.

    What this process records itself is told at once (``settle``); what others record is found by asking,
    soon after a hint of the store (``look``) and otherwise at growing intervals.

    Args:
        states: Gives the states of executions.
    """

    def __init__(self, states: Callable[[list[str]], Mapping[str, State]]) -> None:
        self._states = states
        self._awaited: dict[str, list[Future[State | None]]] = {}
        self._lock = threading.Condition()
        self._look = False
        self._thread: threading.Thread | None = None

    def wait_for(self, id: str) -> "Future[State | None]":
        """Give a future of the state in which an execution comes to rest; None: it was deleted."""
        future: Future[State | None] = Future()
        with self._lock:
            self._awaited.setdefault(id, []).append(future)
            self._look = True
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="active-workflow-waiter", daemon=True)
                self._thread.start()
            self._lock.notify_all()
        return future

    def forget(self, id: str, future: "Future[State | None]") -> None:
        """Wait no longer."""
        with self._lock:
            futures = self._awaited.get(id, [])
            if future in futures:
                futures.remove(future)
            if not futures:
                self._awaited.pop(id, None)

    def settle(self, recorded: Iterable[Execution]) -> None:
        """Tell of executions as they were recorded: whoever awaits one that rests is told."""
        awaited = self._awaited
        if awaited:
            self._tell({x.id: x.state for x in recorded if x.id in awaited})

    def _tell(self, states: Mapping[str, State | None]) -> None:
        for id, state in states.items():
            if state is None or is_settled(state):
                with self._lock:
                    futures = self._awaited.pop(id, [])
                for future in futures:
                    _complete(future, state)

    def look(self) -> None:
        """Ask the store now: something may have changed."""
        if self._awaited:
            with self._lock:
                self._look = True
                self._lock.notify_all()

    def _run(self) -> None:
        patience = SHORTEST
        while True:
            with self._lock:
                if self._lock.wait_for(lambda: self._look, patience):
                    patience = SHORTEST
                self._look = False
                ids = list(self._awaited)
                if not ids:
                    self._thread = None
                    return
            patience = min(patience * 2, LONGEST)
            self._ask(ids)

    def _ask(self, ids: list[str]) -> None:
        try:
            states = self._states(ids)
        except StoreError:
            return  # it is asked again; who waits has a time limit of its own
        self._tell({id: states.get(id) for id in ids})


def _complete(future: "Future[State | None]", state: State | None) -> None:
    try:
        future.set_result(state)
    except InvalidStateError:
        return  # whoever waited has given up
