"""Snapshots of steps and marks as plain data: only what differs from its default is written down."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from operator import attrgetter
from typing import Any

from active_workflow.core.attempts import NOT_RUN, Attempt, Completion, Failure, Run
from active_workflow.core.elsewhere import Elsewhere
from active_workflow.core.snapshot import Block, BlockKind, Ending, Step
from active_workflow.core.states import Effect, Phase, State, StepState
from active_workflow.store.jsontext import write_ascii

Data = dict[str, Any]


class Moved:
    """Finds the fields of a dataclass's values that differ from their defaults.

    This is on the way of every commit: fields that rarely move are compared all at once, and looked at one
    by one only if some did.

    Args:
        kind: The dataclass.
        often: The fields that often move.
        rarely: Those that rarely do.
        writers: How values of some of the fields become data.
    """

    def __init__(
        self,
        kind: type,
        often: tuple[str, ...] = (),
        rarely: tuple[str, ...] = (),
        writers: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        defaults = {item.name: _default(item) for item in fields(kind)}
        self._often = tuple((name, defaults[name]) for name in often)
        self._rarely = tuple((name, defaults[name]) for name in rarely)
        self._still = tuple(defaults[name] for name in rarely)
        self._get: Callable[[object], tuple[Any, ...]] = attrgetter(*rarely)
        self._writers = tuple((writers or {}).items())

    def __call__(self, value: object) -> Data:
        """Give the moved fields of a value, as data."""
        found = {}
        for name, default in self._often:
            item = getattr(value, name)
            if item is not default and item != default:
                found[name] = item
        if self._get(value) != self._still:
            found |= {n: item for n, default in self._rarely if (item := getattr(value, n)) != default}
        if found:
            for name, write in self._writers:
                if name in found:
                    found[name] = write(found[name])
        return found

    def none_of_the_rare(self, value: object) -> bool:
        """Tell whether at most fields that often move did."""
        return self._get(value) == self._still


def _default(item: Any) -> Any:
    if item.default_factory is not MISSING:
        return item.default_factory()
    return None if item.default is MISSING else item.default


# --- Writing ----------------------------------------------------------------------------------------

_failure = Moved(Failure, rarely=("names", "details", "traceback", "retryable", "retry_after"))


def failure_data(failure: Failure) -> Data:
    """Give an error as data."""
    return {**_failure(failure), "type": failure.type, "message": failure.message}


def attempts_data(errors: tuple[Attempt, ...]) -> list[Data]:
    return [{"number": e.number, "ended_at": e.ended_at, "error": failure_data(e.error)} for e in errors]


run_data = Moved(
    Run,
    ("attempts", "running", "started_at", "attempt_at"),
    (
        *("failures", "interruptions", "strikes", "suspect", "retry_at", "unknown", "doubts"),
        *("lingering", "abandon_at", "errors", "lost"),
    ),
    {"errors": attempts_data},
)
completion_data = Moved(
    Completion, rarely=("payload", "key", "correlation_id", "error"), writers={"error": failure_data}
)
_OFTEN = ("state", "effect", "run", "undo")
_story = Moved(
    Step,
    _OFTEN,
    tuple(item.name for item in fields(Step) if item.name not in {"name", "patch", "result", *_OFTEN}),
    {"run": run_data, "undo": run_data, "early": completion_data},
)


def story_text(step: Step) -> str:
    """Give the story of an active step as a JSON object: all but its name, and patch and result.

    Those two are in the step's row: they may be large, and this is written again with each commit.
    Steps that begin together are one value, so the last text of each name is kept.
    """
    last = _last_told.get(step.name)
    if last is not None and last[0] is step:
        return last[1]
    if len(_last_told) >= _MOST_KEPT:
        _last_told.clear()
    text = _told(step)
    _last_told[step.name] = (step, text)
    return text


_MOST_KEPT = 1_000
_last_told: dict[str, tuple[Step, str]] = {}


def _told(step: Step) -> str:
    """Put the story of a step whose first attempt runs together by hand: nearly every commit tells one."""
    run = step.run
    if (
        step.state is StepState.RUNNING
        and step.effect is Effect.NONE
        and step.undo is NOT_RUN
        and run.running
        and run.started_at is not None
        and run.attempt_at is not None
        and _story.none_of_the_rare(step)
        and run_data.none_of_the_rare(run)
    ):
        return (
            f'{{"state":"running","run":{{"attempts":{run.attempts},"running":true,'
            f'"started_at":{run.started_at},"attempt_at":{run.attempt_at}}}}}'
        )
    return write_ascii(_story(step))


def ending_data(ending: Ending) -> Data:
    """Give the reason of an ending as data."""
    return {
        "outcome": ending.outcome,
        "error": failure_data(ending.error),
        "step": ending.step,
        "at": ending.at,
    }


def block_data(block: Block) -> Data:
    """Give a block as data."""
    return {"kind": block.kind, "reason": block.reason}


# --- Reading ----------------------------------------------------------------------------------------


def read_failure(data: Data) -> Failure:
    """Give the error that ``failure_data`` wrote."""
    return Failure(**{**data, "names": tuple(data.get("names", ()))})


def read_run(data: Data) -> Run:
    """Give the attempts that ``run_data`` wrote."""
    if "errors" not in data:
        return Run(**data)
    errors = (Attempt(e["number"], e["ended_at"], read_failure(e["error"])) for e in data["errors"])
    return Run(**{**data, "errors": tuple(errors)})


def _read_completion(data: Data) -> Completion:
    values = {"payload": None, "key": None, **data}
    if "error" in data:
        values["error"] = read_failure(data["error"])
    return Completion(**values)


STEP_READERS: Mapping[str, Callable[[Any], Any]] = {
    "state": StepState,
    "effect": Effect,
    "run": read_run,
    "undo": read_run,
    "keys": tuple,
    "early": _read_completion,
}


def read_step(name: str, data: Data) -> Step:
    """Give the step whose story ``story_text`` wrote."""
    return Step(name, **_read(data, STEP_READERS))


MARK_READERS: Mapping[str, Callable[[Any], Any]] = {
    "phase": Phase,
    "ending": lambda data: Ending(
        State(data["outcome"]), read_failure(data["error"]), data["step"], data["at"]
    ),
    "signal_keys": tuple,
    "blocked": lambda data: Block(BlockKind(data["kind"]), data["reason"]),
    "elsewhere": lambda data: Elsewhere(**data),
}


def read_marks(data: Data) -> Data:
    """Give the marks of an execution by name."""
    return _read(data, MARK_READERS)


def _read(data: Data, readers: Mapping[str, Callable[[Any], Any]]) -> Data:
    return {name: readers[name](value) if name in readers else value for name, value in data.items()}
