"""One run of the saga under one schedule: real scheduler, real law, real code, one thread, virtual time."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.core.states import Phase
from active_workflow.dsl.handle import Execution
from active_workflow.engine.call import Call, CallKind, Report, overtime
from active_workflow.engine.calls import Caller
from active_workflow.engine.driver import Driver
from active_workflow.engine.scheduler import Scheduler, Transition
from active_workflow.engine.worker_settings import WorkerSettings
from active_workflow.testing.exploring import story
from active_workflow.testing.exploring.partners import Partners, next_due
from active_workflow.testing.exploring.points import Crashed, watched
from active_workflow.testing.exploring.schedule import Blow, Place, Schedule
from active_workflow.testing.exploring.stage import LEASE, Stage

MOST_MOVES = 5_000
ROLL = 0.5
"""Stands for chance, so that every run of a schedule is the same."""


class EngineBroken(Exception):
    """The engine itself has done what it must not: not the saga's fault."""


class Unrepeatable(Exception):
    """Two runs of the same schedule differ: something was left over from one run, or chance decides."""


class Worker:
    """A worker process, as far as it is needed: a scheduler and its hands."""

    def __init__(self, number: int, trial: "Trial") -> None:
        stage = trial.stage
        self.name = f"worker {number}"
        settings = WorkerSettings(self.name, lease=LEASE)
        self.scheduler = Scheduler(settings, stage.why_not_served, lambda: ROLL)
        self.driver = Driver(self.scheduler, stage.store, lambda: stage.clock.micros, trial.recorded)
        self.calls: deque[Call] = deque()

    def idle(self, now: int) -> bool:
        """Tell whether it has nothing to do now."""
        wake_at = self.scheduler.wake_at(now)
        return wake_at is None or wake_at > now


