"""The story of one run, to be read: what workers recorded and called, and what changed outside."""

from collections.abc import Iterator, Sequence

from active_workflow.core.notices import PREFIX, Notice, notices
from active_workflow.core.snapshot import Execution
from active_workflow.dsl.handle import Execution as Handle
from active_workflow.engine.call import Call, CallKind

_WORDS = {
    "step.started": "{step} started",
    "step.compensating": "undo of {step} started",
    "step.compensated": "{step} undone",
    "step.compensation_failed": "undo of {step} failed for good",
    "step.completed_async": "{step} completed from outside",
    "step.failed_async": "{step} failed from outside",
    "step.interrupted": "{step} was interrupted",
    "retry.scheduled": "{step} is to be tried again",
    "signal.received": "a signal for {step}",
    "execution.cancel_requested": "cancel was asked for",
}


class Story:
    """Lines with their times.

    Attributes:
        lines: What has happened: (seconds since the start, text).
    """

    def __init__(self) -> None:
        self.lines: list[tuple[float, str]] = []

    def tell(self, seconds: float, text: str) -> None:
        """Add a line."""
        self.lines.append((seconds, text))

    def text(self) -> str:
        """Give all lines; a time is said where it is another one."""
        last, told = None, []
        for seconds, text in self.lines:
            told.append(f"  {'' if seconds == last else f'+{span(seconds)}':>10}  {text}")
            last = seconds
        return "\n".join(told)


def span(seconds: float) -> str:
    """Give a length of time in the units people use."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:g} {unit}" if seconds % size == 0 else f"{seconds / size:.1f} {unit}"
    return f"{seconds:g} s"


def code_name(kind: CallKind, step: str) -> str:
    """Give the words for the code that a call calls."""
    words = {CallKind.RUN: "", CallKind.UNDO: "the undo of ", CallKind.VERIFY: "verify of "}
    return f"{words.get(kind, 'the condition of ')}{step}"


def called(call: Call) -> str:
    """Give a line for a call."""
    again = f" (attempt {call.attempt})" if call.attempt > 1 else ""
    return f"calls {code_name(call.kind, call.step)}{again}"


def recorded(transitions: Sequence[tuple[Execution, Execution]], now: int) -> str:
    """Give in words what a commit records."""
    return ", ".join(text for pair in transitions for text in _of(*pair, now=now)) or "a change of state"


def _of(before: Execution, after: Execution, *, now: int) -> Iterator[str]:
    for notice in notices(before, after, now):
        if notice.name != f"{PREFIX}execution.started":
            yield _worded(notice)


def _worded(notice: Notice) -> str:
    name = notice.name.removeprefix(PREFIX)
    error = f" ({notice.error.type}: {notice.error.message})" if notice.error is not None else ""
    if name in _WORDS:
        return _WORDS[name].format(step=notice.step) + error
    kind, _, what = name.partition(".")
    return f"the execution is {what}" if kind == "execution" else f"{notice.step} {what}{error}"


def ending(execution: Handle) -> str:
    """Give a line for how an execution has ended."""
    why = f", {execution.error}" if execution.error else ""
    stuck = f", {execution.blocked_reason}" if execution.blocked_reason else ""
    return f"the end: {execution.workflow} is {execution.state.value}{why}{stuck}"
