"""What a handle asks of the engine: a Protocol, so that handles stand on a lower floor."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.dsl.context import Serializer
from active_workflow.dsl.durations import Duration

R = TypeVar("R")


class ExecutionClient(Protocol):
    """What a handle asks of the engine. Ids come first; times are microseconds."""

    @property
    def serializer(self) -> Serializer:
        """How values are encoded."""
        ...

    def in_thread(self, call: Callable[..., R], *args: Any, **kwargs: Any) -> Awaitable[R]:
        """Make a call in a thread, to be awaited."""
        ...

    def load(self, execution_id: str) -> Snapshot:
        """Give the execution as it is now; raise ExecutionNotFound."""
        ...

    def wait(self, execution_id: str, timeout: int | None) -> Snapshot:
        """Give it once it is terminal or stalled; raise WaitTimeout when the time is over."""
        ...

    async def wait_async(self, execution_id: str, timeout: int | None) -> Snapshot:  # noqa: ASYNC109 - the twin of wait
        """Do the same without holding a thread."""
        ...

    def cancel(self, execution_id: str, *, reason: str | None = None) -> bool:
        """Ask for it to be undone and over."""
        ...

    def signal(
        self, execution_id: str, name: str, *, payload: Any = None, idempotency_key: str | None = None
    ) -> bool:
        """Send a signal."""
        ...

    def complete_step(
        self,
        execution_id: str,
        step: str,
        *,
        payload: Any = None,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
    ) -> bool:
        """Complete an external step."""
        ...

    def fail_step(
        self,
        execution_id: str,
        step: str,
        *,
        error_class: str = "Error",
        message: str = "",
        details: Any = None,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
    ) -> bool:
        """Fail an external step."""
        ...

    def extend_timeout(self, execution_id: str, step: str, *, by: Duration) -> bool:
        """Let a waiting step wait longer."""
        ...

    def heartbeat(self, execution_id: str, step: str, *, details: Any = None) -> bool:
        """Record a sign of life of a waiting external step."""
        ...

    def explain(self, execution_id: str) -> str:
        """Say in words what it does, waits for or is blocked by."""
        ...

    def plan_cancel(self, execution_id: str) -> Any:
        """Say what a cancel would undo now."""
        ...
