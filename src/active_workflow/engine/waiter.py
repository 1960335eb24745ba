"""Waits for executions to come to an end: one question to the store for all that are awaited."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial

from active_workflow.core.snapshot import Execution
from active_workflow.core.states import STALLED, State
from active_workflow.errors import MisuseError, StoreError

_log = logging.getLogger("active_workflow")

Found = Execution | State | None
"""What is found of an execution that rests."""

CLOSED = (
    "the engine was closed while wait() waited on it; the execution goes on: look at it on another engine"
)
SHORTEST = 0.02
LONGEST = 1.0
LINGERS = 10.0
"""Seconds that the thread stays when nobody waits: making one for each wait would cost more than the wait."""


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
        self._awaited: dict[str, list[Future[Found]]] = {}
        self._lock = threading.Condition()
        self._look = False
        self._closed = False
        self._patience = SHORTEST
        self._lingers = False
        self._thread: threading.Thread | None = None

    def wait_for(self, id: str) -> "Future[Found]":
        """Give a future that is done when an execution comes to rest.

        Its result is the execution as it was recorded, where this process recorded it; else the state
        that was found in the store, or None: it was deleted.
        """
        future: Future[Found] = Future()
        with self._lock:
            self._awaited.setdefault(id, []).append(future)
            self._closed = False
            if self._thread is None or not self._thread.is_alive():
                self._patience = SHORTEST
                self._thread = threading.Thread(target=self._run, name="active-workflow-waiter", daemon=True)
                self._thread.start()
            elif self._lingers or self._patience > SHORTEST:  # else it asks soon enough as it is
                self._patience = SHORTEST
                self._lock.notify_all()
        return future

    def forget(self, id: str, future: "Future[Found]") -> None:
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
            self._tell({x.id: x for x in recorded if x.id in awaited and is_settled(x.state)})

    def _tell(self, found: Mapping[str, Found]) -> None:
        for id, rests in found.items():
            with self._lock:
                futures = self._awaited.pop(id, [])
            for future in futures:
                _complete(future, rests)

    def look(self) -> None:
        """Ask the store now: something may have changed."""
        if self._awaited:
            with self._lock:
                self._look = True
                self._lock.notify_all()

    def close(self) -> None:
        """Wait for nothing more: whoever still waits is told so."""
        with self._lock:
            futures = [future for waiting in self._awaited.values() for future in waiting]
            self._awaited.clear()
            self._closed = True
            self._lock.notify_all()
        for future in futures:
            with suppress(InvalidStateError):
                future.set_exception(MisuseError(CLOSED))

    def _run(self) -> None:
        while ids := self._due():
            self._ask(ids)

    def _due(self) -> list[str]:
        """Wait until it is time to ask, and give about whom: nobody once nobody has waited for long."""
        with self._lock:
            while self._is_wanted():
                patience = self._patience
                stirred = partial(self._stirs, patience)
                if self._lock.wait_for(stirred, patience) and not self._look:
                    continue  # somebody began to wait, or everybody was told to go
                self._patience = SHORTEST if self._look else min(patience * 2, LONGEST)
                self._look = False
                if self._awaited:
                    return list(self._awaited)
            self._thread = None
            return []

    def _is_wanted(self) -> bool:
        """Tell whether somebody waits, or comes to wait before long."""
        self._lingers = True
        self._lock.wait_for(lambda: bool(self._awaited) or self._closed, LINGERS)
        self._lingers = False
        return bool(self._awaited)

    def _stirs(self, patience: float) -> bool:
        return self._look or self._closed or self._patience < patience

    def _ask(self, ids: list[str]) -> None:
        try:
            states = self._states(ids)
        except StoreError:
            return  # it is asked again soon; who waits has a time limit of its own
        except Exception:  # noqa: BLE001 - those who wait must not be left alone
            _log.exception("asking for the states of executions failed; it is tried again")
            return
        found = {id: states.get(id) for id in ids}
        self._tell({id: state for id, state in found.items() if state is None or is_settled(state)})


def _complete(future: "Future[Found]", found: Found) -> None:
    try:
        future.set_result(found)
    except InvalidStateError:
        return  # whoever waited has given up
