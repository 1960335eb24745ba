"""The plan of a workflow: the graph of its steps and their policies. Names only, never callables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from active_workflow.core.retry import RetryPolicy


class StepKind(StrEnum):
    """What a step does when its turn comes."""

    CALL = "call"
    """Calls the user's code; done when that returns."""
    EXTERNAL = "external"
    """Calls the user's code to start work elsewhere, then waits for its completion."""
    SIGNAL = "signal"
    """Waits for the first of its signals."""
    SLEEP = "sleep"
    """Waits for a time."""
    DETACHED = "detached"
    """Becomes an execution of its own (fire and forget)."""

    def __init__(self, name: str) -> None:
        """Note once, as it is asked all the time, whether user code is called to do the step itself."""
        self.calls = name in ("call", "external")


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step of a plan. All durations are microseconds.

    Attributes:
        name: Unique in the plan.
        kind: What happens when its turn comes.
        after: Names of the steps that must be done before it starts.
        retry: Policies of the step; the first that covers an error decides. Empty is one attempt.
        undo_retry: Policies of its undo; None takes ``retry``.
        timeout: Bounds a running attempt, and (external, signal) the waiting. None is without end.
        heartbeat_timeout: A waiting external step that gives no sign for so long has timed out.
        abandon_after: How long a timed-out thread holds up the next attempt; None is ``timeout`` once more.
        on_timeout: ``"fail"`` or (signals only) ``"continue"``.
        compensates: Whether it has an undo.
        undo_external: Whether its undo starts work elsewhere and waits for the completion of that.
        undo_timeout: Bounds its undo, and (external undo) the waiting for it; None takes ``timeout``.
        compensate_on: ``"completed"``, or ``"attempted"``: also undo attempts that failed or are unknown.
        verifies: Whether code can be asked what became of an attempt of unknown outcome.
        at_most_once: Never run again by itself after an unknown outcome.
        transactional: Its completion is written in its own transaction.
        pivot: The point of no return: once completed, undo no longer crosses it.
        decides: Whether user code decides if the step is needed (``when``), or until when it sleeps.
        signals: The names a signal step waits for.
        duration: How long a sleep lasts; None asks the code (``until``).
        store_as: The ctx key for the step's result or payload.
        queue: The queue its calls belong to.
        max_interruptions: How often a suspect may lose its worker before it fails for good.
        no_undo: Why no undo is needed, in the author's words.
    """

    name: str
    kind: StepKind = StepKind.CALL
    after: tuple[str, ...] = ()
    retry: tuple[RetryPolicy, ...] = ()
    undo_retry: tuple[RetryPolicy, ...] | None = None
    timeout: int | None = None
    heartbeat_timeout: int | None = None
    abandon_after: int | None = None
    on_timeout: str = "fail"
    compensates: bool = False
    undo_external: bool = False
    undo_timeout: int | None = None
    compensate_on: str = "completed"
    verifies: bool = False
    at_most_once: bool = False
    transactional: bool = False
    pivot: bool = False
    decides: bool = False
    signals: tuple[str, ...] = ()
    duration: int | None = None
    store_as: str | None = None
    queue: str = "default"
    max_interruptions: int = 5
    no_undo: str | None = None

    @property
    def undo_policies(self) -> tuple[RetryPolicy, ...]:
        """The policies of its undo: its own, else the step's."""
        return self.retry if self.undo_retry is None else self.undo_retry

    @property
    def undo_limit(self) -> int | None:
        """How long an attempt of its undo, or the waiting for an external undo, may take."""
        return self.timeout if self.undo_timeout is None else self.undo_timeout

    @property
    def undone_if_attempted(self) -> bool:
        """Whether its undo runs for every attempt that was made, landed or not."""
        return self.compensates and self.compensate_on == "attempted"

    @property
    def payload_key(self) -> str:
        """The ctx key under which a completion's or a signal's payload is kept."""
        return self.store_as or self.name

    @property
    def starts_alone(self) -> bool:
        """Whether its start needs a commit of its own: it is never started ahead of a free slot."""
        return self.at_most_once or self.verifies or self.transactional


