"""``Retry`` as users write it; it becomes a ``RetryPolicy`` of names and integers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from active_workflow.core.retry import RetryPolicy
from active_workflow.dsl.durations import Duration, parse_duration
from active_workflow.dsl.names import qualified_name
from active_workflow.dsl.where import here, listed, nearest
from active_workflow.errors import ConfigurationError

Errors = type[BaseException] | tuple[type[BaseException], ...]


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How often and how soon a failed attempt of a step is followed by another.

    The second attempt starts ``first_delay`` after the first one failed. With ``"exponential"`` the attempt
    after n failures starts ``delay * 2 ** (n - 1)`` later, with ``"fixed"`` it is ``delay`` each time. Of
    ``first_delay`` and ``delay`` each stands for the other where only one is given; without both it is 5 s.

    Args:
        max: Attempts in all, the first included; None is without end.
        backoff: ``"exponential"`` or ``"fixed"``.
        first_delay: Seconds, a ``timedelta``, or text such as ``"2s"``.
        delay: The same, for later delays.
        max_delay: No delay is longer than this, jitter included.
        jitter: Whether each delay is spread over 50 to 150 % of itself.
        on: The error class, or a tuple of them, that it is for; every error unless given.
        max_elapsed: No attempt starts later than this after the first one did.

    Raises:
        DefinitionError: A value is not possible.
    """

    max: int | None = 5
    backoff: Literal["exponential", "fixed"] = "exponential"
    first_delay: Duration | None = None
    delay: Duration | None = None
    max_delay: Duration = "1d"
    jitter: bool = False
    on: Errors = ()
    max_elapsed: Duration | None = None
    policy: RetryPolicy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        arguments = {name: getattr(self, name) for name in _ARGUMENTS}
        try:
            object.__setattr__(self, "policy", _policy(arguments))
        except ConfigurationError as error:
            raise here().error(str(error)) from None


_ARGUMENTS = {item.name: item.default for item in fields(Retry) if item.init}


def _policy(given: Mapping[str, Any]) -> RetryPolicy:
    """Give the policy for the arguments of a Retry."""
    full = {**_ARGUMENTS, **given}
    _check_max(full["max"])
    if full["backoff"] not in {"exponential", "fixed"}:
        raise ConfigurationError(f'Retry(backoff=): {full["backoff"]!r} is neither "exponential" nor "fixed"')
    if not isinstance(full["jitter"], bool):
        raise ConfigurationError(f"Retry(jitter=): {full['jitter']!r} is neither True nor False")
    return RetryPolicy(
        max=full["max"],
        backoff=full["backoff"],
        first_delay=_optional(full["first_delay"], "first_delay"),
        delay=_optional(full["delay"], "delay"),
        max_delay=parse_duration(full["max_delay"], "Retry(max_delay=)"),
        jitter=full["jitter"],
        on=_error_names(full["on"]),
        max_elapsed=_optional(full["max_elapsed"], "max_elapsed"),
    )


RetryOption = Retry | int | Mapping[str, Any] | Sequence[Retry | Mapping[str, Any]] | None
"""What the option ``retry`` takes: one policy, a number of attempts, or policies of which the first fits."""


def retry_policies(value: object) -> tuple[RetryPolicy, ...]:
    """Read the option ``retry``: a ``Retry``, its arguments in a mapping, a number, or a sequence of these.

    Returns:
        The policies in order; none for None, which allows one attempt.

    Raises:
        ConfigurationError: It is something else.
    """
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(policy for item in value for policy in retry_policies(item))
    if isinstance(value, Retry):
        return (value.policy,)
    if isinstance(value, int) and not isinstance(value, bool):
        return (_policy({"max": value}),)
    if isinstance(value, Mapping):
        return (_from_mapping(value),)
    raise ConfigurationError(f'retry: {value!r} is no policy; write Retry(max=5, first_delay="1s")')


def _from_mapping(given: Mapping[str, Any]) -> RetryPolicy:
    arguments = dict(given)
    if "strategy" in arguments:  # the word that older configurations use
        arguments.setdefault("backoff", arguments.pop("strategy"))
    for name in arguments:
        if name not in _ARGUMENTS:
            near = nearest(str(name), _ARGUMENTS)
            raise ConfigurationError(f"retry: no argument {name!r}{near}; Retry has {listed(_ARGUMENTS)}")
    return _policy(arguments)


def _check_max(value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(
            f"Retry(max=): {value!r} is no number of attempts; write 1 or more, or None for no end"
        )


def _optional(value: object, name: str) -> int | None:
    return None if value is None else parse_duration(value, f"Retry({name}=)")


def _error_names(on: object) -> tuple[str, ...]:
    classes = on if isinstance(on, tuple | list) else (on,)
    for cls in classes:
        if not (isinstance(cls, type) and issubclass(cls, BaseException)):
            raise ConfigurationError(
                f"Retry(on=): {cls!r} is no error class; write on=TimeoutError or a tuple of classes"
            )
    return tuple(qualified_name(cls) for cls in classes)
