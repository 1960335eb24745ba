"""What users see of an execution's steps and errors: read-only, decoded on access."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from active_workflow.core.attempts import Failure
from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.core.snapshot import Step
from active_workflow.core.states import Phase, StepState
from active_workflow.dsl.context import Serializer
from active_workflow.dsl.durations import as_datetime
from active_workflow.dsl.step_def import step_name
from active_workflow.dsl.where import listed, nearest
from active_workflow.errors import MissingKey


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as it was recorded.

    Attributes:
        type: The error class's name.
        message: Its text.
        step: The step it came from, if one.
        details: What it was recorded with.
        traceback: Where it was raised, as text.
    """

    type: str
    message: str
    step: str | None = None
    details: Any = None
    traceback: str | None = None

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" + (f" (in step {self.step!r})" if self.step else "")


def error_info(failure: Failure, step: str | None, serializer: Serializer) -> ErrorInfo:
    """Give a recorded failure as users see it."""
    details = decoded(failure.details, serializer)
    return ErrorInfo(failure.type, failure.message, step, details, failure.traceback)


def decoded(text: str | None, serializer: Serializer) -> Any:
    """Give an encoded value, or None where there is none."""
    return None if text is None else serializer.load(text)


class StepView:
    """A step of an execution, as it was when the execution was last looked at."""

    __slots__ = ("_serializer", "_step", "name", "state")

    def __init__(self, step: Step, state: StepState, serializer: Serializer) -> None:
        self.name: str = step.name
        self.state: StepState = state
        self._step = step
        self._serializer = serializer

    def __repr__(self) -> str:
        return f"<step {self.name} {self.state.value}>"

    @property
    def attempts(self) -> int:
        """Attempts started, interrupted ones included."""
        return self._step.run.attempts

    @property
    def result(self) -> Any:
        """What it returned; of an external step or a wait the payload it was completed with."""
        text = self._step.result if self._step.payload is None else self._step.payload
        return decoded(text, self._serializer)

    @property
    def error(self) -> ErrorInfo | None:
        """The newest error of its attempts, or of its undo."""
        failure = self._step.error
        return None if failure is None else error_info(failure, self.name, self._serializer)

    @property
    def started_at(self) -> datetime | None:
        """When its first attempt started, or its waiting."""
        began = self._step.run.started_at
        return _instant(self._step.waiting_since if began is None else began)

    @property
    def finished_at(self) -> datetime | None:
        """When it ended."""
        return _instant(self._step.finished_at)

    @property
    def undone_at(self) -> datetime | None:
        """When its undo ended well."""
        return _instant(self._step.undone_at)

    @property
    def waiting_since(self) -> datetime | None:
        """When it began to wait."""
        undo = self._step.undo_waiting_since
        return _instant(self._step.waiting_since if undo is None else undo)

    @property
    def timeout_at(self) -> datetime | None:
        """When its waiting ends."""
        return _instant(self._step.timeout_at)

    @property
    def retry_at(self) -> datetime | None:
        """When its next attempt starts, or that of its undo."""
        if self.state is StepState.PENDING:
            return _instant(self._step.run.retry_at)
        return _instant(self._step.undo.retry_at) if self.state is StepState.COMPENSATING else None

    @property
    def correlation_id(self) -> str | None:
        """What its first call returned under that name."""
        return self._step.correlation_id


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else as_datetime(micros)


class Steps(Mapping[Any, StepView]):
    """The steps of an execution in the order of its plan, by name or step object (``Checkout.fulfil``)."""

    __slots__ = ("_serializer", "_snapshot")

    def __init__(self, snapshot: Snapshot, serializer: Serializer) -> None:
        self._snapshot = snapshot
        self._serializer = serializer

    def __getitem__(self, key: Any) -> StepView:
        plan = self._snapshot.plan
        name = step_name(key)
        if name not in plan.by_name:
            near = nearest(name, plan.by_name)
            raise MissingKey(f"{plan.workflow} has no step {name!r}{near}; it has {listed(plan.by_name)}")
        step = self._snapshot.steps.get(name)
        if step is not None:
            return StepView(step, step.state, self._serializer)
        forward = self._snapshot.phase is Phase.FORWARD
        return StepView(Step(name), StepState.PENDING if forward else StepState.CANCELLED, self._serializer)

    def __iter__(self) -> Iterator[str]:
        return iter(self._snapshot.plan.by_name)

    def __len__(self) -> int:
        return len(self._snapshot.plan.steps)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name}: {step.state.value}" for name, step in self.items()) + "}"
