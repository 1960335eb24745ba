"""What a worker claims, starts, commits, renews and gives up: decided without threads, clocks or I/O.

A scheduler is told what happened (reports of calls, answers of the store) and asked what to do next. Who
drives it is free: threads (``worker.py``), one thread and no clock (``inline.py``), or a simulation of a
whole cluster. It is not safe for several threads at once; its driver sees to that.
"""

from collections.abc import Callable, Iterable, Sequence

from active_workflow.core.change import Change
from active_workflow.core.events import CodeMissing
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import Phase
from active_workflow.engine.call import Call, Report, not_called
from active_workflow.engine.held import Held
from active_workflow.engine.holdings import Holdings
from active_workflow.engine.leases import Claims, Renewals, Serves
from active_workflow.engine.outstanding import Outstanding
from active_workflow.engine.pace import Pace
from active_workflow.engine.starts import Starts
from active_workflow.engine.worker_settings import WorkerSettings
from active_workflow.store.base import Applied, Claimed, ClaimRequest, Lease, Renewed, Verdict

Transition = tuple[Execution, Execution]
"""What was recorded: the snapshot before and the one after."""


class Scheduler:
    """The mind of one worker.

    Attributes:
        settings: How it works.
        held: The executions it has leases on, by id.
        draining: Whether it takes on nothing more.
        faults: Errors that should not happen, for the driver to log: (execution id, error).
        pace: How many calls run, and how many may.
        roll: Gives a number in [0, 1) that spreads delays.
        transacted: What steps have recorded in transactions of their own, for the driver to tell of.
    """

    def __init__(self, settings: WorkerSettings, serves: Serves, roll: Callable[[], float]) -> None:
        """Make a worker's mind.

        Args:
            settings: How it works.
            serves: Says why the code here can't run an execution; None: it can.
            roll: Gives a number in [0, 1) that spreads delays.
        """
        self.settings = settings
        self.pace = Pace(settings.concurrency)
        self.draining = False
        self.roll = roll
        self.transacted: list[Transition] = []
        self._holdings = Holdings(self.pace)
        self.held = self._holdings.by_id
        self.faults = self._holdings.faults
        self._starts = Starts(self.pace, self.held, settings)
        self._claims = Claims(self.pace, settings, serves)
        self._renewals = Renewals(settings.lease)
        self._outstanding = Outstanding(self.pace)

    # --- Told by the driver ---------------------------------------------------------------------

    def adopt(self, execution: Execution, good_until: int, now: int) -> None:
        """Take over an execution that was inserted with this worker's lease."""
        self._holdings.take(execution, good_until, now)
        self._renewals.began(now)

    def claimed(self, answer: Claimed, good_until: int, now: int, *, limit: int) -> None:
        """Take over what a claim got; attempts that others left running are lost."""
        # Questions first, for suspects wait for them.
        for execution in sorted(answer.executions, key=lambda x: x.asked_under is None):
            held = self._holdings.take(execution, good_until, now)
            for event in held.at_claim(self._claims.unserved(execution)):
                self._holdings.tell(held, event, now)
        self._renewals.began(now)
        self._claims.answered(answer, limit, now)

    def report(self, report: Report, now: int) -> None:
        """A call came to something; its slot is free unless its thread still runs."""
        over, call = self._outstanding.ended(report, now), report.call
        if report.recorded is not None:
            self.transacted.append(report.recorded)
        held = self.held.get(call.id)
        if held is None or held.recorded.token != call.token:
            return
        if over:
            held.calls.pop(call.key, None)
        if report.recorded is not None:
            self._holdings.recorded(held, report.recorded[1], now)
            return
        self._holdings.tell(held, report.event, now)
        if isinstance(report.event, CodeMissing) and call.id in self.held:  # gone since the claim: not called
            self._holdings.tell(held, not_called(call).event, now)

    def touched(self, id: str) -> None:
        """Somebody else has changed an execution, perhaps one that is held here."""
        if id in self.held:
            self._holdings.stale[id] = None

    def hint(self) -> None:
        """Something may be due: claim at the next occasion."""
        self._claims.hint(0)

    def drain(self) -> None:
        """Take on nothing more, take back what was started and not called, give up what is not running."""
        self.draining = True
        self._holdings.dirty.update(dict.fromkeys(self.held))

    # --- What to write --------------------------------------------------------------------------

    def changes(self, now: int) -> list[Change]:
        """Decide what to start, and give what is to be committed at once, one change an execution."""
        changes = []
        for held in self._holdings.to_look_at(self._starts.fed(), now):
            try:
                change = self._look_at(held, now)
            except Exception as error:  # noqa: BLE001 - one bad execution must not hold up the others
                self._holdings.fault(held.id, error)
                continue
            if change is not None:
                changes.append(change)
        return changes

    def committed(self, changes: Sequence[Change], answers: Sequence[Applied], now: int) -> list[Transition]:
        """Take the store's answers to ``changes``; what was recorded as started can be called now."""
        transitions = []
        for change, answer in zip(changes, answers, strict=True):
            held = self._answered(change)
            if held is None:
                continue
            if answer.verdict is Verdict.APPLIED:
                if held.dirty:
                    transitions.append((held.recorded, change.after))
                self._recorded(held, change, now)
                continue
            held.sent = None
            if answer.verdict is Verdict.REJECTED:
                self._holdings.reject(held, answer.detail, now)
            elif answer.token == held.recorded.token:
                self._holdings.stale[change.id] = None
            else:
                self._holdings.drop(change.id)
        return transitions

    def commit_unknown(self, changes: Iterable[Change]) -> None:
        """The store did not say what became of a commit: read everything again before going on.

        Where the lease was given up with it, only the store can say whether it still is ours.
        """
        for change in changes:
            self.touched(change.id)
            if (held := self._answered(change)) is not None:
                held.sent = None
            if change.release:
                self._holdings.doubt(change.id)
                self._renewals.doubted()

    def stale(self) -> list[str]:
        """Give the ids to be read again: not while a commit of theirs is under way."""
        return [id for id in self._holdings.stale if self.held[id].sent is None]

    def reread(self, ids: Iterable[str], executions: Iterable[Execution], now: int) -> None:
        """Take what was read; an execution that is gone, or has another owner, is let go."""
        found = {execution.id: execution for execution in executions}
        for id in ids:
            held = self.held.get(id)
            if held is not None:
                self._holdings.reread(held, found.get(id), now)

    # --- What to claim and renew ----------------------------------------------------------------

    def claim(self, now: int) -> ClaimRequest | None:
        """Give the claim to make now, if there is room and something may be due."""
        self.pace.adapt()
        limit = self._claimable()
        if limit <= 0 or now < self._claims.due_at:
            return None
        workflows = self.settings.workflows
        return ClaimRequest(
            owner=self.settings.name,
            limit=limit,
            lease=self.settings.lease,
            workflows=None if workflows is None else workflows(),
            queues=self.settings.queues,
            not_plans=self._claims.not_plans(),
        )

    def renewals(self, now: int) -> list[Lease]:
        """Give the leases to renew now: all of them, three times a lease, and until it has succeeded."""
        if not self.held:
            self._renewals.due_at = None
        due_at = self._renewals.due_at
        if due_at is None or now < due_at:
            return []
        return [Lease(id, held.recorded.token) for id, held in self.held.items()]

    def renewed(self, answers: Iterable[Renewed], good_until: int) -> None:
        """Take the answers to ``renewals``: a lost lease is let go, a changed execution read again."""
        self._renewals.renewed(good_until)
        for answer in answers:
            held = self.held.get(answer.id)
            if held is None:
                continue
            if not answer.held:
                self._holdings.drop(answer.id)
                continue
            self._holdings.renewed(held, good_until)
            if held.sent is None and answer.revision != held.recorded.revision:
                self._holdings.stale[answer.id] = None

    # --- What to call ---------------------------------------------------------------------------

    def calls(self) -> list[Call]:
        """Give the calls to be made now: each was recorded, and occupies a slot until its last report."""
        return self._outstanding.take()

    def expired(self, now: int) -> list[Call]:
        """Give the calls whose time is over: to be stopped if they can be, else reported as run out."""
        return self._outstanding.expired(now)

    @property
    def gathered(self) -> int:
        """About how many executions there are to decide about."""
        return len(self._holdings.dirty)

    def wake_at(self, now: int, *, committing: bool = False) -> int | None:
        """Tell when there is something to do even if nothing is reported until then.

        While a commit is under way nothing is decided: that waits for its answer.
        """
        if not committing and (self._holdings.dirty or self._holdings.stale or self._starts.can_feed()):
            return now
        instants = [
            None if committing else self._holdings.alarms.next(),
            self._outstanding.wake_at(now),
            self._renewals.due_at if self.held else None,
            self._claims.due_at if not committing and self._claimable() > 0 else None,
        ]
        earliest = min((at for at in instants if at is not None), default=None)
        return None if earliest is None else max(now, earliest)

    def abandon(self) -> tuple[list[Lease], dict[str, int | None]]:
        """Give up every lease, whatever still runs: others find those attempts interrupted."""
        leases = [Lease(id, held.recorded.token) for id, held in self.held.items()]
        due: dict[str, int | None] = {id: held.recorded.run_at for id, held in self.held.items()}
        for id in list(self.held):
            self._holdings.drop(id)
        return leases, due

    # --- Inside ---------------------------------------------------------------------------------

    def _claimable(self) -> int:
        if self.draining:
            return 0
        return self._claims.limit(len(self._holdings) - self._starts.waiting_suspects)

    def _answered(self, change: Change) -> Held | None:
        """Give the execution of an answer; None if it was let go meanwhile, perhaps to be claimed anew."""
        held = self.held.get(change.after.id)
        if held is None or held.sent is None or held.recorded.token != change.after.token:
            return None
        self._holdings.answered(held)
        return held

    def _look_at(self, held: Held, now: int) -> Change | None:
        """Decide about one execution; give what is to be written, or else make the calls it wants."""
        if not held.fire_timers(self.roll, now):
            self._holdings.stale[held.id] = None
            return None
        wanted = self._is_wanted(held, now)
        if held.dirty or not wanted:
            return held.change(park=not wanted)
        self.pace.unplan(held.id)  # what it asks needs no record
        self._call(held, now)
        return None

    def _is_wanted(self, held: Held, now: int) -> bool:
        """Decide what to start; tell whether the execution still is this worker's business."""
        if self.draining:
            held.take_back(now)
            wanted = held.attempt_runs or bool(held.calls)
        elif held.lapsed(now):
            self._holdings.lapsed[held.id] = None
            wanted = True
        else:
            wanted = self._starts.plan(held, now)
        return (wanted or bool(held.later)) and held.known.phase is not Phase.OVER

    def _recorded(self, held: Held, change: Change, now: int) -> None:
        held.recorded_as(change.after, now)
        if change.children:
            self._claims.hint(now)
        if change.release:
            if change.due_at is not None and change.due_at > now:  # else it is due for others than us
                self._claims.hint(change.due_at)
            self._holdings.drop(held.id)
        elif held.id not in self._holdings.stale:  # else it is read again before anything is called
            if held.dirty:
                self._holdings.look_soon(held)
            self._call(held, now)

    def _call(self, held: Held, now: int) -> None:
        """Ask for every call that is recorded and not made yet, and for answers that need no record."""
        if held.lapsed(now):
            self._holdings.lapsed[held.id] = None
            return
        keys = [] if self.draining else held.uncalled()
        if not held.dirty:  # else it is looked at again at once, and what to ask is decided anew
            keys = keys if self.draining else [*keys, *held.asks]
            self._holdings.alarms.set(held.id, held.look_at(now))
        held.asks.clear()
        for key in keys:
            self._outstanding.ask(held, key, now)


__all__ = ["Scheduler", "Transition", "WorkerSettings"]
