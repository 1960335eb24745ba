"""The callables of one step, found, checked, and brought into the shapes that the engine calls."""

import inspect
from collections.abc import Mapping
from typing import Any

from active_workflow.core.plan import StepKind
from active_workflow.dsl.callables import (
    Bound,
    accepts,
    first_parameter,
    has_call,
    is_generator,
    of_function,
    of_method,
    of_task,
    resolve,
    taking_ctx,
    taking_result,
)
from active_workflow.dsl.collect import Place
from active_workflow.dsl.program import StepCode
from active_workflow.dsl.where import Where


def code_of(workflow: type, place: Place, given: Mapping[str, Any]) -> StepCode:
    """Give the callables of a step.

    Args:
        workflow: The class; methods are looked up on it.
        place: The step.
        given: Its options, defaults and the task's own included.

    Raises:
        DefinitionError: One of them can't be called, or not in the way it will be.
    """
    call = _call(workflow, place, given) if place.step.kind is StepKind.CALL else None

    def hook(option: str) -> Bound | None:
        value = given.get(option)
        if value is None:
            return None
        bound = resolve(workflow, value, option, place.where, method=place.step.is_method)
        return (taking_result if option == "compensate" else taking_ctx)(bound, option, place.where)

    hooks = {option: hook(option) for option in ("when", "unless", "args", "until", "compensate", "verify")}
    calls: dict[str, Any] = {option: bound.call for option, bound in hooks.items() if bound}
    return StepCode(
        call=call.with_args if call else None,
        call_is_async=call is not None and call.is_async,
        compensate_is_async=_is_async(hooks["compensate"]),
        verify_is_async=_is_async(hooks["verify"]),
        transactional=_HANDED[given.get("transactional") or False],
        **calls,
    )


_HANDED = {False: "", True: "connection", "session": "session"}


def _is_async(bound: Bound | None) -> bool:
    return bound is not None and bound.is_async


def _call(workflow: type, place: Place, given: Mapping[str, Any]) -> Bound:
    step, where = place.step, place.where
    target = step.target.__func__ if isinstance(step.target, staticmethod) else step.target
    if target is None:
        raise where.error(
            "task(None) has nothing to run; give it a Task class, an instance or a function of ctx"
        )
    if step.is_method:
        bound = _method(workflow, step.target, where)
    elif has_call(target):
        bound = _task(target, where)
    else:
        bound = _function(target, where)
    if is_generator(bound.target):
        raise where.error(
            "a generator function can't be a step: it would run nothing; return the result instead"
        )
    if given.get("args") is None and not accepts(bound.target, bound.given):
        what = "self" if bound.is_method else "ctx"
        raise where.error(
            f"the step must take {what} alone; give every other parameter a default, or say args="
        )
    return bound


def _method(workflow: type, target: Any, where: Where) -> Bound:
    wrong = isinstance(target, staticmethod | classmethod | type) or has_call(target)
    if wrong or not callable(target):
        raise where.error(
            "@step takes a method of self; write @task for a function of ctx, or task(X) for a Task"
        )
    if first_parameter(target) == "ctx":
        raise where.error("@step takes a method of self, and this is a function of ctx; write @task above it")
    return of_method(workflow, target)


def _task(target: Any, where: Where) -> Bound:
    if not callable(target.call):
        raise where.error(f"{target!r}.call is no method; write def call(self, ctx)")
    if isinstance(target, type) and not accepts(target, 0):
        raise where.error(
            f"{target.__name__}() needs arguments; give an instance: task({target.__name__}(…))"
        )
    return of_task(target, "call")


def _function(target: Any, where: Where) -> Bound:
    if isinstance(target, type):
        raise where.error(
            f"the class {target.__name__} has no method call(self, ctx); derive it from Task and write one"
        )
    if not callable(target):
        raise where.error(
            f"{target!r} can't be called; give task() a Task class, an instance or a function of ctx"
        )
    if inspect.isfunction(target) and first_parameter(target) == "self":
        raise where.error("@task takes a function of ctx, and this is a method of self; write @step above it")
    return of_function(target)