class Trial:
    """One run.

    Args:
        stage: Where.
        schedule: What is done to it.
        partners: Who answers it.
        told: Whether to keep a story of it, to be read.

    Attributes:
        places: Where something could have been done to it.
        story: What has happened, if that is kept.
    """

    def __init__(self, stage: Stage, schedule: Schedule, partners: Partners, *, told: bool = False) -> None:
        self.stage = stage
        self.schedule = schedule
        self.places: list[Place] = []
        self.story = story.Story() if told else None
        self._partners = partners
        self._caller = Caller(
            stage.code_for(schedule.way), stage.engine.serializer, lambda: stage.clock.micros,
            lambda: ROLL, stage.await_here,
        )  # fmt: skip
        self._workers = 0
        self._calling: Call | None = None
        self._effects = 0
        self._dead = False
        self._late: list[tuple[Worker, Report]] = []

    def run(self) -> tuple[Any, Execution]:
        """Run it to its end; give the user's world and the execution.

        Raises:
            Unrepeatable: It did not come to where the schedule does something.
            EngineBroken: Something happened that the engine promises not to let happen.
        """
        world = self.stage.begin()
        self.stage.store.watch = self._about_to_commit
        self._worker = self._new_worker()
        with watched(self):
            for _ in range(MOST_MOVES):
                if not self._move():
                    break
            else:
                raise Unrepeatable(
                    f"the saga is not at rest after {MOST_MOVES} moves: does a step retry for ever?"
                )
        self.stage.store.watch = None
        self._check_all_happened()
        execution = self.stage.handle()
        self._tell(story.ending(execution))
        return world, execution

    def _check_all_happened(self) -> None:
        missed = [move for move in self.schedule.moves if move.place >= len(self.places)]
        if missed:
            raise Unrepeatable(
                f"the run has no place {missed[0].place} this time: let world() reset everything that steps "
                "read, and leave nothing to chance"
            )

    # --- Its workers ----------------------------------------------------------------------------

    def _new_worker(self) -> Worker:
        self._workers += 1
        self._dead = False
        return Worker(self._workers, self)

    def _move(self) -> bool:
        """Let the worker do one thing, or if there is none those outside; False when all is at rest."""
        worker = self._worker
        try:
            worker.calls.extend(worker.driver.turn())
            if worker.scheduler.faults:
                raise EngineBroken(str(worker.scheduler.faults)) from worker.scheduler.faults[0][1]
            if worker.calls:
                self._make(worker.calls.popleft())
                worker.scheduler.hint()
                return True
            return not worker.idle(self.stage.clock.micros) or self._outside()
        except Crashed:
            self._next_worker("its lease runs out")
            return True

    def _next_worker(self, why: str) -> None:
        self._calling = None
        self.stage.clock.micros += LEASE
        self._tell(f"{why}; another worker takes over")
        self._worker = self._new_worker()

    def _make(self, call: Call) -> None:
        """Make a call of user code, with what the schedule has happen to it."""
        acts = call.kind is CallKind.RUN or call.kind is CallKind.UNDO
        cancels = call.kind is CallKind.RUN and call.execution.phase is Phase.FORWARD
        blow = self._place(*_blows(call), cancels=cancels)
        name = story.code_name(call.kind, call.step)
        if blow is Blow.CRASH:
            self._die(
                f"before it calls {name}, which is recorded as started" if acts else f"before it asks {name}"
            )
        self._tell(f"{self._worker.name} {story.called(call)}")
        self._calling, self._effects = call, 0
        report = self._caller.call(call)
        if self._dead:
            raise Crashed
        self._calling = None
        if blow is Blow.OVERTIME:
            self._tell(f"the time of {name} runs out before it is known what it did")
            self.stage.clock.micros += call.timeout or 0
            report = Report(call, overtime(call, ROLL, stopped=True))
        if blow is Blow.STALL:
            self._tell(f"{self._worker.name} stalls: {name} has been called, and that is not recorded yet")
            self._late.append((self._worker, report))
            self._next_worker("its lease runs out")
            return
        self._worker.scheduler.report(report, self.stage.clock.micros)

    def _die(self, where: str) -> None:
        self._dead = True
        self._tell(f"CRASH: {self._worker.name} dies {where}")
        raise Crashed

    # --- Places ---------------------------------------------------------------------------------

    def _place(self, *blows: Blow, cancels: bool = False) -> Blow | None:
        """Come to a place; give what the schedule has happen there to the worker."""
        number = len(self.places)
        self.places.append(Place(number, blows, cancels))
        if self.schedule.cancel_at == number:
            self._tell("somebody cancels")
            self.stage.engine.cancel(self.stage.id, reason="explore cancels it")
            self._worker.scheduler.touched(self.stage.id)
        return self.schedule.at.get(number)

    def _about_to_commit(self, changes: Sequence[Change]) -> None:
        if self._place(Blow.CRASH) is not Blow.CRASH:
            return
        held = self._worker.scheduler.held
        pairs = [(held[c.id].recorded, c.after) for c in changes if c.id in held]
        self._die(f"before it records: {story.recorded(pairs, self.stage.clock.micros)}")

    def effect(self, what: str, *, first_counts: bool) -> None:
        """Something is about to change outside: see ``points``."""
        call = self._calling
        if self._dead:
            raise Crashed
        if call is None:
            return
        self._effects += 1
        if self._effects > 1 or first_counts:
            blow = self._place(Blow.CRASH)
            if blow is Blow.CRASH:
                self._die(f"inside {story.code_name(call.kind, call.step)}, before: {what}")
        self._tell(f"    {what}")

    # --- Those outside --------------------------------------------------------------------------

    def _outside(self) -> bool:
        """The worker has nothing to do: let something happen outside; False when nothing ever will."""
        if self._late:
            self._deliver_late(*self._late.pop(0))
            return True
        if self.stage.store.load([self.stage.id])[0].phase is Phase.FORWARD:
            before = self.stage.store.load([self.stage.id])[0].revision
            self._place(cancels=True)
            if self.stage.store.load([self.stage.id])[0].revision != before:
                self._worker.scheduler.hint()
                return True
        told = self._partners.act(self.stage, self.schedule)
        if told is None:
            due = next_due(self.stage)
            if due is None:
                return False
            self.stage.clock.micros = max(self.stage.clock.micros, due)
        else:
            self._tell(told)
        self._worker.scheduler.hint()
        return True

    def _deliver_late(self, slow: Worker, report: Report) -> None:
        """A worker that has lost its lease wakes up and reports: nothing of that may be recorded."""
        store, now = self.stage.store, self.stage.clock.micros
        watch, store.watch = store.watch, None
        before = self._state()
        slow.scheduler.report(report, now)
        slow.driver.commit()
        store.watch = watch
        if self._state() != before:
            raise EngineBroken(f"{slow.name} had lost its lease, and its late report was recorded")
        self._tell(f"{slow.name} wakes up and reports what it did: refused, as it has lost its lease")

    def _state(self) -> list[Snapshot]:
        return self.stage.store.snapshots()

    # --- The story ------------------------------------------------------------------------------

    def recorded(self, transitions: Sequence[Transition]) -> None:
        """A worker has committed."""
        if self.story is not None:
            self._tell(f"{self._worker.name} records: {story.recorded(transitions, self.stage.clock.micros)}")

    def _tell(self, text: str) -> None:
        if self.story is not None:
            self.story.tell((self.stage.clock.micros - self.stage.start_at) / 1_000_000, text)


def _blows(call: Call) -> list[Blow]:
    """Give what can happen to a worker at a call.

    An undo's only attempt never runs out of time: that would be an undo that fails for good, and what comes
    of that is known without trying.
    """
    if call.kind is CallKind.VERIFY or call.kind is CallKind.DECIDE:
        return [Blow.CRASH]
    policies = call.execution.plan.by_name[call.step].undo_policies
    again = any(policy.max is None or policy.max > call.attempt for policy in policies)
    may_run_out = call.timeout is not None and (call.kind is CallKind.RUN or again)
    return [Blow.CRASH, Blow.STALL, *([Blow.OVERTIME] if may_run_out else [])]
