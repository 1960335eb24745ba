"""What is known of an execution at one moment: frozen values, changed only by making new ones.

Values of ctx, results and payloads are opaque here: each is the text that the codec made of it.
All instants and durations are integer microseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from active_workflow.core.attempts import NOT_RUN, Completion, Evolvable, Failure, Run
from active_workflow.core.elsewhere import Elsewhere
from active_workflow.core.plan import Plan
from active_workflow.core.states import STALLED, Effect, Phase, State, StepState


@dataclass(frozen=True)
class Step(Evolvable):
    """The story of one step so far.

    Attributes:
        name: Its name in the plan.
        state: What users see.
        effect: What is known of its effect on the world.
        run: Its attempts.
        undo: The attempts of its undo.
        seq: Its number among the recorded outcomes of the execution: undo goes down these.
        undo_seq: The like of its undo.
        result: Encoded return value, if it had one.
        patch: ctx keys it changed: encoded value, or None for a deleted key.
        undo_patch: The same for its undo.
        finished_at: When it ended.
        undone_at: When its undo ended well.
        waiting_since: When it began to wait.
        timeout_at: When waiting ends: a timeout, or a sleep's end.
        heartbeat_at, heartbeat: When an external step last gave a sign of life; its details, encoded.
        correlation_id: What its first call returned under that name.
        keys: Idempotency keys of the completions and failures it took.
        payload: Encoded payload of the completion it took.
        early: A completion (or failure) that came while the call that asks for it still runs.
        decided: What its condition answered, once that is recorded: it is not asked again.
        undo_waiting_since: When its external undo began to wait.
    """

    name: str
    state: StepState = StepState.PENDING
    effect: Effect = Effect.NONE
    run: Run = NOT_RUN
    undo: Run = NOT_RUN
    seq: int | None = None
    undo_seq: int | None = None
    result: str | None = None
    patch: Mapping[str, str | None] = field(default_factory=dict)
    undo_patch: Mapping[str, str | None] = field(default_factory=dict)
    finished_at: int | None = None
    undone_at: int | None = None
    waiting_since: int | None = None
    timeout_at: int | None = None
    heartbeat_at: int | None = None
    heartbeat: str | None = None
    correlation_id: str | None = None
    keys: tuple[str, ...] = ()
    payload: str | None = None
    early: Completion | None = None
    decided: bool | None = None
    undo_waiting_since: int | None = None

    @property
    def error(self) -> Failure | None:
        """The newest error: of its undo once that has one, else of the step."""
        return self.undo.error or self.run.error

    @property
    def active(self) -> bool:
        """Whether it has begun and is neither over nor waiting: then it lives in the execution's own row."""
        return self.state in _ACTIVE or self.run.lingering is not None or self.undo.lingering is not None

    @property
    def may_still_answer(self) -> bool:
        """Whether it is in doubt only until its timed-out thread has ended or been given up."""
        return self.state is StepState.IN_DOUBT and self.run.lingers_until > 0


_ACTIVE = frozenset({StepState.PENDING, StepState.RUNNING, StepState.COMPENSATING})
DONE = frozenset({StepState.COMPLETED, StepState.SKIPPED})
"""States after which the steps that follow may start."""


@lru_cache(maxsize=4_096)
def untold(name: str) -> Step:
    """Give the story of a step that has not begun: one value for all executions."""
    return Step(name)


def with_key(keys: tuple[str, ...], key: str | None) -> tuple[str, ...]:
    """Give the idempotency keys of a step with one more."""
    return keys if key is None or key in keys else (*keys, key)


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal that no step has taken yet.

    Attributes:
        number: Its place among all signals of the execution.
        name: Which signal.
        payload: Encoded.
        key: Its idempotency key, if it came with one.
        received_at: When it was recorded.
    """

    number: int
    name: str
    payload: str
    key: str | None
    received_at: int


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the execution goes no further forward. The first reason stays.

    Attributes:
        outcome: ``FAILED`` or ``CANCELLED``: what it will be once everything is undone.
        error: What users see as the execution's error.
        step: The step it came from, if one.
        at: When it was decided.
    """

    outcome: State
    error: Failure
    step: str | None
    at: int


class BlockKind(StrEnum):
    """Why only an operator or a deploy can move an execution on."""

    CODE = "code"
    """The code here can't serve the plan it started with."""
    PIVOT = "pivot"
    """A step failed for good past the point of no return."""
    DOUBT = "doubt"
    """Only steps in doubt are left."""

    @property
    def passes_with_deploy(self) -> bool:
        """Whether a worker with other code could move it on."""
        return self is BlockKind.CODE


@dataclass(frozen=True, slots=True)
class Block:
    """Why an execution is blocked, for the law and in words."""

    kind: BlockKind
    reason: str