@dataclass(frozen=True)
class Plan:
    """The steps of a workflow in the order of writing, and what holds for all of them.

    Attributes:
        workflow: The registered name.
        version: A label for people; ``hash`` decides.
        steps: In the order of writing, which is also the order of ``Execution.steps``.
        timeout: Microseconds for the whole flow, counted from ``run_at``; None is without end.
        hash: Digest of all of the above; two plans with one hash are the same plan.
    """

    workflow: str
    steps: tuple[StepPlan, ...]
    version: int | str = 1
    timeout: int | None = None
    hash: str = field(default="", compare=False)

    @cached_property
    def by_name(self) -> Mapping[str, StepPlan]:
        """The steps by name."""
        return {step.name: step for step in self.steps}

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """The place of each step in the order of writing."""
        return {step.name: position for position, step in enumerate(self.steps)}

    @cached_property
    def pivot(self) -> StepPlan | None:
        """The point of no return, if there is one."""
        return next((step for step in self.steps if step.pivot), None)

    @cached_property
    def signals(self) -> frozenset[str]:
        """Every signal that some step waits for."""
        return frozenset(name for step in self.steps for name in step.signals)

    @cached_property
    def timed(self) -> bool:
        """Whether anything in it may have a timer: without one, no wake-up is ever due but for retries.

        A call with a limit has one when its thread outlives the limit and leaves the step in doubt.
        """
        if self.timeout is not None or any(step.undo_external for step in self.steps):
            return True
        unlimited = all(step.timeout is None and step.undo_timeout is None for step in self.steps)
        return not unlimited or any(
            step.kind is not StepKind.CALL and step.kind is not StepKind.DETACHED for step in self.steps
        )

    @cached_property
    def begun_by_law(self) -> tuple[StepPlan, ...]:
        """The steps that begin without a runner: waits, sleeps and detached steps."""
        return tuple(step for step in self.steps if not step.kind.calls)

    @cached_property
    def asks(self) -> bool:
        """Whether code is asked something outside of any attempt: ``verify``, or a wait's condition."""
        return any(step.verifies or (step.decides and not step.kind.calls) for step in self.steps)

    @cached_property
    def transactional(self) -> bool:
        """Whether some step runs in a transaction of its own."""
        return any(step.transactional for step in self.steps)

    @cached_property
    def detaches(self) -> bool:
        """Whether some step becomes an execution of its own."""
        return any(step.kind is StepKind.DETACHED for step in self.steps)

    @cached_property
    def unordered(self) -> Mapping[str, frozenset[str]]:
        """For each step, the steps that may run side by side with it."""
        before = self._ancestors()
        names = frozenset(before)
        return {
            name: names - {name} - before[name] - {other for other in names if name in before[other]}
            for name in names
        }

    @cached_property
    def chained(self) -> bool:
        """Whether every step is before or after every other, so that nothing runs side by side."""
        return not any(self.unordered.values())

    @cached_property
    def retries(self) -> bool:
        """Whether some step may be tried again after a delay."""
        return any(step.retry or step.undo_retry or step.verifies for step in self.steps)

    @cached_property
    def in_a_row(self) -> bool:
        """Whether each step comes right after the one written before it."""
        pairs = zip(self.steps, self.steps[1:], strict=False)
        return all(later.after == (step.name,) for step, later in pairs)

    def _ancestors(self) -> dict[str, frozenset[str]]:
        before: dict[str, frozenset[str]] = {}
        for step in self.in_order():
            before[step.name] = frozenset(step.after).union(*(before[name] for name in step.after))
        return before

    def in_order(self) -> Iterable[StepPlan]:
        """Give the steps so that each comes after those it needs; a cycle raises ValueError."""
        done: set[str] = set()
        left = list(self.steps)
        while left:
            ready = [step for step in left if done.issuperset(step.after)]
            if not ready:
                raise ValueError(
                    "the steps " + ", ".join(step.name for step in left) + " wait for each other"
                )
            yield from ready
            done.update(step.name for step in ready)
            left = [step for step in left if step.name not in done]
