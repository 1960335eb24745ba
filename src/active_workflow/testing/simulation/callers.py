"""Whoever speaks to executions from outside: users, partners who complete external steps, operators."""

from collections.abc import Callable
from itertools import count

from active_workflow.core.attempts import Failure
from active_workflow.core.blocks import blocking_steps
from active_workflow.core.events import (
    CancelRequested,
    Completed,
    Event,
    Extended,
    Paused,
    Rejected,
    Resolved,
    Resumed,
    RetryRequested,
    Signalled,
)
from active_workflow.core.plan import StepKind
from active_workflow.core.snapshot import BlockKind, Execution
from active_workflow.core.states import Phase, State, StepState
from active_workflow.engine.call import Call
from active_workflow.engine.outside import Deliverer
from active_workflow.errors import ActiveWorkflowError, CompletionConflict, StoreUnavailable
from active_workflow.store.base import Heartbeat
from active_workflow.testing.simulation.faulty import FaultyStore, Killed
from active_workflow.testing.simulation.ledger import Entry
from active_workflow.testing.simulation.world import SECOND, World

MOST_TRIES = 3
OPERATIONS = 3
"""So often at most an operator sees to one execution."""


class _Deliverer(Deliverer):
    """The engine's own, which gives up instead of sleeping."""

    def _pause(self, tries: int, deadline: float) -> None:
        del deadline
        if tries >= MOST_TRIES:
            raise StoreUnavailable("gave up")


