"""Tells this process's subscribers of what was recorded."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast, overload

from active_workflow.core.notices import Notice, notices
from active_workflow.core.snapshot import Execution
from active_workflow.dsl.durations import MICROSECOND, as_datetime
from active_workflow.dsl.step_view import error_info
from active_workflow.engine.notifier import Event, Notifier, Subscriber
from active_workflow.errors import ConfigurationError
from active_workflow.store.serializer import Serializer

notifier = Notifier()
"""One for the process: subscriptions count for every engine, and may come before any is made."""


@overload
def subscribe(pattern: str, subscriber: Subscriber) -> Callable[[], None]: ...
@overload
def subscribe(pattern: str, subscriber: None = None) -> Callable[[Subscriber], Subscriber]: ...
def subscribe(pattern: str, subscriber: Subscriber | None = None) -> Any:
    """Have a function called for each event of this process whose name matches a pattern.

    Args:
        pattern: A name with ``*`` for any characters: ``"active_workflow.step.*"``.
        subscriber: Takes an ``Event``; left out, the call is a decorator. It is called after the commit, in
            order, from a thread of its own; its errors are logged and harm no workflow.

    Returns:
        A function that ends the subscription; as a decorator, the function itself.
    """
    if not isinstance(cast("object", pattern), str):
        raise ConfigurationError(f'subscribe: {pattern!r} is no pattern; write "active_workflow.step.*"')
    if "*" not in pattern and not pattern.startswith("active_workflow."):
        raise ConfigurationError(
            f"subscribe: no event is called {pattern!r}; all begin with active_workflow."
        )
    if not callable(cast("object", subscriber)) and subscriber is not None:
        raise ConfigurationError(f"subscribe: {subscriber!r} is no function; give one that takes an event")
    if subscriber is not None:
        return notifier.subscribe(pattern, subscriber)

    def decorate(function: Subscriber) -> Subscriber:
        notifier.subscribe(pattern, function)
        return function

    return decorate


def publish(
    transitions: Sequence[tuple[Execution | None, Execution]], now: int, serializer: Serializer
) -> None:
    """Tell of transitions, if anybody listens."""
    if notifier.wanted:
        notifier.publish(lambda: _events(transitions, now, serializer))


def _events(
    transitions: Sequence[tuple[Execution | None, Execution]], now: int, serializer: Serializer
) -> Iterator[Event]:
    for before, after in transitions:
        for notice in notices(before, after, now):
            yield _event(notice, after, serializer)


def _event(notice: Notice, x: Execution, serializer: Serializer) -> Event:
    error = notice.error
    failed_in = notice.step if notice.step is not None or x.ending is None else x.ending.step
    return Event(
        name=notice.name,
        execution_id=notice.execution_id,
        workflow=notice.workflow,
        step=notice.step,
        attempt=notice.attempt,
        at=as_datetime(notice.at),
        duration=None if notice.duration is None else notice.duration * MICROSECOND,
        error=None if error is None else error_info(error, failed_in, serializer),
        payload=None if notice.payload is None else serializer.load(notice.payload),
    )
