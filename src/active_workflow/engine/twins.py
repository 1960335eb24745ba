"""The awaitable twins of an engine's calls: each goes through a thread, so that nothing is written twice."""

import asyncio
import inspect
from abc import ABC
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from active_workflow.engine.operations import Operations

P = ParamSpec("P")
R = TypeVar("R")


def twin(call: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]:
    """Give the awaitable twin of a method, with the same signature."""

    async def awaited(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.to_thread(call, self, *args, **kwargs)

    vars(awaited)["__signature__"] = inspect.signature(call)
    awaited.__name__ = f"{call.__name__}_async"
    awaited.__doc__ = f"Do what ``{call.__name__}`` does, awaited."
    return awaited


class AsyncTwins(Operations, ABC):
    """Operations that can be awaited."""

    get_async = twin(Operations.get)
    complete_step_async = twin(Operations.complete_step)
    complete_many_async = twin(Operations.complete_many)
    fail_step_async = twin(Operations.fail_step)
    extend_timeout_async = twin(Operations.extend_timeout)
    heartbeat_async = twin(Operations.heartbeat)
    signal_async = twin(Operations.signal)
    signal_many_async = twin(Operations.signal_many)
    cancel_async = twin(Operations.cancel)
    pause_async = twin(Operations.pause)
    resume_async = twin(Operations.resume)
    retry_async = twin(Operations.retry)
    resolve_async = twin(Operations.resolve)
    prune_async = twin(Operations.prune)
    explain_async = twin(Operations.explain)
    plan_cancel_async = twin(Operations.plan_cancel)
