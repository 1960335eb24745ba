"""What callers from outside send, as events: encoded before anything is asked of the store."""

import random
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

from active_workflow.core.attempts import Failure
from active_workflow.core.events import (
    CancelRequested,
    Completed,
    Event,
    Extended,
    Rejected,
    Resolved,
    Signalled,
)
from active_workflow.dsl.durations import Duration, parse_duration
from active_workflow.dsl.where import listed
from active_workflow.engine.failures import LONGEST_MESSAGE, storable
from active_workflow.errors import ConfigurationError
from active_workflow.store.serializer import Serializer

COMPLETION = ("execution_id", "step", "payload", "idempotency_key", "correlation_id")
SIGNAL = ("execution_id", "name", "payload", "idempotency_key")
"""What an item of ``complete_many`` and of ``signal_many`` may have; it needs the first two."""


def check_items(items: Sequence[Mapping[str, Any]], known: Sequence[str]) -> None:
    """Raise ConfigurationError for an item that lacks something or has what is not known; say which one."""
    for number, item in enumerate(items):
        if not isinstance(cast("object", item), Mapping):
            raise ConfigurationError(f"item {number} is {item!r}; give a mapping that has {listed(known)}")
        missing = [name for name in known[:2] if name not in item]
        unknown = [name for name in item if name not in known]
        if missing or unknown:
            trouble = f"lacks {listed(missing)}" if missing else f"has {listed(unknown)}"
            raise ConfigurationError(
                f"item {number} {trouble}; an item has {listed(known)}. Nothing was sent"
            )


class Payloads:
    """Makes events of what callers send.

    Args:
        serializer: Encodes payloads.
    """

    def __init__(self, serializer: Serializer) -> None:
        self._serializer = serializer

    def completed(self, step: str, payload: Any, key: str | None, correlation_id: str | None) -> Event:
        """An external step's completion."""
        keys = _word_or_none("idempotency_key", key), _correlation(correlation_id)
        return Completed(step, self._serializer.dump(payload), *keys)

    def rejected(
        self,
        step: str,
        *,
        error_class: str,
        message: str,
        details: Any,
        key: str | None,
        correlation_id: str | None,
    ) -> Event:
        """An external step's failure; one without a key gets one of its own, like a signal."""
        error = Failure(
            type=_word("error_class", error_class),
            message=storable(_said("message", message), LONGEST_MESSAGE),
            names=(error_class,),
            details=None if details is None else self._serializer.dump(details),
        )
        correlation_id = _correlation(correlation_id)
        return Rejected(
            step, error, _word_or_none("idempotency_key", key) or _own_key(), correlation_id, random.random()
        )

    def extended(self, step: str, by: Duration) -> Event:
        """A longer wait."""
        return Extended(step, parse_duration(by, "by"))

    def signalled(self, name: str, payload: Any, key: str | None) -> Event:
        """A signal. One without a key gets one of its own, so that sending it once can't record it twice."""
        return Signalled(
            name, self._serializer.dump(payload), _word_or_none("idempotency_key", key) or _own_key()
        )

    def cancelled(self, reason: str | None) -> Event:
        """A wish to have it undone, and why."""
        return CancelRequested(None if reason is None else storable(_said("reason", reason), LONGEST_MESSAGE))

    def resolved(self, step: str, *, landed: bool | None, skip: bool, undone: bool, result: Any) -> Event:
        """An operator's word on a step; raises ConfigurationError unless exactly one thing is said."""
        said = (landed is not None) + skip + undone
        if said != 1:
            raise ConfigurationError(
                "resolve says one thing of a step: landed=True, landed=False, skip=True or undone=True"
            )
        patch = {}
        if isinstance(result, dict):
            patch = {key: self._serializer.dump(value) for key, value in result.items()}
        text = None if result is None else self._serializer.dump(result)
        return Resolved(step, landed, skip, undone, text, patch)


def _said(name: str, value: object) -> str:
    """Give a text that people are to read; whatever a database can't take of it is written otherwise."""
    if not isinstance(value, str):
        raise ConfigurationError(f"{name}: {value!r} is no text; write str(…)")
    return value


def _word(name: str, value: object) -> str:
    """Give a text that is compared, which has to be kept as it is."""
    if not isinstance(value, str) or not value or storable(value, len(value)) != value:
        raise ConfigurationError(
            f"{name}: {value!r} can't be kept; give text that isn't empty, without NUL and lone surrogates"
        )
    return value


def _word_or_none(name: str, value: object) -> str | None:
    return None if value is None else _word(name, value)


def _correlation(given: object) -> str | None:
    """Give a correlation id as the step's was stored: as text, even if a webhook's JSON had a number."""
    return _word_or_none("correlation_id", str(given) if isinstance(given, int) else given)


def _own_key() -> str:
    """Give a key that nobody else has: with it, a commit of unknown outcome can be tried again safely."""
    return f"~{secrets.token_hex(8)}"
