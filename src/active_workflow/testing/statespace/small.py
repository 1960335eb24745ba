"""The small world: its state, and every action that is possible in it."""

from collections.abc import Iterator

from active_workflow.core.attempts import Failure
from active_workflow.core.events import (
    CancelRequested,
    Completed,
    Event,
    Failed,
    Paused,
    Resolved,
    Resumed,
    RetryRequested,
    Returned,
    Signalled,
    Verified,
)
from active_workflow.core.machine import begun
from active_workflow.core.plan import StepKind
from active_workflow.core.ready import due_at
from active_workflow.core.snapshot import BlockKind, Execution
from active_workflow.core.states import Phase, State, StepState
from active_workflow.engine.call import Call, CallKind, Report
from active_workflow.engine.outside import Deliverer
from active_workflow.errors import ActiveWorkflowError
from active_workflow.store.base import NewExecution
from active_workflow.testing.simulation import outcomes
from active_workflow.testing.simulation.broken import demand
from active_workflow.testing.simulation.faulty import FaultyStore, Killed
from active_workflow.testing.simulation.ledger import Entry
from active_workflow.testing.simulation.world import SECOND, START, Faults, World
from active_workflow.testing.statespace.canonical import Canonical, Key
from active_workflow.testing.statespace.configurations import RETURNS, Configuration
from active_workflow.testing.statespace.worker import NEVER, ROLL, SmallWorker

Action = tuple[str, ...]
"""What is done, who does it, and how it goes."""

ID = "x"
TICK = SECOND
LEASE = 3 * TICK
"""Three renewals a lease: one each tick."""
_STORE_FAULTS = {
    "load": (),
    "renew": ("answer is lost", "answer is late"),
    "claim": ("answer is lost", "answer is late", "dies after"),
    "commit": ("fails before", "answer is lost", "answer is late", "dies after"),
}
"""What may befall each store call that is not the same as if it were made later, or not at all."""
_ERROR = Failure("Oops", "it broke", ("builtins.Exception",))


class Pointless(Exception):
    """The action did nothing that another one would not do."""


class _Chosen(Faults):
    """Store calls fail when that is chosen, and an answer that is late is later than any lease."""

    def __init__(self) -> None:
        self.next: str | None = None

    def draw(self) -> str | None:
        fault, self.next = self.next, None
        return fault

    def delay(self) -> int:
        return LEASE

    def dawdle(self) -> int:
        return 0


