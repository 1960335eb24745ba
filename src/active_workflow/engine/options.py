"""The options of an engine, as ``configure`` takes them."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from logging import Logger
from typing import TypedDict

from active_workflow.dispatch.base import Dispatcher
from active_workflow.dsl.durations import Duration
from active_workflow.dsl.where import listed, nearest
from active_workflow.errors import ConfigurationError
from active_workflow.store.serializer import Serializer


class EngineOptions(TypedDict, total=False):
    """See ``Engine`` for what each one means."""

    embedded: bool | None
    dispatcher: Dispatcher | None
    serializer: str | Serializer | None
    clock: Callable[[], datetime] | None
    logger: Logger | None
    lease: Duration | None
    poll_interval: Duration | None
    grace: Duration | None
    concurrency: int | None
    listen: bool | None
    worker_name: str | None
    redact: Collection[str] | None
    queues: Collection[str] | None


def check_names(given: Mapping[str, object]) -> None:
    """Raise ConfigurationError for an option that there is none of, naming the nearest."""
    known = list(EngineOptions.__annotations__)
    for name in given:
        if name not in known:
            raise ConfigurationError(
                f"an engine has no option {name!r}{nearest(name, known)}; it has {listed(known)}"
            )
