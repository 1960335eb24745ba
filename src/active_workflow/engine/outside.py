"""Applies what comes from outside: load, ask the law, commit guarded by the revision; refused, try again."""

import random
import time
from collections.abc import Callable, Sequence

from active_workflow.core.change import Change, change_between
from active_workflow.core.events import Event
from active_workflow.core.machine import apply
from active_workflow.core.ready import due_at
from active_workflow.core.snapshot import Execution
from active_workflow.engine.scheduler import Transition
from active_workflow.errors import DataRejected, ExecutionNotFound, StoreUnavailable, UnknownCommit
from active_workflow.store.base import Store, Verdict

DEADLINE = 15.0
"""Seconds after which a call from outside gives up on a store that does not answer or refuses on and on."""


class Deliverer:
    """Delivers events of callers to executions. Safe for many threads.

    Args:
        store: Where the executions are.
        now: The store's time.
        on_recorded: Told of every transition after its commit.
    """

    def __init__(
        self, store: Store, now: Callable[[], int], on_recorded: Callable[[Sequence[Transition]], None]
    ) -> None:
        self._store = store
        self._now = now
        self._on_recorded = on_recorded

    def deliver(self, id: str, event: Event) -> Transition:
        """Apply one event; see ``deliver_many``."""
        return self.deliver_many([(id, event)])[0]

    def deliver_many(self, events: Sequence[tuple[str, Event]]) -> list[Transition]:
        """Apply events, those of different executions in one commit, and give each's before and after.

        Several events of one execution are applied in their order. Where before and after are the same
        object the event was a repeat or came too late, and nothing was written.

        Raises:
            ExecutionNotFound: One of the ids is unknown; nothing was written.
            UnknownStep, UnknownSignal, CompletionConflict, CorrelationMismatch, IllegalMove: As the law
                says; what came before it in the list may have been written.
            StoreUnavailable: The deadline is over; each event is either recorded or safe to send again.
        """
        answers: dict[int, Transition] = {}
        doubted: dict[str, Transition] = {}
        left = list(enumerate(events))
        deadline = time.monotonic() + DEADLINE
        tries = 0
        while left:
            if tries:
                self._pause(tries, deadline)
            tries += 1
            try:
                done = self._deliver_once(left, doubted)
            except StoreUnavailable:
                if time.monotonic() > deadline:
                    raise
                continue
            answers.update(done)
            left = [(number, item) for number, item in left if number not in done]
        return [answers[number] for number in range(len(events))]

    def _deliver_once(
        self, left: Sequence[tuple[int, tuple[str, Event]]], doubted: dict[str, Transition]
    ) -> dict[int, Transition]:
        """Try all events that are left, and give those that are done with.

        Args:
            left: Each with its number.
            doubted: Transitions whose commit was of unknown outcome, by execution: what is found to have
                landed is not a repeat.
        """
        first: dict[str, tuple[int, Event]] = {}
        for number, (id, event) in left:
            first.setdefault(id, (number, event))
        found = {x.id: x for x in self._store.load(list(first))}
        for id in first:
            if id not in found:
                raise ExecutionNotFound(
                    f"there is no execution {id!r} in this store: check the id and the store"
                )
        now = self._now()
        done: dict[int, Transition] = {}
        changes: list[Change] = []
        numbers: list[int] = []
        for id, (number, event) in first.items():
            before = found[id]
            if (doubt := doubted.pop(id, None)) is not None and _is_same(before, doubt[1]):
                done[number] = doubt
                self._on_recorded([doubt])
                continue
            after = apply(before, event, now)
            if after is before:
                done[number] = (before, before)
                continue
            changes.append(change_between(before, after, due_at=due_at(after)))
            numbers.append(number)
        if changes:
            try:
                self._commit(changes, numbers, found, done)
            except UnknownCommit:
                doubted.update({change.id: (found[change.id], change.after) for change in changes})
                raise
        return done

    def _commit(
        self,
        changes: Sequence[Change],
        numbers: Sequence[int],
        found: dict[str, Execution],
        done: dict[int, Transition],
    ) -> None:
        transitions = []
        for number, change, answer in zip(numbers, changes, self._store.commit(changes), strict=True):
            if answer.verdict is Verdict.REJECTED:
                raise DataRejected(f"the store refuses what was sent to {change.id}: {answer.detail}")
            if answer.verdict is Verdict.APPLIED:
                done[number] = (found[change.id], change.after)
                transitions.append(done[number])
        if transitions:
            self._on_recorded(transitions)

    def _pause(self, tries: int, deadline: float) -> None:
        """Let whoever won go ahead; a refusal means that somebody else has made progress."""
        if time.monotonic() > deadline:
            raise StoreUnavailable(f"could not be recorded within {DEADLINE:g} s: send it again")
        time.sleep(random.uniform(0, min(0.001 * 2**tries, 0.1)))


def _is_same(found: Execution, expected: Execution) -> bool:
    """Tell whether what was found is what was to be written, whoever may have claimed it since."""
    return found.evolve(token=expected.token) == expected