class Callers:
    """All callers of a world; each call is made again until it was answered.

    Args:
        world: Whose executions they speak to.
        hint: Tells the workers, perhaps, that an execution was changed.
    """

    name = "outside"

    def __init__(self, world: World, hint: Callable[[str], None]) -> None:
        self._world = world
        self._hint = hint
        self._deliverer = _Deliverer(
            FaultyStore(world, self),
            lambda: world.timeline.now,
            lambda found: world.judge.told(self.name, found),
        )
        self._store = FaultyStore(world, self)
        self._numbers = count(1)
        self._operations: dict[str, int] = {}

    @property
    def alive(self) -> bool:
        """A caller that dies is followed by another."""
        return True

    def kill(self) -> None:
        """End the caller; whoever follows makes the call again."""

    # --- Making calls -------------------------------------------------------------------------------

    def send(self, id: str, event: Event, delay: int) -> None:
        """Deliver an event after a delay, as often as it takes."""
        self._world.count("from outside", type(event).__name__)
        self._world.timeline.after(delay, lambda: self._deliver(id, event))

    def _deliver(self, id: str, event: Event) -> None:
        world = self._world
        if isinstance(event, Rejected):  # said from now on, whether or not an answer comes back
            world.judge.records[id].rejected.add(event.step)
        try:
            before, after = self._deliverer.deliver(id, event)
        except (StoreUnavailable, Killed):
            self.send(id, event, world.random.randrange(SECOND))
            return
        except ActiveWorkflowError as error:
            world.log("outside: {} to {}: {!r}", event, id, error)
            if isinstance(error, CompletionConflict) and isinstance(event, Completed):
                self.send(id, event, 2 * SECOND)  # somebody else's word was first: it may turn out to be wrong
            return
        world.log("outside: {} to {}{}", event, id, " (no change)" if after is before else "")
        if after is not before:
            record = world.judge.records[id]
            if record.row.revision < after.revision:
                raise AssertionError("INV9: an answered call left nothing")
            self._hint(id)

    # --- Partners of external steps -----------------------------------------------------------------

    def initiated(self, entry: Entry) -> None:
        """The partner of an external step (or undo) begins to work."""
        world, call = self._world, entry.call
        key = f"{call.kind}{call.attempt}~{next(self._numbers)}"
        payload = f'"{call.id}/{call.step}:{key}"'
        correlation = entry.correlation if world.chance(0.5) else None
        if world.chance(0.02):  # it mixes it up with another one, and finds out when that is refused
            self.send(call.id, Completed(call.step, payload, f"not {key}", "c0"), world.up_to(SECOND))
        delay = world.up_to(6 * SECOND)
        if world.chance(0.2):
            for _ in range(3):
                world.timeline.after(world.random.randrange(delay + 1), lambda: self._touch(call))
        if world.chance(0.15):
            error = Failure("Declined", "no", ("builtins.Exception",))
            event: Event = Rejected(call.step, error, key, correlation, world.random.random())
            self.send(call.id, event, delay)
            delay += world.up_to(SECOND) + 1  # it finds that it was wrong, or talks to the next attempt
        event = Completed(call.step, payload, key, correlation)
        self.send(call.id, event, delay)
        if world.chance(0.2):
            self.send(call.id, event, delay + world.up_to(3 * SECOND))

    def _touch(self, call: Call) -> None:
        try:
            self._store.touch([Heartbeat(call.id, call.step)])
        except (StoreUnavailable, Killed):
            return

    # --- Users --------------------------------------------------------------------------------------

    def accompany(self, x: Execution) -> None:
        """Decide what users will say to an execution."""
        world = self._world
        span = 20 * SECOND
        for name in sorted(x.plan.signals):
            if world.chance(0.7):
                self._signal(x.id, name, world.random.randrange(span))
        for event, share in ((CancelRequested(), 0.12), (Paused(), 0.08), (RetryRequested(), 0.05)):
            if world.chance(share):
                self.send(x.id, event, world.random.randrange(span))
        if world.chance(0.05):
            step = world.random.choice(x.plan.steps).name
            self.send(x.id, Extended(step, world.random.randrange(5 * SECOND)), world.random.randrange(span))

    def _signal(self, id: str, name: str, delay: int) -> None:
        number = next(self._numbers)
        event = Signalled(name, f'"{id}!{name}{number}"', f"k{number}")
        self.send(id, event, delay)
        if self._world.chance(0.3):
            self.send(id, event, delay + self._world.up_to(5 * SECOND))

    # --- Operators, once faults have stopped --------------------------------------------------------

    def tend(self, x: Execution) -> None:
        """Do for an execution what keeps it from waiting for ever; see a few times to one that is stuck."""
        if x.state is State.PAUSED:
            self.send(x.id, Resumed(), 0)
            return
        for step in x.steps.values():
            plan = x.plan.by_name[step.name]
            if plan.kind is StepKind.SIGNAL and step.state is StepState.WAITING and step.timeout_at is None:
                self._signal(x.id, plan.signals[0], 0)
        if x.stalled and self._operations.get(x.id, 0) < OPERATIONS:
            self._operations[x.id] = self._operations.get(x.id, 0) + 1
            self._operate(x)

    def _operate(self, x: Execution) -> None:
        record = self._world.judge.records[x.id]
        doubtful = [step.name for step in x.steps.values() if step.state is StepState.IN_DOUBT]
        stuck = [step.name for step in x.steps.values() if step.state is StepState.COMPENSATION_FAILED]
        for name in doubtful:
            record.resolved.add(name)
            self.send(x.id, self._found_out(x, name), 0)
        if stuck and self._world.chance(0.5):
            record.resolved.add(stuck[0])
            self.send(x.id, Resolved(stuck[0], undone=True), 0)
        elif stuck or (x.blocked is not None and x.blocked.kind is BlockKind.PIVOT):
            blocking = [] if stuck else blocking_steps(x)
            if blocking and self._world.chance(0.5):
                record.resolved.add(blocking[0])
                self.send(x.id, self._found_out(x, blocking[0]), 0)
                return
            record.renewals += 5
            self.send(x.id, RetryRequested(), 0)

    def _found_out(self, x: Execution, name: str) -> Resolved:
        """An operator looks at what a step really did, or has it passed over going forward."""
        if x.phase is Phase.FORWARD and self._world.chance(0.3):
            return Resolved(name, skip=True)
        landed = self._world.ledger.landed((x.id, name))
        result = None if landed is None or landed.answer is None else str(landed.answer)
        return Resolved(name, landed=landed is not None, result=result)