class SmallWorld(World):
    """A state of the search. Each action makes it another one.

    Args:
        configuration: What it consists of.
        traced: Whether to keep a story of it to be read.
    """

    def __init__(self, configuration: Configuration, *, traced: bool = False) -> None:
        super().__init__(0, traced=traced)
        self.configuration = configuration
        self.faults: _Chosen = _Chosen()
        self.left = {
            name: getattr(configuration, name)
            for name in ("trouble", "cancels", "completions", "signals", "pauses", "operations")
        }
        self._made = 0
        self.workers = [self._new_worker() for _ in range(2)]
        x = begun(Execution(ID, configuration.plan, {}, {}, "", START, START, revision=1), START)
        FaultyStore(self, self).insert([NewExecution(x, due_at=due_at(x))])
        self._look_about()

    name = "outside"
    alive = True

    def kill(self) -> None:
        """Whoever speaks from outside does not die here: what it says arrives or was never said."""

    def _new_worker(self) -> SmallWorker:
        self._made += 1
        return SmallWorker(self, f"w{self._made}", LEASE, self.configuration.slots)

    @property
    def row(self) -> Execution:
        """The execution, as the store has it."""
        return self.judge.records[ID].row

    @property
    def settled(self) -> bool:
        """Whether the execution is over, or only an operator can move it on."""
        state = self.row.state
        return state.terminal or (self.row.stalled and state is not State.PAUSED)

    # --- Its key ------------------------------------------------------------------------------------

    def key(self) -> Key:
        """Give what makes this state another one than others."""
        record, row = self.judge.records[ID], self.store._rows[ID]  # noqa: SLF001 - leases and all
        canonical = Canonical(row.execution, self.time(), TICK, self.configuration.bases)
        workers = sorted(
            canonical.key((worker.state, row.lease_owner == worker.name, record.owner == worker.name))
            for worker in self.workers
        )
        known = (record.order, record.completed, record.resolved, record.lease_until is None, *self._calls())
        parts = (row.execution, row.due_at, row.lease_until, self.left, known, workers)
        return canonical.key(parts, row_told=False)

    def _calls(self) -> Iterator[object]:
        """Give what the judge will want to know of the calls that were made: of each step the last, and the rest."""
        record = self.judge.records[ID]
        for kind, book in ((CallKind.RUN, self.ledger.runs), (CallKind.UNDO, self.ledger.undos)):
            for (_, step), entries in sorted(book.items()):
                last, key = entries[-1], (kind, step)
                spare = record.interruptions[key] + record.failures[key] + record.renewals - len(entries)
                landed = sum(entry.effect for entry in entries)
                mine = last.call.token == record.row.token
                yield (kind.value, step, spare, landed, last.end, mine, all(e.end == "raised" for e in entries))

    # --- Actions ------------------------------------------------------------------------------------

    def actions(self) -> Iterator[Action]:
        """Give everything that can happen now."""
        trouble = self.left["trouble"] > 0
        for number, worker in enumerate(self.workers):
            who = str(number)
            if worker.busy:
                yield ("go", who)
                yield from (("go", who, fault) for fault in _STORE_FAULTS[worker.next] if trouble)
            if worker.waiting and worker.has_slot:
                yield ("begin", who)
            for entry in worker.running:
                yield from (("end", who, entry.call.step, how) for how in self._ends(entry.call))
            if trouble and (worker.waiting or worker.running or worker.scheduler.held):
                yield from (("crash", who, how) for how in self._deaths(worker))
        if trouble and any(worker.scheduler.held for worker in self.workers):
            yield ("stall",)
        yield from self._from_outside()
        if not self._somebody_busy() and not self.settled and self._next_instant() is not None:
            yield ("tick",)

    def _ends(self, call: Call) -> tuple[str, ...]:
        if call.kind is CallKind.VERIFY:
            return ("answers",)
        undo = call.kind is CallKind.UNDO
        return self.configuration.ends.get(f"undo {call.step}" if undo else call.step, RETURNS)

    def _deaths(self, worker: SmallWorker) -> tuple[str, ...]:
        undecided = self.configuration.late_effects and worker.running
        return ("before its effect", "after its effect") if undecided else ("",)

    def _somebody_busy(self) -> bool:
        return any(w.busy or (w.waiting and w.has_slot) for w in self.workers)

    def _next_instant(self) -> int | None:
        instants = [worker.scheduler.wake_at(self.time()) for worker in self.workers]
        instants.append(self.store._rows[ID].claimable_at)  # noqa: SLF001 - leases and all
        return min((at for at in instants if at is not None and at < START + NEVER // 2), default=None)

    def _from_outside(self) -> Iterator[Action]:
        x, left = self.row, self.left
        if x.phase is Phase.OVER:
            return
        if x.paused_at is not None:
            yield ("resume",)
        elif left["pauses"]:
            yield ("pause",)
        if left["cancels"] and x.phase is Phase.FORWARD:
            yield ("cancel",)
        if left["completions"] and self.ledger.landed((ID, "b")) is not None:
            yield ("complete",)
        if left["signals"]:
            yield ("signal",)
        for step in x.steps.values():
            if step.state is StepState.IN_DOUBT and x.stalled:
                yield ("resolve", step.name)
            if step.state is StepState.COMPENSATION_FAILED and x.stalled:
                yield ("undone by hand", step.name)
        tried_again = x.state is State.COMPENSATION_FAILED or (
            x.blocked is not None and x.blocked.kind is BlockKind.PIVOT
        )
        if left["operations"] and tried_again:
            yield ("retry",)

    # --- Doing them ---------------------------------------------------------------------------------

    def do(self, action: Action) -> None:
        """Do what ``actions`` gave.

        Raises:
            Broken: An invariant does not hold any more.
            Pointless: It came to nothing.
        """
        self.log("--- {}", " ".join(action))
        match action:
            case ("go", who, *faults):
                self._go(int(who), *faults)
            case ("begin", who):
                self._begin(self.workers[int(who)])
            case ("end", who, step, how):
                worker = self.workers[int(who)]
                self._end(worker, next(e for e in worker.running if e.call.step == step), how)
            case ("crash", who, how):
                self._crash(int(who), landed=how != "before its effect")
            case ("stall",):
                self.left["trouble"] -= 1
                self.timeline.now += LEASE
            case ("tick",):
                self._tick()
            case (what, *rest):
                self._tell(what, *rest)
        self._look_about()
        if self.row.state.terminal:
            outcomes.check_end(self.judge.records[ID], self.ledger)

    def _tick(self) -> None:
        """Time goes by, as nobody has anything to do now: then no lease of a living worker may run out."""
        self.timeline.now += TICK
        row = self.store._rows[ID]  # noqa: SLF001 - leases and all
        over = row.lease_until is not None and row.lease_until <= self.time()
        mine = [w.name for w in self.workers if w.name == row.lease_owner and ID in w.scheduler.held]
        demand(not (over and mine), 1, f"{mine} did not renew its lease in time")

    def _look_about(self) -> None:
        """Let workers hear at once when something can be claimed, and know at once when nothing can.

        A hint may come at any time, and a claim in vain may be made at any time: no other order of these leads
        anywhere else.
        """
        at = self.store._rows[ID].claimable_at  # noqa: SLF001 - leases and all
        claimable = at is not None and at <= self.time()
        for worker in self.workers:
            if claimable:
                worker.may_claim()
            else:
                worker.claim_in_vain()
            if not self.left["trouble"]:  # nothing can come between a call's being asked for and its begin
                while worker.waiting and worker.has_slot:
                    self._begin(worker)

    def _go(self, who: int, fault: str | None = None) -> None:
        worker = self.workers[who]
        if fault is not None:
            self.left["trouble"] -= 1
            self.faults.next = fault
        try:
            worker.go()
        except Killed:
            self.workers[who] = self._new_worker()
        if self.faults.next is not None:
            raise Pointless

    def _crash(self, who: int, *, landed: bool) -> None:
        self.left["trouble"] -= 1
        for entry in self.workers[who].running:
            entry.effect = entry.effect or landed
        self.workers[who].kill()
        self.workers[who] = self._new_worker()

    def _begin(self, worker: SmallWorker) -> None:
        entry = worker.begin()
        if entry is None:
            return
        self.judge.called(entry)
        acts = entry.call.kind is CallKind.RUN or entry.call.kind is CallKind.UNDO
        entry.effect = acts and not self.configuration.late_effects

    def _end(self, worker: SmallWorker, entry: Entry, how: str) -> None:
        call, undo = entry.call, entry.call.kind is CallKind.UNDO
        if how == "raises":
            entry.end, entry.effect = "raised", False
            event: Event = Failed(call.step, call.attempt, _ERROR, ROLL, undo=undo)
        elif how == "answers":
            landed = self.ledger.landed((ID, call.step))
            entry.end, entry.answer = "returned", f'"verified {call.attempt}"'
            result = str(entry.answer) if landed else None
            event = Verified(call.step, call.attempt, landed=landed is not None, result=result)
        else:
            entry.end, entry.effect, entry.answer = "returned", True, f'"{call.step} {call.attempt}"'
            event = Returned(call.step, call.attempt, undo=True)
            if not undo:
                event = Returned(call.step, call.attempt, str(entry.answer), {call.step: str(entry.answer)})
        entry.ended = self.time()
        worker.end(Report(call, event))

    def _tell(self, what: str, step: str = "") -> None:
        """Somebody outside says something."""
        budget = {"cancel": "cancels", "complete": "completions", "signal": "signals", "pause": "pauses",
                  "retry": "operations"}.get(what)  # fmt: skip
        if budget is not None:
            self.left[budget] -= 1
        record = self.judge.records[ID]
        if what in ("resolve", "undone by hand"):
            record.resolved.add(step)
        if what == "retry":
            record.renewals += 5
        deliverer = Deliverer(FaultyStore(self, self), self.time, lambda found: self.judge.told("outside", found))
        try:
            deliverer.deliver(ID, self._event(what, step))
        except ActiveWorkflowError as error:
            self.log("outside: {!r}", error)

    def _event(self, what: str, step: str) -> Event:
        landed = self.ledger.landed((ID, step))
        number = self.configuration.signals - self.left["signals"]
        events: dict[str, Event] = {
            "cancel": CancelRequested(),
            "complete": Completed(self._external, '"done"', "key"),
            "signal": Signalled("go", f'"signal {number}"', f"key {number}"),
            "pause": Paused(),
            "resume": Resumed(),
            "retry": RetryRequested(),
            "resolve": Resolved(step, landed=landed is not None, result=landed and str(landed.answer)),
            "undone by hand": Resolved(step, undone=True),
        }
        return events[what]

    @property
    def _external(self) -> str:
        return next((s.name for s in self.configuration.plan.steps if s.kind is StepKind.EXTERNAL), "")
