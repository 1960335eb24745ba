"""The user's callables: which shape each has, and how it is called with ctx."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from active_workflow.dsl.where import Where, nearest


@dataclass(frozen=True, slots=True)
class Bound:
    """A user's callable that takes ctx (and whatever comes after it).

    Attributes:
        call: ``call(ctx, *more)``; what is awaitable in its answer is for the caller to await.
        is_async: Whether it is an ``async def``.
        target: The user's own function, for its signature.
        given: How many arguments ``target`` gets in ``call(ctx)``: ctx or ``self``, of a task class both.
        is_method: Whether it is a method of the workflow, which finds ctx at ``self.ctx``.
    """

    call: Callable[..., Any]
    is_async: bool
    target: Callable[..., Any]
    given: int = 1
    is_method: bool = False

    def with_args(self, ctx: Any, args: tuple[Any, ...] | None) -> Any:
        """Call it with these arguments in place of ctx, or (None) with ctx."""
        if args is None:
            return self.call(ctx)
        return self.call(ctx, *args) if self.is_method else self.call(*args)


@dataclass(frozen=True, slots=True)
class TaskMethod:
    """A method of a task class or instance, given where an option takes a callable."""

    task: Any
    method: str


def new_instance(workflow: type, ctx: Any) -> Any:
    """Give a fresh instance of a workflow class for one call: all it has is ``self.ctx``."""
    instance: Any = object.__new__(workflow)
    instance.__dict__["ctx"] = ctx
    return instance


def of_method(workflow: type, function: Callable[..., Any]) -> Bound:
    """Bind a function of ``self``: each call gets a fresh instance of the workflow."""

    def call(ctx: Any, *more: Any, **named: Any) -> Any:
        return function(new_instance(workflow, ctx), *more, **named)

    return Bound(call, is_async(function), function, is_method=True)


def of_function(function: Callable[..., Any]) -> Bound:
    """Bind a function of ctx."""
    return Bound(function, is_async(function), function)


def of_task(task: Any, method: str) -> Bound:
    """Bind a method of a task class (a new instance for each call) or of a task instance."""
    if not isinstance(task, type):
        return of_function(getattr(task, method))
    static = isinstance(inspect.getattr_static(task, method), staticmethod | classmethod)
    function = getattr(task, method)

    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(task(), method)(*arguments, **named)

    return Bound(call, is_async(function), function, given=1 if static else 2)


def has_call(target: object) -> bool:
    """Tell whether something is a task: a class or an object with a method ``call``."""
    return not inspect.isfunction(target) and inspect.getattr_static(target, "call", None) is not None


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling it gives a coroutine, as far as can be seen before the call."""
    if inspect.iscoroutinefunction(function):
        return True
    inner = function.func if isinstance(function, partial) else function
    return inspect.iscoroutinefunction(_call_of(inner))


def _call_of(function: Callable[..., Any]) -> Any:
    """Give the ``__call__`` of an object that is no function itself."""
    return inspect.getattr_static(type(function), "__call__", None)


def is_generator(function: Callable[..., Any]) -> bool:
    """Tell whether calling it gives a generator, async or not."""
    inner = function.func if isinstance(function, partial) else function
    own = _call_of(inner)
    return any(
        test(f) for f in (inner, own) for test in (inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    )


def first_parameter(function: Callable[..., Any]) -> str | None:
    """Give the name of a function's first positional parameter; None if it has none or none is known."""
    return next((p.name for p in _parameters(function) if p.kind in _POSITIONAL), None)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some builtins have no signature to look at
        return []


def accepts(function: Callable[..., Any], count: int, *keywords: str) -> bool:
    """Tell whether a function can be called with so many positional arguments (True where unknown)."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(count), **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True


# --- Options that name a callable -------------------------------------------------------------------


def resolve(workflow: type, given: Any, option: str, where: Where, *, method: bool) -> Bound:
    """Bind the callable that an option such as ``when`` or ``compensate`` names.

    Args:
        workflow: The class; a method's name is looked up on it, so an override counts.
        given: A function of ctx, a function of ``self``, a method's name, or a task.
        option: The option's name, for messages.
        where: The step's place.
        method: Whether a function whose first parameter doesn't tell is a method of the workflow.

    Raises:
        DefinitionError: It is no such thing.
    """
    if isinstance(given, TaskMethod):
        return _no_generator(of_task(given.task, given.method), given.method, where)
    if isinstance(given, str):
        given = _method_named(workflow, given, option, where)
        method = True
    if has_call(given):
        return _no_generator(of_task(given, "call"), option, where)
    static = isinstance(given, staticmethod)
    given = given.__func__ if static else given
    if not callable(given):
        raise where.error(
            f"{option}= is {given!r}, which can't be called; give a function of ctx or a method's name"
        )
    if isinstance(given, type):
        raise where.error(
            f"{option}= is the class {given.__name__}, which has no method call(ctx); give a function of ctx"
        )
    first = first_parameter(given)
    takes_self = inspect.isfunction(given) and not static and (first == "self" or (method and first != "ctx"))
    return _no_generator(of_method(workflow, given) if takes_self else of_function(given), option, where)


def _no_generator(bound: Bound, option: str, where: Where) -> Bound:
    if is_generator(bound.target):
        raise where.error(
            f"{option}= is a generator function; write a plain def or async def that returns its answer"
        )
    return bound


def _method_named(workflow: type, name: str, option: str, where: Where) -> Any:
    found = inspect.getattr_static(workflow, name, None)
    if found is None:
        methods = [n for n in dir(workflow) if inspect.isfunction(inspect.getattr_static(workflow, n))]
        raise where.error(
            f'{option}="{name}" names no method of {workflow.__name__}{nearest(name, methods)}; '
            f"write def {name}(self) in the class"
        )
    if not (inspect.isfunction(found) or isinstance(found, staticmethod)):
        raise where.error(f'{option}="{name}" is no plain method; name one that is written def {name}(self)')
    return found


def taking_ctx(bound: Bound, option: str, where: Where) -> Bound:
    """Check that it can be called with ctx alone."""
    if not accepts(bound.target, bound.given):
        name = "self" if bound.is_method else "ctx"
        raise where.error(f"{option}= must take {name} alone; give every other parameter a default")
    return bound


def taking_result(bound: Bound, option: str, where: Where) -> Bound:
    """Give the same callable as one of ctx and the step's result, whether it wants the latter or not."""
    call = bound.call
    if accepts(bound.target, bound.given + 1):
        return bound
    if accepts(bound.target, bound.given):
        return replace(bound, call=lambda ctx, _result: call(ctx))
    if accepts(bound.target, bound.given, "result"):
        return replace(bound, call=lambda ctx, result: call(ctx, result=result))
    name = "self" if bound.is_method else "ctx"
    raise where.error(
        f"{option}= must take ({name}) or ({name}, result); give every other parameter a default"
    )
