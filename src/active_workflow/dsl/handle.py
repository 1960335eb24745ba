"""``Execution``, the handle: it shows a snapshot and passes every wish on to the client."""

import sys
import warnings
from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Any

from active_workflow.core.plan import StepKind
from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.core.states import State, StepState
from active_workflow.dsl.context import SNAPSHOT, Ctx, OpenCtx
from active_workflow.dsl.current import running
from active_workflow.dsl.durations import Duration, as_datetime, parse_duration
from active_workflow.dsl.execution_client import ExecutionClient
from active_workflow.dsl.step_def import StepName, step_name
from active_workflow.dsl.step_view import ErrorInfo, Steps, error_info
from active_workflow.errors import ExecutionFailed, MisuseError


class Execution:
    """An execution of a workflow, as it was when last looked at; ``refresh`` and ``wait`` look again.

    Attributes:
        id: Its id.
    """

    __slots__ = ("_client", "_snapshot", "id")

    def __init__(self, snapshot: Snapshot, client: ExecutionClient) -> None:
        self.id = snapshot.id
        self._snapshot = snapshot
        self._client = client

    def __repr__(self) -> str:
        return f"<{self.workflow} {self.id} {self.state.value}>"

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, Execution) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    # --- What it shows ---

    @property
    def workflow(self) -> str:
        """The workflow's registered name."""
        return self._snapshot.plan.workflow

    @property
    def version(self) -> int | str:
        """The workflow's version when it started."""
        return self._snapshot.plan.version

    @property
    def state(self) -> State:
        """Its state."""
        return self._snapshot.state

    @property
    def ctx(self) -> Ctx:
        """Ctx as recorded; it can only be read."""
        return OpenCtx(self._snapshot.ctx, None, self._client.serializer, SNAPSHOT).view

    @property
    def steps(self) -> Steps:
        """Its steps in the order of the plan, by name or step object."""
        return Steps(self._snapshot, self._client.serializer)

    @property
    def result(self) -> Any:
        """The value of the last completed step in the order of the plan (a detached one has none here)."""
        kinds = self._snapshot.plan.by_name
        done = [
            step
            for step in self.steps.values()
            if step.state is StepState.COMPLETED and kinds[step.name].kind is not StepKind.DETACHED
        ]
        return done[-1].result if done else None

    @property
    def error(self) -> ErrorInfo | None:
        """Why it goes no further forward: ``type``, ``message``, ``step``, ``details``."""
        ending = self._snapshot.ending
        return error_info(ending.error, ending.step, self._client.serializer) if ending else None

    @property
    def tags(self) -> Mapping[str, str]:
        """What it was labelled with."""
        return dict(self._snapshot.tags)

    @property
    def parent_id(self) -> str | None:
        """The execution whose step started it."""
        return self._snapshot.parent_id

    @property
    def idempotency_key(self) -> str | None:
        """Its idempotency key."""
        return self._snapshot.key

    @property
    def blocked_reason(self) -> str | None:
        """Why only an operator or a deploy can move it on, while it is blocked."""
        return self._snapshot.blocked.reason if self._snapshot.blocked else None

    @property
    def created_at(self) -> datetime:
        """When it was accepted."""
        return as_datetime(self._snapshot.created_at)

    @property
    def run_at(self) -> datetime:
        """When it is (or was) to start."""
        return as_datetime(self._snapshot.run_at)

    @property
    def started_at(self) -> datetime | None:
        """When its first step began."""
        return _optional(self._snapshot.started_at)

    @property
    def completed_at(self) -> datetime | None:
        """When it was over, whatever the outcome."""
        return _optional(self._snapshot.completed_at)

    @property
    def cancelled_at(self) -> datetime | None:
        """When it was over, if it was cancelled."""
        return self.completed_at if self.state is State.CANCELLED else None

    @property
    def cancel_requested_at(self) -> datetime | None:
        """When cancel was first asked for."""
        return _optional(self._snapshot.cancel_requested_at)

    # --- What it passes on ---

    def refresh(self) -> "Execution":
        """Look again; answers itself."""
        self._snapshot = self._client.load(self.id)
        return self

    def wait(self, timeout: Duration | None = None, check: bool = False) -> "Execution":
        """Wait until it is over, or only an operator could move it on.

        Args:
            timeout: Seconds, a ``timedelta`` or text; None waits without end.
            check: Whether to raise unless it completed.

        Returns:
            Itself, refreshed.

        Raises:
            WaitTimeout: The time is over; the work goes on.
            ExecutionFailed: With ``check``, it did not complete.
            MisuseError: A step runs here: it would hold its worker while it waits.
        """
        _not_in_step("wait()")
        if _loop_runs():
            warnings.warn("wait() holds up the event loop: await wait_async()", RuntimeWarning, stacklevel=2)
        self._snapshot = self._client.wait(self.id, _micros(timeout))
        return self._checked() if check else self

    async def wait_async(
        self,
        timeout: Duration | None = None,  # noqa: ASYNC109 - the twin of wait
        check: bool = False,
    ) -> "Execution":
        """Do what ``wait`` does, awaited."""
        _not_in_step("wait_async()")
        self._snapshot = await self._client.wait_async(self.id, _micros(timeout))
        return self._checked() if check else self

    def _checked(self) -> "Execution":
        if self.state is not State.COMPLETED:
            why = f": {self.error}" if self.error else ""
            raise ExecutionFailed(
                f"{self.workflow} {self.id} is {self.state.value}{why}; see .explain()", self
            )
        return self

    def cancel(self, reason: str | None = None) -> bool:
        """Ask for everything to be undone; True when it is to end cancelled."""
        return self._client.cancel(self.id, reason=reason)

    def signal(self, name: StepName, payload: Any = None, *, idempotency_key: str | None = None) -> bool:
        """Send a signal (by its name, or the step object that waits for one of its own name)."""
        return self._client.signal(self.id, step_name(name), payload=payload, idempotency_key=idempotency_key)

    def complete_step(self, step: StepName, payload: Any = None, **more: Any) -> bool:
        """Complete an external step; takes ``idempotency_key`` and ``correlation_id``, too."""
        return self._client.complete_step(self.id, step_name(step), payload=payload, **more)

    def fail_step(
        self, step: StepName, *, error_class: str = "Error", message: str = "", **more: Any
    ) -> bool:
        """Fail an external step; takes ``details``, ``idempotency_key`` and ``correlation_id``, too."""
        return self._client.fail_step(
            self.id, step_name(step), error_class=error_class, message=message, **more
        )

    def extend_timeout(self, step: StepName, by: Duration) -> bool:
        """Let a waiting step wait longer by seconds, a ``timedelta`` or text."""
        return self._client.extend_timeout(self.id, step_name(step), by=by)

    def heartbeat(self, step: StepName, details: Any = None) -> bool:
        """Record a sign of life of a waiting external step."""
        return self._client.heartbeat(self.id, step_name(step), details=details)

    def explain(self) -> str:
        """Say in words what it does, waits for or is blocked by."""
        return self._client.explain(self.id)

    def plan_cancel(self) -> Any:
        """Say what a cancel would undo now, without doing it."""
        return self._client.plan_cancel(self.id)

    # --- The same, awaited: each goes through a thread ---

    def refresh_async(self) -> Awaitable["Execution"]:
        """Look again; answers itself."""
        return self._client.in_thread(self.refresh)

    def cancel_async(self, reason: str | None = None) -> Awaitable[bool]:
        """Do what ``cancel`` does, awaited."""
        return self._client.in_thread(self.cancel, reason)

    def signal_async(
        self, name: StepName, payload: Any = None, *, idempotency_key: str | None = None
    ) -> Awaitable[bool]:
        """Do what ``signal`` does, awaited."""
        return self._client.in_thread(self.signal, name, payload, idempotency_key=idempotency_key)

    def complete_step_async(self, step: StepName, payload: Any = None, **more: Any) -> Awaitable[bool]:
        """Do what ``complete_step`` does, awaited."""
        return self._client.in_thread(self.complete_step, step, payload, **more)

    def fail_step_async(self, step: StepName, **more: Any) -> Awaitable[bool]:
        """Do what ``fail_step`` does, awaited."""
        return self._client.in_thread(self.fail_step, step, **more)

    def extend_timeout_async(self, step: StepName, by: Duration) -> Awaitable[bool]:
        """Do what ``extend_timeout`` does, awaited."""
        return self._client.in_thread(self.extend_timeout, step, by)

    def heartbeat_async(self, step: StepName, details: Any = None) -> Awaitable[bool]:
        """Do what ``heartbeat`` does, awaited."""
        return self._client.in_thread(self.heartbeat, step, details)

    def explain_async(self) -> Awaitable[str]:
        """Do what ``explain`` does, awaited."""
        return self._client.in_thread(self.explain)

    def plan_cancel_async(self) -> Awaitable[Any]:
        """Do what ``plan_cancel`` does, awaited."""
        return self._client.in_thread(self.plan_cancel)


def _optional(micros: int | None) -> datetime | None:
    return None if micros is None else as_datetime(micros)


def _micros(timeout: Duration | None) -> int | None:
    return None if timeout is None else parse_duration(timeout, "timeout")


def _loop_runs() -> bool:
    """Tell whether an event loop runs in this thread: not before anything has imported asyncio."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _not_in_step(what: str) -> None:
    if (now := running()) is not None:
        raise MisuseError(
            f"{what} inside step {now.info.step_name!r} would hold its worker; end the step, let the other "
            "workflow tell this one by a signal"
        )
