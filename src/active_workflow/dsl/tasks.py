"""Task classes: steps that can be shared between workflows and given what they need."""

import inspect
from typing import Any, ClassVar, Generic, Unpack

from active_workflow.dsl.callables import TaskMethod, has_call, is_generator
from active_workflow.dsl.ctx_var import CtxT
from active_workflow.dsl.options import STEP, StepOptions, check_names
from active_workflow.dsl.where import here

HOOKS = ("compensate", "verify", "when", "unless", "args")
"""The methods of a task that say what options say elsewhere."""


class Task(Generic[CtxT]):
    """The base of task classes; ``Task[CheckoutCtx]`` tells readers which ctx it is for.

    A subclass writes ``call(self, ctx)``, and where they are needed ``compensate(self, ctx)`` or
    ``compensate(self, ctx, result)``, ``verify(self, ctx)``, ``when(self, ctx)``, ``unless(self, ctx)``,
    ``args(self, ctx)``, each ``def`` or ``async def``. Every option of a step may be a class keyword:
    ``class Fulfil(Task, external=True, timeout="15m")``; subclasses inherit them, and what is said at
    ``task(Fulfil, …)`` comes first.
    """

    task_options: ClassVar[StepOptions] = {}

    def __init_subclass__(cls, **options: Unpack[StepOptions]) -> None:
        super().__init_subclass__()
        where = here(cls.__qualname__)
        check_names(options, STEP, "a Task class", where)
        for name in ("call", *HOOKS):
            method = getattr(cls, name, None)
            if method is not None and not callable(method):
                raise where.of(cls.__qualname__, name).error(
                    f"{name} must be a method; options are class keywords"
                )
            if method is not None and is_generator(method):
                raise where.of(cls.__qualname__, name).error(
                    "a generator function can't be a step; return the answer"
                )
        cls.task_options = {**cls.task_options, **options}


def options_of(task: Any) -> dict[str, Any]:
    """Give the options that a task class (or an instance of one) brings: its keywords and its methods."""
    if not has_call(task):
        return {}
    found: dict[str, Any] = {**getattr(task, "task_options", {})}
    for name in HOOKS:
        if inspect.isroutine(getattr(task, name, None)):
            found[name] = TaskMethod(task, name)
    return found
