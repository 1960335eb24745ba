"""The slot that the engine's client is put in, so that ``Checkout.start`` needs no import upwards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal, Protocol

from active_workflow.dsl.execution_client import ExecutionClient
from active_workflow.dsl.handle import Execution
from active_workflow.dsl.program import Program
from active_workflow.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class StartOptions:
    """How an execution is to be started.

    Attributes:
        idempotency_key: The caller's key, in place of the one that the workflow's function gives.
        key_reuse: In which end states of its holder the key may be taken over; None asks the workflow.
        connection: The caller's own connection or session, whose transaction the start joins.
        run_at: Not before this instant, microseconds.
        tags: Labels.
        on_conflict: ``start_many``: ``"raise"`` and start nothing, or ``"skip"`` the rows in conflict.
    """

    idempotency_key: str | None = None
    key_reuse: str | None = None
    connection: Any = None
    run_at: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    on_conflict: Literal["raise", "skip"] = "raise"

    @property
    def skips(self) -> bool:
        """Whether rows in conflict are left out."""
        return self.on_conflict == "skip"


class Client(ExecutionClient, Protocol):
    """What the engine does for workflows and handles. ``ctx`` is as the caller gave it: see ``starting``."""

    def start_program(self, program: Program, ctx: object, options: StartOptions) -> Execution:
        """Start one execution."""
        ...

    async def start_program_async(self, program: Program, ctx: object, options: StartOptions) -> Execution:
        """Do the same, awaited."""
        ...

    def start_programs(
        self, program: Program, ctxs: Sequence[object], options: StartOptions
    ) -> list[Execution]:
        """Start many in one transaction and answer in order."""
        ...

    async def start_programs_async(
        self, program: Program, ctxs: Sequence[object], options: StartOptions
    ) -> list[Execution]:
        """Do the same, awaited."""
        ...


class _Slot:
    """Holds the client of this process, and knows how to make one where none was configured."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.make: Callable[[], Client] | None = None
        self.lock = Lock()


_slot = _Slot()


def set_client(client: Client | None) -> None:
    """Put a client in the slot, or (None) take it out."""
    _slot.client = client


def set_client_factory(make: Callable[[], Client] | None) -> None:
    """Say how a client is made when one is first needed and none was configured."""
    _slot.make = make


def client() -> Client:
    """Give the client of this process; makes it at first use.

    Raises:
        ConfigurationError: Nothing is configured.
    """
    found = _slot.client
    if found is not None:
        return found
    with _slot.lock:
        if _slot.client is None:
            if _slot.make is None:
                raise ConfigurationError(
                    "no engine is configured; call active_workflow.configure(store=…) first"
                )
            _slot.client = _slot.make()
        return _slot.client
