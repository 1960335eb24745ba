"""All that is said to the execution from outside: by clients, partners and an operator."""

from collections.abc import Iterator, Mapping

from active_workflow.core.events import (
    CancelRequested,
    Completed,
    Event,
    Paused,
    Resolved,
    Resumed,
    RetryRequested,
    Signalled,
)
from active_workflow.core.plan import StepKind
from active_workflow.core.snapshot import BlockKind, Execution
from active_workflow.core.states import Phase, State, StepState
from active_workflow.engine.outside import Deliverer
from active_workflow.errors import ActiveWorkflowError
from active_workflow.testing.simulation.faulty import FaultyStore
from active_workflow.testing.simulation.world import World
from active_workflow.testing.statespace.configurations import Configuration

Action = tuple[str, ...]
"""What is done, who does it, and how it goes."""

ID = "x"
"""The execution's."""
_BUDGETS: Mapping[str, str] = {
    "cancel": "cancels",
    "complete": "completions",
    "signal": "signals",
    "pause": "pauses",
    "retry": "operations",
}


class Outside:
    """Whoever speaks from outside. Nobody dies there: what they say arrives at once, or was never said.

    Args:
        world: The world to which they speak.
        configuration: What it consists of.
        left: How often each may still happen; it is kept up to date.
    """

    name = "outside"
    alive = True

    def __init__(self, world: World, configuration: Configuration, left: dict[str, int]) -> None:
        self._world = world
        self._left = left
        self._signals = configuration.signals
        self._external = next((s.name for s in configuration.plan.steps if s.kind is StepKind.EXTERNAL), "")
        self.store = FaultyStore(world, self)

    def kill(self) -> None:
        """See the class."""

    @property
    def _row(self) -> Execution:
        return self._world.judge.records[ID].row

    def actions(self) -> Iterator[Action]:
        """Give everything that may be said now."""
        x, left = self._row, self._left
        if x.phase is Phase.OVER:
            return
        if x.paused_at is not None:
            yield ("resume",)
        elif left["pauses"]:
            yield ("pause",)
        if left["cancels"] and x.phase is Phase.FORWARD:
            yield ("cancel",)
        if left["completions"] and self._world.ledger.landed((ID, self._external)) is not None:
            yield ("complete",)
        if left["signals"]:
            yield ("signal",)
        if left["operations"] and _may_be_tried_again(x):
            yield ("retry",)
        yield from self._settlements(x)

    def _settlements(self, x: Execution) -> Iterator[Action]:
        """Give what an operator may say of steps that hold everything up; nothing else can move these on."""
        for step in x.steps.values() if x.stalled else ():
            if step.state is StepState.IN_DOUBT:
                yield ("resolve", step.name)
            if step.state is StepState.COMPENSATION_FAILED:
                yield ("undone by hand", step.name)

    def say(self, what: str, step: str = "") -> None:
        """Say what ``actions`` gave."""
        if what in _BUDGETS:
            self._left[_BUDGETS[what]] -= 1
        world, record = self._world, self._world.judge.records[ID]
        if what in ("resolve", "undone by hand"):
            record.resolved.add(step)
        if what == "retry":
            record.renewals += 5
        deliverer = Deliverer(self.store, world.time, lambda found: world.judge.told(self.name, found))
        try:
            deliverer.deliver(ID, self._event(what, step))
        except ActiveWorkflowError as error:
            world.log("outside: {!r}", error)

    def _event(self, what: str, step: str) -> Event:
        landed = self._world.ledger.landed((ID, step))
        number = self._signals - self._left["signals"]
        events: dict[str, Event] = {
            "cancel": CancelRequested(),
            "complete": Completed(self._external, '"done"', "key"),
            "signal": Signalled("go", f'"signal {number}"', f"key {number}"),
            "pause": Paused(),
            "resume": Resumed(),
            "retry": RetryRequested(),
            "resolve": Resolved(
                step, landed=landed is not None, result=None if landed is None else str(landed.answer)
            ),
            "undone by hand": Resolved(step, undone=True),
        }
        return events[what]


def _may_be_tried_again(x: Execution) -> bool:
    past_a_pivot = x.blocked is not None and x.blocked.kind is BlockKind.PIVOT
    return past_a_pivot or x.state is State.COMPENSATION_FAILED
