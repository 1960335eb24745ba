"""Applies what comes from outside: load, ask the law, commit guarded by the revision; refused, try again."""

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from active_workflow.core.change import Change, change_between
from active_workflow.core.events import Event
from active_workflow.core.machine import apply
from active_workflow.core.ready import due_at
from active_workflow.core.snapshot import Execution
from active_workflow.engine.scheduler import Transition
from active_workflow.engine.uncommitted import Uncommitted
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
        not_found: Gives the error for an execution that isn't there.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], int],
        on_recorded: Callable[[Sequence[Transition]], None],
        *,
        not_found: Callable[[str], ExecutionNotFound] | None = None,
    ) -> None:
        self._store = store
        self._now = now
        self._on_recorded = on_recorded
        self._not_found = not_found or Uncommitted().not_found

    def deliver(self, id: str, event: Event) -> Transition:
        """Apply one event; see ``deliver_many``."""
        return self.deliver_many([(id, event)])[0]

    def deliver_many(self, events: Sequence[tuple[str, Event]]) -> list[Transition]:
        """Apply events, those of different executions in one commit, and give each's before and after.

        Several events of one execution are applied in their order, in the same commit. Where before and
        after are the same object the event was a repeat or came too late, and nothing was written.

        Raises:
            ExecutionNotFound: One of the ids is unknown; nothing was written.
            UnknownStep, UnknownSignal, CompletionConflict, CorrelationMismatch, IllegalMove: As the law
                says; what came before it in the list may have been written.
            StoreUnavailable: The deadline is over; each event is either recorded or safe to send again.
        """
        answers: dict[int, Transition] = {}
        doubted: dict[str, _Outcome] = {}
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
        self, left: Sequence[tuple[int, tuple[str, Event]]], doubted: dict[str, "_Outcome"]
    ) -> dict[int, Transition]:
        """Try all events that are left, and give those that are done with.

        Args:
            left: Each with its number.
            doubted: What was committed with unknown outcome, by execution: what is found to have landed is
                not a repeat.
        """
        events: dict[str, list[tuple[int, Event]]] = {}
        for number, (id, event) in left:
            events.setdefault(id, []).append((number, event))
        found = self._found(events)
        now = self._now()
        done: dict[int, Transition] = {}
        pending: list[tuple[Change, _Outcome]] = []
        for id, numbered in events.items():
            doubt = doubted.get(id)  # kept: what has not landed by now may still do so
            if doubt is not None and (sure := _has_landed(found[id], doubt)) is not False:
                self._take_as_done([doubt], done, tell=bool(sure))
                continue
            outcome = _outcome(found[id], numbered, now)
            if outcome.after is found[id]:
                done.update(outcome.transitions)
                continue
            change = change_between(found[id], outcome.after, due_at=due_at(outcome.after))
            pending.append((change, replace(outcome, after=change.after)))
        if pending:
            try:
                self._commit(pending, done)
            except UnknownCommit:
                doubted.update({change.id: outcome for change, outcome in pending})
                raise
        return done

    def _found(self, ids: Collection[str]) -> dict[str, Execution]:
        found = {x.id: x for x in self._store.load(list(ids))}
        for id in ids:
            if id not in found:
                raise self._not_found(id)
        return found

    def _commit(self, pending: Sequence[tuple[Change, "_Outcome"]], done: dict[int, Transition]) -> None:
        recorded = []
        answers = self._store.commit([change for change, _ in pending])
        for (change, outcome), answer in zip(pending, answers, strict=True):
            if answer.verdict is Verdict.REJECTED:
                raise DataRejected(f"the store refuses what was sent to {change.id}: {answer.detail}")
            if answer.verdict is Verdict.APPLIED:
                recorded.append(outcome)
        self._take_as_done(recorded, done)

    def _take_as_done(
        self, outcomes: Sequence["_Outcome"], done: dict[int, Transition], *, tell: bool = True
    ) -> None:
        """Take note of what was recorded, and tell of it."""
        for outcome in outcomes:
            done.update(outcome.transitions)
        if outcomes and tell:
            self._on_recorded([(outcome.before, outcome.after) for outcome in outcomes])

    def _pause(self, tries: int, deadline: float) -> None:
        """Let whoever won go ahead; a refusal means that somebody else has made progress."""
        if time.monotonic() > deadline:
            raise StoreUnavailable(f"could not be recorded within {DEADLINE:g} s: send it again")
        time.sleep(random.uniform(0, min(0.001 * 2**tries, 0.1)))


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the events of one execution make of it.

    Attributes:
        before: The execution as it was found.
        after: The execution after all of them; as it is to be recorded, once that is tried.
        transitions: Each event's before and after, by its number.
    """

    before: Execution
    after: Execution
    transitions: dict[int, Transition]


def _outcome(found: Execution, events: Sequence[tuple[int, Event]], now: int) -> _Outcome:
    after, transitions = found, {}
    for number, event in events:
        before, after = after, apply(after, event, now)
        transitions[number] = (before, after)
    return _Outcome(found, after, transitions)


def _has_landed(found: Execution, doubt: _Outcome) -> bool | None:
    """Tell whether what was found shows that a commit has landed, whoever may have gone on from there.

    It left marks with instants of its own, which others may have moved on or removed by now. Its keys may
    have come from another who sent the same at the same time: where only they are left (None), the answer
    is yes, but observers are not told, lest they hear of it twice.
    """
    before, after, there = _marks(doubt.before), _marks(doubt.after), _marks(found)
    ours = {place: mark for place, mark in after.items() if before.get(place) != mark}
    if any(there.get(place) == mark for place, mark in ours.items()):
        return True
    if found.evolve(token=doubt.after.token) == doubt.after:
        return True
    keys = _keys(doubt.after) - _keys(doubt.before)
    if not keys or not keys <= _keys(found) or there.keys() & ours.keys():
        return False
    return None


def _marks(x: Execution) -> dict[tuple[str, object], object]:
    """Give what tells by instants who wrote it, by its place."""
    marks: dict[tuple[str, object], object] = {("signal", it.number): it for it in x.signals}
    for step in x.steps.values():
        for what in ("finished_at", "timeout_at"):
            if (at := getattr(step, what)) is not None:
                marks[what, step.name] = at
        if step.run.errors:
            marks["error", step.name] = step.run.errors[-1]
    return marks


def _keys(x: Execution) -> set[tuple[str, str]]:
    """Give every idempotency key that an execution has taken, with where."""
    keys = {("", key) for key in x.signal_keys} | {("", signal.key) for signal in x.signals if signal.key}
    for step in x.steps.values():
        keys |= {(step.name, key) for key in step.keys}
        if step.early is not None and step.early.key is not None:
            keys.add((step.name, step.early.key))
    return keys
