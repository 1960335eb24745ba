"""Tells subscribers what happened: after the commit, in order, from a thread of its own, at most once."""

import fnmatch
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger("active_workflow")

MOST_WAITING = 100_000
"""Notices that wait for slow subscribers; beyond, the oldest are lost, with one warning."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as subscribers are told.

    Attributes:
        name: For instance ``active_workflow.step.completed``.
        execution_id: Of which execution.
        workflow: Its name.
        step: Its step, if one.
        attempt: The step's attempt, if one.
        at: When, aware datetime in UTC.
        duration: A ``timedelta`` where something ended, else None.
        error: An object with ``type``, ``message``, ``step``, ``details``, or None.
        payload: The value that came with it (a signal's or completion's), or None.
    """

    name: str
    execution_id: str
    workflow: str
    step: str | None
    attempt: int | None
    at: Any
    duration: Any = None
    error: Any = None
    payload: Any = None


Subscriber = Callable[[Event], object]


class Notifier:
    """Keeps subscribers and calls them, one event after the other."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[str, Subscriber]] = []
        self._waiting: deque[Callable[[], Iterable[Event]]] = deque()
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._warned = False

    @property
    def wanted(self) -> bool:
        """Whether anybody listens: if not, no event need be made."""
        return bool(self._subscribers)

    def subscribe(self, pattern: str, subscriber: Subscriber) -> Callable[[], None]:
        """Have a function called for each event whose name matches; give what ends that."""
        entry = (pattern, subscriber)
        with self._lock:
            self._subscribers = [*self._subscribers, entry]

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = [other for other in self._subscribers if other is not entry]

        return unsubscribe

    def publish(self, make_events: Callable[[], Iterable[Event]]) -> None:
        """Have events made and told soon; making them is the telling thread's work too."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                self._warn()
            self._waiting.append(make_events)
            self._start_thread()
            self._lock.notify_all()

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything published so far has been told; False when time is over."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def after_fork(self) -> None:
        """Begin anew in a forked child: threads are not inherited, and what waits is the parent's."""
        self._lock = threading.Condition()
        self._thread, self._busy = None, False
        self._waiting.clear()

    def _start_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="active-workflow-notices", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._busy = False
                self._lock.notify_all()
                self._lock.wait_for(lambda: bool(self._waiting))
                make_events = self._waiting.popleft()
                self._busy = True
            for event in _made(make_events):
                self._tell(event)

    def _tell(self, event: Event) -> None:
        for pattern, subscriber in self._subscribers:
            if fnmatch.fnmatchcase(event.name, pattern):
                try:
                    subscriber(event)
                except BaseException:  # SystemExit and the like too: the others are still to be told
                    logger.exception("a subscriber to %s failed; the workflow is not touched", pattern)

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            logger.warning("a subscriber is far behind: the oldest events are lost; the store has the record")


def _made(make_events: Callable[[], Iterable[Event]]) -> Iterator[Event]:
    """Make events; ones that can't be made (a payload that today's code can't read) end nothing."""
    try:
        yield from make_events()
    except Exception:
        logger.exception("events could not be made and are lost; the store has the record")
