"""Telling executions that exist what happened outside, and what an operator wants."""

from collections.abc import Mapping, Sequence
from typing import Any

from active_workflow.core.events import Event, Paused, Resumed, RetryRequested
from active_workflow.core.outside import known_step
from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.core.states import Phase, State
from active_workflow.dsl.durations import Duration, parse_duration
from active_workflow.dsl.steps import StepName, step_name
from active_workflow.engine.hosting import Host
from active_workflow.engine.lookups import Lookups
from active_workflow.engine.payloads import COMPLETION, SIGNAL, Payloads, check_items
from active_workflow.store.base import Heartbeat

PRUNED_AT_ONCE = 1000


class Operations(Lookups):
    """The part of an engine that needs no worker.

    Args:
        host: Its living parts.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._payloads = Payloads(host.serializer)

    # --- From outside -------------------------------------------------------------------------------

    def complete_step(
        self,
        execution_id: str,
        step: StepName,
        payload: Any = None,
        *,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
    ) -> bool:
        """Complete an external step; durable when it returns.

        Returns:
            True when it changed something, False for a repeat or one that came too late.

        Raises:
            CompletionConflict: It was completed before with another key or payload.
            CorrelationMismatch: The correlation id is not the one that the step's call returned.
            ExecutionNotFound, UnknownStep, SerializationError: Nothing was changed.
        """
        event = self._payloads.completed(step_name(step), payload, idempotency_key, correlation_id)
        return self._tell(execution_id, event)

    def complete_many(self, completions: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Complete external steps, many in one commit; each item has the arguments of ``complete_step``."""
        check_items(completions, COMPLETION)
        events = [
            (
                item["execution_id"],
                self._payloads.completed(
                    step_name(item["step"]),
                    item.get("payload"),
                    item.get("idempotency_key"),
                    item.get("correlation_id"),
                ),
            )
            for item in completions
        ]
        return self._tell_many(events)

    def fail_step(
        self,
        execution_id: str,
        step: StepName,
        *,
        error_class: str = "Error",
        message: str = "",
        details: Any = None,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
    ) -> bool:
        """Fail an external step's attempt: its retry policy decides what follows. Durable when it returns.

        Returns:
            True when it changed something, False for a repeat or one that came too late.
        """
        event = self._payloads.rejected(
            step_name(step),
            error_class=error_class,
            message=message,
            details=details,
            key=idempotency_key,
            correlation_id=correlation_id,
        )
        return self._tell(execution_id, event)

    def extend_timeout(self, execution_id: str, step: StepName, *, by: Duration) -> bool:
        """Let a waiting step wait longer; False when it does not wait, or without end."""
        return self._tell(execution_id, self._payloads.extended(step_name(step), by))

    def heartbeat(self, execution_id: str, step: StepName, *, details: Any = None) -> bool:
        """Record a sign of life of a waiting external step; False when it does not wait.

        Raises:
            ExecutionNotFound, UnknownStep: There is no such execution, or its plan has no such step.
        """
        self._host.now()
        text = None if details is None else self.serializer.dump(details)
        if self._host.store.touch([Heartbeat(execution_id, step_name(step), text)])[0]:
            return True
        known_step(self.load(execution_id), step_name(step))
        return False

    def signal(
        self, execution_id: str, name: StepName, payload: Any = None, *, idempotency_key: str | None = None
    ) -> bool:
        """Send a signal; one that comes before its wait is kept. Durable when it returns.

        Returns:
            True when it was recorded, False for a repeat or one that came too late.

        Raises:
            UnknownSignal: The workflow waits for no signal of this name.
        """
        event = self._payloads.signalled(step_name(name), payload, idempotency_key)
        return self._tell(execution_id, event)

    def signal_many(self, signals: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Send signals, many in one commit; each item has the arguments of ``signal``."""
        check_items(signals, SIGNAL)
        events = [
            (
                item["execution_id"],
                self._payloads.signalled(
                    step_name(item["name"]), item.get("payload"), item.get("idempotency_key")
                ),
            )
            for item in signals
        ]
        return self._tell_many(events)

    def cancel(self, execution_id: str, reason: str | None = None) -> bool:
        """Have everything undone and the execution end cancelled.

        Returns:
            True when it is to end cancelled, repeats included; False when it is over or past its pivot.
        """
        before, after = self._deliver(execution_id, self._payloads.cancelled(reason))
        over_already = before.phase is Phase.OVER
        return not over_already and after.ending is not None and after.ending.outcome is State.CANCELLED

    # --- For operators ------------------------------------------------------------------------------

    def pause(self, execution_id: str) -> bool:
        """Start nothing more of it and fire no timer, until ``resume``."""
        return self._tell(execution_id, Paused())

    def resume(self, execution_id: str) -> bool:
        """Let it go on."""
        return self._tell(execution_id, Resumed())

    def retry(self, execution_id: str) -> bool:
        """Try again what blocks it, or the undos that failed; False where nothing does."""
        return self._tell(execution_id, RetryRequested())

    def resolve(
        self,
        execution_id: str,
        step: StepName,
        *,
        landed: bool | None = None,
        skip: bool = False,
        undone: bool = False,
        result: Any = None,
    ) -> bool:
        """Say what became of a step that only a person can find out about.

        Args:
            execution_id: Which execution.
            step: Which step.
            landed: Going forward, True completes it with ``result`` and False runs it again; while undoing
                True undoes it with ``result`` and False passes it over.
            skip: Going forward, pass it over.
            undone: Take an undo that failed as done by hand.
            result: What the step would have returned; a mapping is merged into ctx.

        Returns:
            True when it changed something.

        Raises:
            IllegalMove: There is nothing to resolve about this step now.
        """
        event = self._payloads.resolved(
            step_name(step), landed=landed, skip=skip, undone=undone, result=result
        )
        return self._tell(execution_id, event)

    def prune(self, *, older_than: Duration) -> int:
        """Delete executions that ended longer ago than this, and free their keys; give how many."""
        before = self._host.now() - parse_duration(older_than, "older_than")
        total = 0
        while True:
            gone = self._host.store.prune(before, PRUNED_AT_ONCE)
            total += gone
            if gone < PRUNED_AT_ONCE:
                return total

    # --- Inside -------------------------------------------------------------------------------------

    def _deliver(self, id: str, event: Event) -> tuple[Snapshot, Snapshot]:
        self._host.now()
        return self._host.deliverer.deliver(id, event)

    def _tell(self, id: str, event: Event) -> bool:
        before, after = self._deliver(id, event)
        return after is not before

    def _tell_many(self, events: Sequence[tuple[str, Event]]) -> list[bool]:
        self._host.now()
        return [after is not before for before, after in self._host.deliverer.deliver_many(events)]
