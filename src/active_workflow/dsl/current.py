"""What runs now: a contextvar slot that the engine fills around each call of user code."""

from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any

from active_workflow.errors import MisuseError


@dataclass(frozen=True, slots=True)
class StepInfo:
    """Which attempt of which step of which execution.

    Attributes:
        execution_id: The execution.
        step_name: The step.
        attempt: 1 for the first attempt.
        heartbeat: The details of the last sign of life of an external step's earlier attempts, or None: from
            there the next attempt can go on.
        connection: The database connection (or session) that a transactional step is handed; else None.
    """

    execution_id: str
    step_name: str
    attempt: int
    heartbeat: Any = None
    connection: Any = field(default=None, repr=False, compare=False)

    @property
    def step_key(self) -> str:
        """``"<execution id>:<step>"``: the same over all attempts, so a key for calls to others."""
        return f"{self.execution_id}:{self.step_name}"


RESERVED = frozenset({"execution_id", "step_name", "step_key", "attempt"})
"""The engine's names on ctx, which can't be keys of ctx."""


class Running:
    """A call of user code that is under way, and how many workflows of each name it has started."""

    __slots__ = ("_started", "info")

    def __init__(self, info: StepInfo) -> None:
        self.info = info
        self._started: dict[str, int] = {}

    def child_key(self, workflow: str) -> str:
        """Give the key of the next start without one: a retried step so finds the same executions."""
        number = self._started[workflow] = self._started.get(workflow, 0) + 1
        return f"{self.info.step_key}:{workflow}:{number}"


_running: ContextVar[Running | None] = ContextVar("active_workflow_running", default=None)


def enter(info: StepInfo) -> Token[Running | None]:
    """Note that a call of user code begins in this thread or task; give the token for ``leave``."""
    return _running.set(Running(info))


def leave(token: Token[Running | None]) -> None:
    """Note that the call is over."""
    _running.reset(token)


def running() -> Running | None:
    """Give what runs in this thread or task, or None."""
    return _running.get()


def current() -> StepInfo:
    """Tell which step runs, in code that has no ctx at hand.

    Returns:
        Its ``execution_id``, ``step_name``, ``step_key`` and ``attempt``.

    Raises:
        MisuseError: No step runs here.
    """
    found = _running.get()
    if found is None:
        raise MisuseError("no step runs here: current() answers only in code that a step calls")
    return found.info
