"""An exception as data: always, whatever its ``__str__`` does."""

import threading
import traceback
from typing import cast

from active_workflow.core.attempts import Failure
from active_workflow.dsl.durations import parse_duration
from active_workflow.dsl.names import qualified_names
from active_workflow.errors import ActiveWorkflowError, NonRetryable, RetryAfter

LONGEST_MESSAGE = 4_000
LONGEST_TRACEBACK = 16_000


class ProcessEndsError(BaseException):
    """Python was ending and refused what a call needed: nothing is known of its attempt."""


def is_of_the_end(error: BaseException) -> bool:
    """Tell whether an error comes of nothing but the end of this process.

    Once the main thread has ended, executors and new threads are refused: an ``asyncio.to_thread`` in a step
    that is as sound as ever then raises RuntimeError. That must not undo a saga: the attempt is left
    interrupted, and another worker goes on.
    """
    ending = not threading.main_thread().is_alive()
    return ending and isinstance(error, RuntimeError) and "shutdown" in _message_of(error)


def failure_of(error: BaseException) -> Failure:
    """Give an exception as data; nothing that it does can make this raise."""
    retryable = not isinstance(error, NonRetryable)
    return Failure(
        type=type(error).__name__,
        message=_message_of(error) + _doubt_of(error),
        names=qualified_names(cast("type", type(error))),
        traceback=_traceback_of(error),
        retryable=retryable,
        retry_after=_retry_after(error),
    )


def storable(text: str, longest: int) -> str:
    """Give a text that every database takes: no NUL, no lone surrogates, not endless."""
    clean = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
    return clean if len(clean) <= longest else clean[:longest] + " …"


def _message_of(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as failed:  # noqa: BLE001 - an exception that can't be printed is recorded all the same
        text = f"(its message can't be printed: {type(failed).__name__})"
    return storable(text, LONGEST_MESSAGE)


def _traceback_of(error: BaseException) -> str | None:
    try:
        lines = traceback.format_exception(error)
    except BaseException:  # noqa: BLE001 - the same: formatting asks the exception to print itself
        lines = traceback.format_tb(error.__traceback__)
    text = "".join(lines)
    return storable(text[-LONGEST_TRACEBACK:], LONGEST_TRACEBACK) or None


def _doubt_of(error: BaseException) -> str:
    """Say of a RetryAfter whose delay can't be read that it can't."""
    if not isinstance(error, RetryAfter) or _retry_after(error) is not None:
        return ""
    return f" ({error.delay!r} is no duration: the retry policy's own delay was taken)"


def _retry_after(error: BaseException) -> int | None:
    if not isinstance(error, RetryAfter):
        return None
    try:
        return parse_duration(error.delay, "RetryAfter")
    except ActiveWorkflowError:
        return None  # a delay that can't be read leaves the policy's own; the message says so
