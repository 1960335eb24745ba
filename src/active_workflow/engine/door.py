"""The module's functions: each asks the engine of this process."""

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from active_workflow.engine.default import configure, engine
from active_workflow.engine.engine import Engine
from active_workflow.engine.notices import subscribe
from active_workflow.engine.notifier import Event
from active_workflow.engine.operations import Operations
from active_workflow.engine.twins import AsyncTwins

__all__ = [
    "Engine",
    "Event",
    "cancel",
    "cancel_async",
    "complete_many",
    "complete_many_async",
    "complete_step",
    "complete_step_async",
    "configure",
    "extend_timeout",
    "extend_timeout_async",
    "fail_step",
    "fail_step_async",
    "find",
    "get",
    "get_async",
    "heartbeat",
    "heartbeat_async",
    "pause",
    "pause_async",
    "prune",
    "prune_async",
    "resolve",
    "resolve_async",
    "resume",
    "resume_async",
    "retry",
    "retry_async",
    "signal",
    "signal_async",
    "signal_many",
    "signal_many_async",
    "start",
    "start_async",
    "start_many",
    "start_many_async",
    "subscribe",
]

P = ParamSpec("P")
R = TypeVar("R")


def _of_engine(method: Callable[Concatenate[Any, P], R]) -> Callable[P, R]:
    """Give a function that calls the method of this process's engine, with the same signature."""

    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        return method(engine(), *args, **kwargs)

    function.__name__ = function.__qualname__ = method.__name__
    function.__doc__ = method.__doc__
    signature = inspect.signature(method)
    rest = list(signature.parameters.values())[1:]  # all but self
    vars(function)["__signature__"] = signature.replace(parameters=rest)
    return function


start = _of_engine(Engine.start)
start_many = _of_engine(Engine.start_many)
get = _of_engine(Operations.get)
find = _of_engine(Operations.find)
pause = _of_engine(Operations.pause)
resume = _of_engine(Operations.resume)
retry = _of_engine(Operations.retry)
resolve = _of_engine(Operations.resolve)
prune = _of_engine(Operations.prune)
complete_step = _of_engine(Operations.complete_step)
complete_many = _of_engine(Operations.complete_many)
fail_step = _of_engine(Operations.fail_step)
extend_timeout = _of_engine(Operations.extend_timeout)
heartbeat = _of_engine(Operations.heartbeat)
signal = _of_engine(Operations.signal)
signal_many = _of_engine(Operations.signal_many)
cancel = _of_engine(Operations.cancel)

start_async = _of_engine(Engine.start_async)
start_many_async = _of_engine(Engine.start_many_async)
get_async = _of_engine(AsyncTwins.get_async)
pause_async = _of_engine(AsyncTwins.pause_async)
resume_async = _of_engine(AsyncTwins.resume_async)
retry_async = _of_engine(AsyncTwins.retry_async)
resolve_async = _of_engine(AsyncTwins.resolve_async)
prune_async = _of_engine(AsyncTwins.prune_async)
complete_step_async = _of_engine(AsyncTwins.complete_step_async)
complete_many_async = _of_engine(AsyncTwins.complete_many_async)
fail_step_async = _of_engine(AsyncTwins.fail_step_async)
extend_timeout_async = _of_engine(AsyncTwins.extend_timeout_async)
heartbeat_async = _of_engine(AsyncTwins.heartbeat_async)
signal_async = _of_engine(AsyncTwins.signal_async)
signal_many_async = _of_engine(AsyncTwins.signal_many_async)
cancel_async = _of_engine(AsyncTwins.cancel_async)
