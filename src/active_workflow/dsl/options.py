"""The options of steps and workflows: their names and types, and how each value is read."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict

from active_workflow.dsl.current import RESERVED
from active_workflow.dsl.durations import Duration, parse_duration
from active_workflow.dsl.retry import RetryOption, retry_policies
from active_workflow.dsl.where import Where, listed, nearest
from active_workflow.errors import ConfigurationError

CtxFunction = str | Callable[[Any], Any]
"""A function of ctx, a method, or a method's name."""
UndoFunction = str | Callable[[Any], Any] | Callable[[Any, Any], Any]
"""The same, or a function of ctx and the step's result."""
KeyReuse = Literal["never", "failed", "terminal"]


class DefaultOptions(TypedDict, total=False):
    """The options that may be given to all steps of a workflow at once, with ``defaults=``."""

    retry: RetryOption
    timeout: Duration | None
    external: bool
    dedupe: bool
    when: CtxFunction | None
    unless: CtxFunction | None
    compensate_on: Literal["completed", "attempted"]
    undo_retry: RetryOption
    verify: CtxFunction | None
    at_most_once: bool
    transactional: bool | Literal["session"]
    heartbeat_timeout: Duration | None
    abandon_after: Duration | None
    queue: str


class StepOptions(DefaultOptions, total=False):
    """The options of every step that calls something."""

    compensate: UndoFunction | None
    args: CtxFunction | None
    store_result_as: str | None
    fire_and_forget: bool
    after: Any  # step names and step objects, one or several; typed in full where steps are made
    on_timeout: Literal["fail", "continue"]
    pivot: bool
    no_undo: str | None
    name: str | None


class SleepOptions(TypedDict, total=False):
    """The options of ``sleep``."""

    until: CtxFunction | None
    when: CtxFunction | None
    unless: CtxFunction | None
    after: Any
    name: str | None


class WaitOptions(TypedDict, total=False):
    """The options of ``wait_for_signal``."""

    store_result_as: str | None
    timeout: Duration | None
    on_timeout: Literal["fail", "continue"]
    when: CtxFunction | None
    unless: CtxFunction | None
    after: Any
    name: str | None


class WorkflowOptions(TypedDict, total=False):
    """The keywords of a workflow class."""

    idempotency_key: Callable[[Any], str | None] | None
    key_reuse: KeyReuse
    defaults: DefaultOptions | None
    timeout: Duration | None
    version: int | str
    name: str
    queue: str
    ctx: Any


class UndoOptions(TypedDict, total=False):
    """The options of a step's ``.compensate``."""

    external: bool
    timeout: Duration | None


def names_of(options: type) -> frozenset[str]:
    """Give the option names that one of the classes above knows."""
    return frozenset(options.__annotations__) | frozenset(
        name
        for base in getattr(options, "__orig_bases__", ())
        for name in getattr(base, "__annotations__", ())
    )


STEP = names_of(StepOptions)
DEFAULTS = names_of(DefaultOptions)
SLEEP = names_of(SleepOptions)
WAIT = names_of(WaitOptions)
WORKFLOW = names_of(WorkflowOptions)
UNDO = names_of(UndoOptions)


def check_names(given: Mapping[str, object], known: frozenset[str], what: str, where: Where) -> None:
    """Raise for the first option that is not known, with the nearest that is."""
    for name in given:
        if name not in known:
            raise where.error(
                f"{what} has no option {name!r}{nearest(name, known)}; it has {listed(sorted(known))}"
            )


# --- How each value is read -------------------------------------------------------------------------


def _bool(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}: {value!r} is neither True nor False")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name}: {value!r} is no name; write text")
    return value


def _key(value: object, name: str) -> str:
    if (text := _text(value, name)) in RESERVED:
        raise ConfigurationError(f"{name}: {text!r} is the engine's own name on ctx; choose another")
    return text


def _reason(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(
            f'{name}: {value!r} says nothing; write why no undo is needed: {name}="only reads"'
        )
    return value


def _positive(value: object, name: str) -> int:
    if not (micros := parse_duration(value, name)):
        raise ConfigurationError(
            f"{name}: {value!r} leaves no time at all; write more than zero, or None for no end"
        )
    return micros


def _one_of(*choices: str) -> Callable[[object, str], str]:
    def read(value: object, name: str) -> str:
        if value not in choices:
            raise ConfigurationError(
                f"{name}: {value!r} is none of {listed(repr(choice) for choice in choices)}"
            )
        return str(value)

    return read


def _transactional(value: object, name: str) -> object:
    if not isinstance(value, bool) and value != "session":
        raise ConfigurationError(f'{name}: {value!r} is neither True nor "session" nor False')
    return value


def _retry(value: object, _name: str) -> object:
    return retry_policies(value)


_READERS: Mapping[str, Callable[[Any, str], object]] = {
    "retry": _retry,
    "undo_retry": _retry,
    "timeout": _positive,
    "heartbeat_timeout": _positive,
    "abandon_after": parse_duration,
    "external": _bool,
    "dedupe": _bool,
    "fire_and_forget": _bool,
    "at_most_once": _bool,
    "transactional": _transactional,
    "pivot": _bool,
    "compensate_on": _one_of("completed", "attempted"),
    "on_timeout": _one_of("fail", "continue"),
    "key_reuse": _one_of("never", "failed", "terminal"),
    "sleep": parse_duration,
    "store_result_as": _key,
    "no_undo": _reason,
    "queue": _text,
    "name": _text,
}


def read(given: Mapping[str, Any], where: Where) -> dict[str, Any]:
    """Give the options with each value in the form that the plan keeps.

    Durations become microseconds and retries policies; callables and ``after`` stay as they are. An option
    that is None is off: of a ``retry`` nothing is left but one attempt, of a ``timeout`` no end.

    Raises:
        DefinitionError: A value is not possible.
    """
    values: dict[str, Any] = {}
    for name, value in given.items():
        reader = _READERS.get(name)
        try:
            if reader is None or (value is None and name not in {"retry", "undo_retry"}):
                values[name] = value
            else:
                values[name] = reader(value, name)
        except ConfigurationError as error:
            raise where.error(str(error)) from None
    return values
