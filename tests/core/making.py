"""Plans, executions and stories for the tests of the law. No fixtures: everything is a value."""

from dataclasses import replace
from typing import Any

from active_workflow.core import events as ev
from active_workflow.core.attempts import Failure
from active_workflow.core.commands import Command, WaitUntil
from active_workflow.core.machine import apply, begun
from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.plan_data import sealed
from active_workflow.core.ready import due_at, next_commands
from active_workflow.core.retry import SECOND, RetryPolicy
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import State, StepState

ERROR = Failure("Boom", "it broke", ("app.Boom", "builtins.Exception"))
FINAL = Failure("NonRetryable", "no use", ("active_workflow.errors.NonRetryable",), retryable=False)


def step(name: str, *after: str, **options: Any) -> StepPlan:
    return StepPlan(name, after=after, **options)


def call(name: str, **options: Any) -> StepPlan:
    return StepPlan(name, **{"compensates": True, **options})


def external(name: str, **options: Any) -> StepPlan:
    return StepPlan(name, kind=StepKind.EXTERNAL, **{"compensates": True, **options})


def signal(name: str, *signals: str, **options: Any) -> StepPlan:
    return StepPlan(name, kind=StepKind.SIGNAL, signals=signals or (name,), **options)


def sleep(name: str, duration: int | None = 10 * SECOND, **options: Any) -> StepPlan:
    return StepPlan(name, kind=StepKind.SLEEP, duration=duration, **options)


def detached(name: str, **options: Any) -> StepPlan:
    return StepPlan(name, kind=StepKind.DETACHED, **options)


def times(max: int | None, delay: int = SECOND, **options: Any) -> tuple[RetryPolicy, ...]:
    return (RetryPolicy(max=max, backoff="fixed", delay=delay, **options),)


def plan(*steps: StepPlan, **options: Any) -> Plan:
    return sealed(Plan("Flow", steps, **options))


def chain(*steps: StepPlan | str, **options: Any) -> Plan:
    """Give a plan whose steps follow each other; a bare name is a step that compensates."""
    planned: list[StepPlan] = []
    for item in steps:
        one = call(item) if isinstance(item, str) else item
        planned.append(replace(one, after=(planned[-1].name,)) if planned else one)
    return plan(*planned, **options)


def new(of: Plan, now: int = 0, **options: Any) -> Execution:
    values = {"input": {"who": '"Ada"'}, "input_hash": "", "created_at": now, "run_at": now, **options}
    return begun(Execution(id="x", plan=of, ctx=values["input"], **values), now)


class Story:
    """An execution and its time: reads like what happens to it."""

    def __init__(self, of: Plan, **options: Any) -> None:
        self.now = 0
        self.x = new(of, **options)

    def tell(self, event: ev.Event, *, changes: bool | None = None) -> "Story":
        """Apply an event; ``changes`` says whether it must (or must not) change anything."""
        before = self.x
        self.x = apply(before, event, self.now)
        if changes is not None:
            assert (self.x is not before) is changes
        return self

    def ignores(self, event: ev.Event) -> "Story":
        return self.tell(event, changes=False)

    def after(self, seconds: float) -> "Story":
        self.now += int(seconds * SECOND)
        return self

    def wake(self, seconds: float = 0) -> "Story":
        return self.after(seconds).tell(ev.Wake())

    # --- What a runner reports ------------------------------------------------------------------

    def start(self, *names: str) -> "Story":
        for name in names:
            self.tell(ev.Started(name))
        return self

    def returns(self, name: str, result: str | None = None, **patch: str | None) -> "Story":
        return self.tell(ev.Returned(name, self[name].run.attempts, result, patch))

    def does(self, *names: str) -> "Story":
        for name in names:
            self.start(name).returns(name)
        return self

    def fails(self, name: str, error: Failure = ERROR, **options: Any) -> "Story":
        return self.tell(ev.Failed(name, self[name].run.attempts, error, **options))

    def runs_out(self, name: str, *, stopped: bool = True) -> "Story":
        return self.tell(ev.RanOut(name, self[name].run.attempts, stopped=stopped))

    def loses_worker(self) -> "Story":
        return self.tell(ev.WorkerLost())

    def verified(self, name: str, *, landed: bool | None, **options: Any) -> "Story":
        return self.tell(ev.Verified(name, self[name].run.attempts, landed, **options))

    def undo_starts(self, name: str) -> "Story":
        return self.tell(ev.Started(name, undo=True))

    def undo_returns(self, name: str, **patch: str | None) -> "Story":
        return self.tell(ev.Returned(name, self[name].undo.attempts, None, patch, undo=True))

    def undoes(self, *names: str) -> "Story":
        for name in names:
            self.undo_starts(name).undo_returns(name)
        return self

    def undo_fails(self, name: str, error: Failure = FINAL, **options: Any) -> "Story":
        return self.tell(ev.Failed(name, self[name].undo.attempts, error, undo=True, **options))

    # --- From outside ---------------------------------------------------------------------------

    def complete(
        self, name: str, payload: str = "1", key: str | None = None, id: str | None = None
    ) -> "Story":
        return self.tell(ev.Completed(name, payload, key, id))

    def reject(self, name: str, key: str | None = None) -> "Story":
        return self.tell(ev.Rejected(name, ERROR, key))

    def signal(self, name: str, payload: str = "1", key: str | None = None) -> "Story":
        return self.tell(ev.Signalled(name, payload, key))

    def cancel(self) -> "Story":
        return self.tell(ev.CancelRequested("changed my mind"))

    # --- What it is -----------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Step:
        return self.x.step(name)

    @property
    def state(self) -> State:
        return self.x.state

    @property
    def due(self) -> int | None:
        return due_at(self.x)

    @property
    def commands(self) -> list[Command]:
        return next_commands(self.x, self.now)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do now."""
        return isinstance(self.commands[0], WaitUntil)

    def states(self, *names: str) -> list[StepState]:
        return [self[name].state for name in names]
