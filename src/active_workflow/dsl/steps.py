"""How steps are written: ``step``, ``task``, ``sleep``, ``wait_for_signal`` and ``parallel``.

Each makes a ``StepDef``, which only remembers what was written; ``compile`` reads and checks it.
"""

from collections.abc import Callable
from typing import Any, Protocol, Unpack, overload

from active_workflow.core.plan import StepKind
from active_workflow.dsl.body import next_number, open_body
from active_workflow.dsl.durations import Duration
from active_workflow.dsl.options import SleepOptions, StepOptions, WaitOptions
from active_workflow.dsl.step_def import StepDef, StepName, step_name

__all__ = ["StepDecorator", "StepName", "parallel", "sleep", "step", "step_name", "task", "wait_for_signal"]


class HasCall(Protocol):
    """An object with a method ``call``: a task, or whatever looks like one."""

    @property
    def call(self) -> Callable[..., Any]:
        """What the step does."""
        ...


Target = Callable[[Any], Any] | HasCall
"""What ``task`` takes: a function of ctx, a Task class, or an instance."""


@overload
def step(method: Callable[..., Any], /, **options: Unpack[StepOptions]) -> StepDef: ...
@overload
def step(**options: Unpack[StepOptions]) -> "StepDecorator": ...
def step(method: Any = None, /, **options: Any) -> Any:
    """Make a method of ``self`` a step: ``@step`` or ``@step(retry=…, timeout=…)``.

    Args:
        method: A ``def`` or ``async def`` that finds ctx at ``self.ctx``.
        **options: See the options of steps. Durations are seconds, a ``timedelta``, or text like ``"30s"``.

    Returns:
        The step, or (with options only) a decorator that makes it.

    Raises:
        DefinitionError: When the class is complete, if something in it can't be.
        MisuseError: It was called while a step runs.
    """
    decorator = StepDecorator("step()", options, is_method=True)
    return decorator if method is None else decorator(method)


@overload
def task(target: Target, /, **options: Unpack[StepOptions]) -> StepDef: ...
@overload  # of other arguments, with args=; mypy takes `...` for the same as one argument
def task(target: Callable[..., Any], /, **options: Unpack[StepOptions]) -> StepDef: ...  # type: ignore[overload-cannot-match]
@overload
def task(**options: Unpack[StepOptions]) -> "StepDecorator": ...
def task(*target: Any, **options: Any) -> Any:
    """Make a step of a ``Task`` class, a task instance, or a function of ctx; also a decorator.

    ``reserve = task(ReserveStock)``, ``notify = task(lambda ctx: …)``, ``@task`` over a ``def`` with the
    parameter ``ctx`` (plain or a ``staticmethod``). A class is instantiated for each attempt.

    Args:
        *target: The class, instance or function; leave it out to decorate one.
        **options: See the options of steps. Durations are seconds, a ``timedelta``, or text like ``"30s"``.

    Returns:
        The step, or (with options only) a decorator that makes it.

    Raises:
        DefinitionError: When the class is complete, if something in it can't be.
        MisuseError: It was called while a step runs.
    """
    decorator = StepDecorator("task()", options, is_method=False)
    if len(target) > 1:
        raise decorator.where.error("task() takes one class, instance or function; options are keywords")
    return decorator(target[0]) if target else decorator


class StepDecorator:
    """What ``step(retry=…)`` and ``task(retry=…)`` give: it makes a step of what it decorates."""

    def __init__(self, making: str, options: dict[str, Any], *, is_method: bool) -> None:
        self._body, self.where = open_body(making)
        self.making = making
        self.used = False
        self._options = options
        self._is_method = is_method
        if self._body:
            self._body.made.append(self)

    def __call__(self, target: Any, /) -> StepDef:
        """Make the step."""
        self.used = True
        return StepDef(
            StepKind.CALL, self.making, dict(self._options), target=target, is_method=self._is_method
        )


@overload
def sleep(duration: Duration, /, **options: Unpack[SleepOptions]) -> StepDef: ...
@overload
def sleep(**options: Unpack[SleepOptions]) -> StepDef: ...
def sleep(duration: Any = None, /, **options: Any) -> StepDef:
    """Make a step that waits for a time and holds nothing meanwhile.

    ``cool_off = sleep("1h")``, or ``sleep(until=lambda ctx: ctx.due_at)``.

    Args:
        duration: Seconds, a ``timedelta``, or text like ``"1h"``.
        **options: ``until`` (in place of ``duration``: a function of ctx that gives an aware ``datetime``),
            ``when``, ``unless``, ``after``, ``name``.

    Raises:
        DefinitionError: When the class is complete, if something in it can't be.
        MisuseError: It was called while a step runs: there it is ``time.sleep``, or ``raise RetryAfter``.
    """
    return StepDef(StepKind.SLEEP, "sleep()", options, duration=duration)


def wait_for_signal(*names: str, **options: Unpack[WaitOptions]) -> StepDef:
    """Make a step that waits for a signal and puts its payload into ctx.

    ``approval = wait_for_signal()``: the payload is at ``ctx.approval`` for the steps that follow.

    Args:
        *names: The signals; the first to come is taken. Without any it is the step's own name.
        **options: ``store_result_as`` (the ctx key, in place of the step's name), ``timeout`` (seconds,
            ``timedelta`` or text), ``on_timeout`` (``"fail"``, or ``"continue"`` without a payload),
            ``when``, ``unless``, ``after``, ``name``.

    Raises:
        DefinitionError: When the class is complete, if something in it can't be.
        MisuseError: It was called while a step runs.
    """
    return StepDef(StepKind.SIGNAL, "wait_for_signal()", dict(options), signals=names)


class parallel:  # noqa: N801 - used like a function: `with parallel():`
    """Group the steps written inside: they run side by side, and the next step waits for all of them.

    Raises:
        DefinitionError: It is used outside a class body, or inside another ``with parallel():``.
        MisuseError: It was called while a step runs.
    """

    def __init__(self) -> None:
        body, where = open_body("parallel()")
        if body is None:
            raise where.error("parallel() groups steps in a class body; write `with parallel():` there")
        if body.group is not None:
            raise where.error("a parallel() inside another; use after= to say which steps wait for which")
        self._body = body

    def __enter__(self) -> None:
        self._body.group = next_number()

    def __exit__(self, *_raised: object) -> None:
        self._body.group = None
