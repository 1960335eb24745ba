"""Durable sagas in your own database: steps recorded as they finish, and undone in reverse when one fails.

::

    import active_workflow as aw

    class Greet(aw.Workflow):
        @aw.step
        def hello(self):
            print("hello", self.ctx.who)

    Greet.start(who="Ada").wait()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from active_workflow.core.states import State, StepState
from active_workflow.dsl import (
    NOT_LANDED,
    UNKNOWN,
    CtxInfo,
    Execution,
    Landed,
    Retry,
    Task,
    Workflow,
    current,
    parallel,
    set_client_factory,
    sleep,
    step,
    task,
    wait_for_signal,
)
from active_workflow.errors import (
    ActiveWorkflowError,
    CompletionConflict,
    ConfigurationError,
    ContextConflict,
    ContextError,
    CorrelationMismatch,
    CorruptRow,
    DataRejected,
    DefinitionError,
    ExecutionFailed,
    ExecutionMoved,
    ExecutionNotFound,
    IdempotencyConflict,
    IllegalMove,
    Interrupted,
    MissingKey,
    MisuseError,
    NonRetryable,
    NotCommitted,
    ReadOnlyError,
    RetryAfter,
    SchemaError,
    SerializationError,
    StepTransactionError,
    StoreError,
    StoreUnavailable,
    UnknownCommit,
    UnknownSignal,
    UnknownStep,
    UnknownWorkflow,
    WaitTimeout,
)

if TYPE_CHECKING:
    from active_workflow.dispatch.inline import InlineDispatcher
    from active_workflow.engine.door import (
        Engine,
        Event,
        cancel,
        cancel_async,
        complete_many,
        complete_many_async,
        complete_step,
        complete_step_async,
        configure,
        extend_timeout,
        extend_timeout_async,
        fail_step,
        fail_step_async,
        find,
        get,
        get_async,
        heartbeat,
        heartbeat_async,
        pause,
        pause_async,
        prune,
        prune_async,
        resolve,
        resolve_async,
        resume,
        resume_async,
        retry,
        retry_async,
        signal,
        signal_async,
        signal_many,
        signal_many_async,
        start,
        start_async,
        start_many,
        start_many_async,
        subscribe,
    )
    from active_workflow.store import JsonSerializer, MemoryStore, Serializer, SqliteStore, Store

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 - grouped by what one does with them
    # Write a workflow
    "Workflow",
    "Task",
    "step",
    "task",
    "parallel",
    "sleep",
    "wait_for_signal",
    "Retry",
    "CtxInfo",
    "Landed",
    "NOT_LANDED",
    "UNKNOWN",
    "NonRetryable",
    "RetryAfter",
    "current",
    # Run it
    "configure",
    "Engine",
    "InlineDispatcher",
    "Execution",
    "State",
    "StepState",
    "start",
    "start_async",
    "start_many",
    "start_many_async",
    "get",
    "get_async",
    "find",
    # From outside
    "complete_step",
    "complete_step_async",
    "complete_many",
    "complete_many_async",
    "fail_step",
    "fail_step_async",
    "extend_timeout",
    "extend_timeout_async",
    "heartbeat",
    "heartbeat_async",
    "signal",
    "signal_async",
    "signal_many",
    "signal_many_async",
    "cancel",
    "cancel_async",
    # Operate and observe
    "pause",
    "pause_async",
    "resume",
    "resume_async",
    "retry",
    "retry_async",
    "resolve",
    "resolve_async",
    "prune",
    "prune_async",
    "subscribe",
    "Event",
    # Where it is kept
    "Store",
    "SqliteStore",
    "MemoryStore",
    "Serializer",
    "JsonSerializer",
    # What can go wrong
    "ActiveWorkflowError",
    "DefinitionError",
    "ConfigurationError",
    "ContextError",
    "SerializationError",
    "MissingKey",
    "MisuseError",
    "ReadOnlyError",
    "ExecutionNotFound",
    "NotCommitted",
    "UnknownWorkflow",
    "UnknownStep",
    "UnknownSignal",
    "IdempotencyConflict",
    "CompletionConflict",
    "CorrelationMismatch",
    "ContextConflict",
    "ExecutionMoved",
    "IllegalMove",
    "Interrupted",
    "ExecutionFailed",
    "WaitTimeout",
    "StepTransactionError",
    "StoreError",
    "StoreUnavailable",
    "UnknownCommit",
    "DataRejected",
    "SchemaError",
    "CorruptRow",
]

_LATER = ("active_workflow.engine.door", "active_workflow.store", "active_workflow.dispatch.inline")
"""Where the names are that defining workflows does not need: loaded when one of them is first used."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        for home in map(import_module, _LATER):
            if hasattr(home, name):
                return globals().setdefault(name, getattr(home, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def _engine_of_this_process() -> Any:
    return import_module("active_workflow.engine.default").engine()


set_client_factory(_engine_of_this_process)