@dataclass(frozen=True)
class Execution(Evolvable):
    """One execution: the aggregate that a store keeps and that every commit guards.

    Attributes:
        id: Unique; a child's is made from its parent's.
        plan: The plan it started with.
        input: ctx at the start, encoded by key; never changes.
        ctx: ctx now: the input and the patches of all steps.
        input_hash: Digest of the caller's input, compared when an idempotency key is used again.
        tags: What it was labelled with.
        key: Its idempotency key.
        parent_id: The execution that started it.
        steps: The steps that have begun (in no order that anything depends on).
        phase: Which way it goes.
        ending: Why it goes no further forward, once it does not.
        seq: How many outcomes have been recorded.
        signal_count: How many signals have been recorded.
        signals: Those no step has taken yet.
        signal_keys: Idempotency keys of the signals that were taken.
        paused_at: Since when an operator holds it.
        blocked: Why only an operator or a deploy can move it on.
        elsewhere: Where it is, if it moves or has moved to another store.
        overdue: Whether the flow's time has run out; past its pivot that is only told.
        asked_under: The claim (its token) under which a question to user code outside of any attempt was
            first open, or failed last: every claim since then has lost its worker without an answer.
        revision: Raised by every commit.
        token: Raised by every claim; the owner's commits carry it.
        created_at: When it was accepted.
        run_at: When it is to start; the flow timeout counts from here.
        started_at: When its first step began.
        completed_at: When it was over.
        cancel_requested_at: When cancel was asked for.
    """

    id: str
    plan: Plan
    input: Mapping[str, str]
    ctx: Mapping[str, str]
    input_hash: str
    created_at: int
    run_at: int
    tags: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    parent_id: str | None = None
    steps: Mapping[str, Step] = field(default_factory=dict)
    phase: Phase = Phase.FORWARD
    ending: Ending | None = None
    seq: int = 0
    signal_count: int = 0
    signals: tuple[Signal, ...] = ()
    signal_keys: tuple[str, ...] = ()
    paused_at: int | None = None
    blocked: Block | None = None
    elsewhere: Elsewhere | None = None
    overdue: bool = False
    asked_under: int | None = None
    revision: int = 0
    token: int = 0
    started_at: int | None = None
    completed_at: int | None = None
    cancel_requested_at: int | None = None

    def step(self, name: str) -> Step:
        """Give a step's story; an untold one if it has not begun."""
        return self.steps.get(name) or untold(name)

    def with_step(self, step: Step, **changes: Any) -> "Execution":
        """Give a copy in which this step stands for its predecessor."""
        changes["steps"] = {**self.steps, step.name: step}
        return self.evolve(changes)

    @property
    def active_steps(self) -> "list[Step]":
        """The steps that live in its own row: see ``Step.active``, which is not called for speed."""
        return [
            step
            for step in self.steps.values()
            if step.state in _ACTIVE or step.run.lingering is not None or step.undo.lingering is not None
        ]

    @property
    def deadline(self) -> int | None:
        """When the whole flow's time is over."""
        return None if self.plan.timeout is None else self.run_at + self.plan.timeout

    @property
    def outcome(self) -> State | None:
        """What became of it, once it is over."""
        if self.phase is not Phase.OVER:
            return None
        return self.ending.outcome if self.ending else State.COMPLETED

    @property
    def undo_stuck(self) -> bool:
        """Whether undoing has come to an end that only an operator can lead out of."""
        stories = self.steps.values()
        return (
            self.phase is Phase.UNDOING
            and not any(self.undo_goes_on(step) for step in stories)
            and any(step.state in UNDO_STUCK for step in stories)
        )

    def undo_goes_on(self, step: Step) -> bool:
        """Whether something is still to be done about a step before everything is undone."""
        if step.state in _UNDER_WAY or step.may_still_answer:
            return True
        open_effect = step.effect is Effect.LANDED or step.effect is Effect.UNKNOWN
        return open_effect and step.state not in UNDO_STUCK and self.plan.by_name[step.name].compensates

    @property
    def state(self) -> State:  # noqa: PLR0911 - the first that holds: a list of cases reads best as one
        """The state that users see: the first that holds."""
        if self.outcome is not None:
            return self.outcome
        if self.paused_at is not None:
            return State.PAUSED
        if self.blocked is not None:
            return State.BLOCKED
        if self.phase is Phase.UNDOING:
            return State.COMPENSATION_FAILED if self.undo_stuck else State.COMPENSATING
        running = StepState.RUNNING  # looked up once: this is asked with every commit
        for step in self.steps.values():
            if step.state is running:
                return State.RUNNING
        if self.started_at is None:
            return State.PENDING
        return State.RUNNING if self._has_ready_step() else State.WAITING

    def _has_ready_step(self) -> bool:
        """Whether some step could start at once: all before it are done, and no delay holds it up."""
        for plan in self.plan.steps:
            step = self.steps.get(plan.name)
            if step is None:
                if all(self.is_done(name) for name in plan.after):
                    return True
            elif step.state is StepState.PENDING and plan.kind.calls and not step.run.held_until():
                return True
        return False

    def is_done(self, name: str) -> bool:
        """Whether the steps after this one may start."""
        step = self.steps.get(name)
        if step is None:
            return False
        if step.state is StepState.TIMED_OUT:
            return self.plan.by_name[name].on_timeout == "continue"
        return step.state in DONE

    @property
    def stalled(self) -> bool:
        """Whether only an operator or a deploy can move it on."""
        return self.state in STALLED


_UNDER_WAY = frozenset({StepState.RUNNING, StepState.COMPENSATING})
UNDO_STUCK = frozenset({StepState.COMPENSATION_FAILED, StepState.IN_DOUBT})
"""States of a step out of which, while undoing, only an operator leads."""
