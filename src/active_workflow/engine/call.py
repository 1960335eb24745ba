"""One call of user code that a scheduler asks for, and what comes back."""

from enum import StrEnum
from typing import Any, NamedTuple

from active_workflow.core.events import Event, NotCalled, RanOut, VerifyFailed
from active_workflow.core.runs import timed_out
from active_workflow.core.snapshot import Execution


class CallKind(StrEnum):
    """Which code of a step is called."""

    RUN = "run"
    UNDO = "undo"
    VERIFY = "verify"
    DECIDE = "decide"


class Tenure:
    """How long a lease can be relied on: shared by an execution and its calls, moved by each renewal."""

    __slots__ = ("good_until",)

    def __init__(self, good_until: int) -> None:
        """Begin with an instant, by the worker's own clock, after which it can't be relied on."""
        self.good_until = good_until


FOR_EVER = Tenure(2**63)


class Call:
    """A call that occupies a slot from the moment it is asked for until its code has ended.

    Attributes:
        id: The execution.
        token: The lease token it was asked for under; reports under another one are dropped.
        kind: Which code of the step.
        step: The step's name.
        attempt: The attempt it is, as recorded (0 for a decision).
        key: What it is within its execution.
        execution: What was recorded when it started: the ctx the step sees.
        tenure: How long it may still begin.
        called_at: When a slot began it (monotonic-based store time), None while it waits for one.
        ended_at: When its code had ended: the report may wait for a commit before it is taken.
        stopping: Whether its time is over and it was told to stop.
        deaf: Whether it went on for a good while after that: it is then left alone, as a thread would be.
        over: Whether its code has ended, so that its slot is free.
        decided: Whether the step's condition has said yes, in this attempt or an earlier one.
        code: What is called, once somebody has looked it up; not the scheduler's business.
        handed: The connection (or session) that its code is handed, while it runs in a transaction.
    """

    __slots__ = (
        *("attempt", "called_at", "code", "deaf", "decided", "ended_at", "execution", "handed", "id", "key"),
        *("kind", "over", "step", "stopping", "tenure", "token"),
    )

    def __init__(
        self, execution: Execution, kind: CallKind, step: str, attempt: int, tenure: Tenure = FOR_EVER
    ) -> None:
        """Ask for a call."""
        self.id = execution.id
        self.token = execution.token
        self.kind = kind
        self.step = step
        self.attempt = attempt
        self.key = (kind, step, attempt)
        self.execution = execution
        self.tenure = tenure
        self.called_at: int | None = None
        self.ended_at: int | None = None
        self.stopping = False
        self.deaf = False
        self.over = False
        self.code: Any = None
        self.handed: Any = None
        self.decided = kind is CallKind.RUN and bool(execution.step(step).decided)

    def begin(self, now: int) -> bool:
        """Begin it in a slot, unless the lease it was asked for under may be over by now.

        Returns:
            Whether to go on. If not, its code must not be called: report ``not_called``.
        """
        if now >= self.tenure.good_until:
            return False
        self.called_at = now
        return True

    @property
    def timeout(self) -> int | None:
        """Microseconds it may run, counted from when it is really called."""
        if self.kind is CallKind.DECIDE:
            return None
        plan = self.execution.plan.by_name[self.step]
        if self.kind is CallKind.UNDO and plan.undo_timeout is not None:
            return plan.undo_timeout
        return plan.timeout

    def __repr__(self) -> str:
        return f"<Call {self.kind} {self.id}/{self.step} attempt {self.attempt}>"


class Report(NamedTuple):
    """What a call came to: the event for the law.

    Attributes:
        call: Which call.
        event: What the law is told.
        over: Whether the call's code has ended; False of one whose time ran out in a thread that still
            runs: another report follows when that ends.
        recorded: The snapshots before and after, where the event was recorded by a transaction of the call's.
    """

    call: Call
    event: Event
    over: bool = True
    recorded: tuple[Execution, Execution] | None = None


def overtime(call: Call, roll: float, *, stopped: bool) -> Event:
    """Give the event of a call whose time is over; ``stopped``: its code no longer runs."""
    if call.kind is CallKind.VERIFY:
        error, doubts = (
            timed_out("verify ran longer than the timeout"),
            call.execution.step(call.step).run.doubts,
        )
        return VerifyFailed(call.step, call.attempt, error, roll, doubts)
    undo = call.kind is CallKind.UNDO
    return RanOut(call.step, call.attempt, roll, stopped=stopped, undo=undo, decided=call.decided)


def not_called(call: Call) -> Report:
    """Give the report of a call that no slot began and none will: its attempt is taken back."""
    return Report(call, NotCalled(call.step, call.attempt, undo=call.kind is CallKind.UNDO))
