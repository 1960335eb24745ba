"""One execution in the hands of a worker: what is recorded, what is known beyond that, what runs."""

from collections.abc import Callable

from active_workflow.core.attempts import NOT_RUN, Failure
from active_workflow.core.change import Change, change_between
from active_workflow.core.events import (
    CodeFound,
    CodeMissing,
    DecideFailed,
    Event,
    Failed,
    NotCalled,
    Returned,
    Verified,
    VerifyFailed,
    Wake,
    WorkerLost,
)
from active_workflow.core.machine import apply
from active_workflow.core.ready import due_at, next_due_after
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Phase, StepState
from active_workflow.core.timers import TimerKind, first_due
from active_workflow.engine.call import Call, CallKind, Tenure

CallKey = tuple[CallKind, str, int]


class Held:
    """An execution whose lease this worker has.

    Attributes:
        id: The execution's id.
        recorded: The newest snapshot known to be in the store.
        known: The same with everything applied that is not recorded yet.
        facts: The events between the two that are facts and must not be lost: after a refused commit
            they are applied again to what was read. Decisions (starts, timers) are not among them: they
            are made anew.
        later: Facts that wait until those before them are recorded, so that one which the database
            refuses stands alone.
        sent: How many of the facts are in a commit under way; None: no commit is. Facts told meanwhile
            come after them, decisions aren't made.
        calls: What runs for it in this process, by what it is.
        asks: What is to be asked as soon as what is known is recorded, and needs no record itself.
        read_at: When it was last read from the store.
        tenure: How long the lease can be relied on.
    """

    __slots__ = ("asks", "calls", "facts", "id", "known", "later", "read_at", "recorded", "sent", "tenure")

    def __init__(self, execution: Execution, good_until: int, now: int) -> None:
        """Take hold of an execution as it was read."""
        self.id = execution.id
        self.recorded = execution
        self.known = execution
        self.facts: list[Event] = []
        self.later: list[Event] = []
        self.sent: int | None = None
        self.calls: dict[CallKey, Call] = {}
        self.asks: list[CallKey] = []
        self.read_at = now
        self.tenure = Tenure(good_until)

    @property
    def dirty(self) -> bool:
        """Whether something is known that is not recorded."""
        return self.known is not self.recorded

    def lapsed(self, now: int) -> bool:
        """Tell whether somebody else may have the lease by now."""
        return now >= self.tenure.good_until

    # --- What is known --------------------------------------------------------------------------

    def tell(self, event: Event, now: int) -> None:
        """Apply a fact."""
        if self.later:
            self.later.append(event)
            return
        after = apply(self.known, event, now)
        if after is not self.known:
            self.known = after
            self.facts.append(event)

    def decide(self, event: Event, now: int) -> None:
        """Apply a decision of the scheduler: if the commit is refused it is simply made again."""
        self.known = apply(self.known, event, now)

    def fire_timers(self, roll: Callable[[], float], now: int) -> bool:
        """Let every timer that is due fire, unless it has to be read again before that.

        Signs of life change no revision, so only a snapshot read since then shows that one is missing.
        """
        if not self.known.plan.timed and not self.known.plan.begun_by_law:
            return True
        timer = first_due(self.known, now)
        if timer is None and not self._begins_by_itself(now):
            return True
        if timer is not None and timer.kind is TimerKind.HEARTBEAT and self.read_at < timer.at:
            return False
        self.decide(Wake(roll()), now)
        return True

    def _begins_by_itself(self, now: int) -> bool:
        """Whether some wait should have begun: the first step's time has come, by whichever clock."""
        x = self.known
        if x.phase is not Phase.FORWARD or x.ending is not None or x.run_at > now:
            return False
        return any(
            step.name not in x.steps and not step.decides and all(map(x.is_done, step.after))
            for step in x.plan.begun_by_law
        )

    def reread(self, execution: Execution, now: int) -> None:
        """Go on from what the store has; what is known and not recorded there is applied again."""
        facts, self.facts = [*self.facts, *self.later], []
        self.later.clear()
        self.recorded = self.known = execution
        self.read_at = now
        for event in facts:
            self.tell(event, now)

    def recorded_as(self, execution: Execution, now: int) -> None:
        """What was sent is recorded now; go on with the next of the facts that stood back."""
        told_meanwhile = [] if self.sent is None else self.facts[self.sent :]
        self.sent = None
        self.recorded = execution
        if told_meanwhile:
            self.facts = told_meanwhile
            return
        self.known = execution
        self.facts.clear()
        while self.later and not self.dirty:
            later, self.later = self.later, []
            self.tell(later[0], now)
            self.later = later[1:]

    def reject(self, reason: str, now: int) -> bool:
        """The database refuses the data of some fact: try them one by one; the culprit has failed for good.

        Returns:
            Whether there is something left to try.
        """
        facts, self.facts, self.known = self.facts, [], self.recorded
        later, self.later = [*facts[1:], *self.later], []
        if not facts:
            return False
        first = facts[0] if len(facts) > 1 else _without_data(facts[0], reason)
        if len(facts) == 1 and first == facts[0]:
            return False
        self.tell(first, now)
        self.later = later
        return True

    # --- What to write and to call --------------------------------------------------------------

    def change(self, *, park: bool) -> Change:
        """Give the change that records what is known; with ``park`` it gives up the lease as well."""
        self.sent = len(self.facts)
        due = due_at(self.known) if park else None
        return change_between(self.recorded, self.known, owned=True, release=park, due_at=due)

    def look_at(self, now: int) -> int | None:
        """Tell when to look at it again even if nothing happens until then."""
        x = self.recorded
        if not x.plan.timed and not (x.plan.retries and any(map(_is_delayed, x.steps.values()))):
            return None
        return next_due_after(x, now)

    def uncalled(self) -> list[CallKey]:
        """Give each attempt that is recorded as started under this lease, and neither called nor over yet.

        While facts stand back there are none: one of them may be that it is over.
        """
        if self.later:
            return []
        found: list[CallKey] = []
        for step in self.recorded.steps.values():
            if step.state is StepState.RUNNING:
                found.append((CallKind.RUN, step.name, step.run.attempts))
            elif step.undo.running:
                found.append((CallKind.UNDO, step.name, step.undo.attempts))
        if not found:
            return found
        return [key for key in found if key not in self.calls and (not self.dirty or self._still_runs(key))]

    def _still_runs(self, key: CallKey) -> bool:
        kind, name, attempt = key
        step = self.known.step(name)
        run = step.undo if kind is CallKind.UNDO else step.run
        return run.running and run.attempts == attempt

    def take_back(self, now: int) -> None:
        """Take back every attempt that is recorded as started and was not called."""
        for kind, step, attempt in self.uncalled():
            self.tell(NotCalled(step, attempt, undo=kind is CallKind.UNDO), now)

    @property
    def attempt_runs(self) -> bool:
        """Whether an attempt is recorded as started, or about to be: then somebody has to hold it."""
        return any(step.run.running or step.undo.running for step in self.known.steps.values())

    @property
    def asks_again(self) -> bool:
        """Whether a question is asked, or about to be, that has lost a worker before."""
        x = self.known
        if x.asked_under is None or x.token == x.asked_under:
            return False
        return bool(self.asks) or any(kind in _QUESTIONS for kind, _, _ in self.calls)

    @property
    def runs_suspect(self) -> bool:
        """Whether a suspect's attempt is recorded as started, or about to be."""
        return any(
            (step.run.running and step.run.suspect) or (step.undo.running and step.undo.suspect)
            for step in self.known.steps.values()
        )

    @property
    def runs_transaction(self) -> bool:
        """Whether a transactional step's attempt is recorded as started, or about to be."""
        plans = self.known.plan.by_name
        return any(
            (step.run.running or step.undo.running) and plans[step.name].transactional
            for step in self.known.steps.values()
        )

    def at_claim(self, missing: str | None) -> list[Event]:
        """Give what a claim tells of it.

        Args:
            missing: Why the code here can't run it; None: it can.
        """
        lost = self.attempts()
        found = CodeFound() if missing is None else CodeMissing(missing)
        return [WorkerLost(lost), found] if lost or self.recorded.plan.asks else [found]

    def attempts(self) -> frozenset[tuple[str, bool, int]]:
        """Give the attempts that are recorded as running, or whose threads may still run somewhere."""
        found = set()
        for step in self.recorded.steps.values():
            if step.run.running or step.run.lingering is not None:
                found.add((step.name, False, step.run.attempts))
            if step.undo.running or step.undo.lingering is not None:
                found.add((step.name, True, step.undo.attempts))
        return frozenset(found)


_QUESTIONS = frozenset({CallKind.VERIFY, CallKind.DECIDE})


def _is_delayed(step: Step) -> bool:
    """Whether some attempt of a step has to wait for a time."""
    run, undo = step.run, step.undo
    if undo is not NOT_RUN and (undo.retry_at is not None or undo.abandon_at is not None):
        return True
    return run.retry_at is not None or run.abandon_at is not None


def _without_data(event: Event, reason: str) -> Event:
    """Give the fact that remains of one whose data can't be recorded."""
    error = Failure(type="SerializationError", message=ascii(reason), retryable=False)
    match event:
        case Returned(step, attempt, undo=undo) | Failed(step, attempt, returned=True, undo=undo):
            return Failed(step, attempt, error, returned=True, undo=undo)
        case Failed(step, attempt, undo=undo):
            return Failed(step, attempt, error, undo=undo)
        case Verified(step, attempt) | VerifyFailed(step, attempt):
            return VerifyFailed(step, attempt, error)
        case DecideFailed(step):
            return DecideFailed(step, error)
        case _:
            return event
