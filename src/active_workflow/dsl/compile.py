"""A workflow class becomes a ``Program``; every mistake in it is told here."""

from collections.abc import Mapping, Sequence
from typing import Any

from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.plan_data import sealed
from active_workflow.dsl import graph, options
from active_workflow.dsl.callables import accepts, is_async, is_generator
from active_workflow.dsl.collect import Place, places
from active_workflow.dsl.ctx_types import CtxType, ctx_type
from active_workflow.dsl.current import RESERVED
from active_workflow.dsl.program import Program, StepCode
from active_workflow.dsl.step_code import code_of
from active_workflow.dsl.step_rules import check_step, check_transactional
from active_workflow.dsl.tasks import options_of
from active_workflow.dsl.where import Where, listed, nearest


def read_settings(chain: Sequence[Mapping[str, Any]], where: Where) -> dict[str, Any]:
    """Check a class's keywords, and give them merged with those it inherits.

    Args:
        chain: The keywords that the class and each of its bases were given, the class's own last. ``name``
            and ``version`` are not inherited, ``defaults`` are merged.
        where: The class's place.

    Raises:
        DefinitionError: A keyword is unknown or its value is not possible.
    """
    own = chain[-1]
    options.check_names(own, options.WORKFLOW, "a workflow class", where)
    merged: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    for given in chain:
        merged.update(given)
        defaults.update(_defaults(given.get("defaults"), where))
    for key in ("name", "version"):
        merged[key] = own.get(key)
    values = options.read(merged, where)
    _check_version(values["version"], where)
    _check_key_function(values.get("idempotency_key"), where)
    options.read(defaults, where)
    return {**values, "defaults": defaults}


def _defaults(given: Any, where: Where) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise where.error(
            f'defaults={given!r} is no mapping of options; write defaults={{"retry": Retry(max=5)}}'
        )
    options.check_names(given, options.DEFAULTS, "defaults=", where)
    return dict(given)


def _check_version(version: object, where: Where) -> None:
    if version is None:
        return
    if isinstance(version, bool) or not isinstance(version, int | str) or version == "":
        raise where.error(f"version={version!r} is no label; write a number or text: version=2")


def _check_key_function(function: Any, where: Where) -> None:
    if function is None:
        return
    if not callable(function):
        raise where.error(
            f"idempotency_key={function!r} can't be called; write a function of ctx that gives text: "
            'lambda ctx: f"order:{ctx.order_id}"'
        )
    if is_async(function) or is_generator(function):
        raise where.error(
            "idempotency_key= is asked before anything runs; write a plain def or lambda that gives text"
        )
    if not accepts(function, 1):
        raise where.error("idempotency_key= must take ctx alone; give every other parameter a default")


def compile_workflow(cls: type, settings: Mapping[str, Any], ctx: Any, where: Where) -> Program | None:
    """Make the program of a class; None for a class without steps, which is a base.

    Args:
        cls: The class.
        settings: Its keywords, as ``read_settings`` gives them.
        ctx: Its ctx type, or None.
        where: The class's place.

    Raises:
        DefinitionError: Something in it can't be.
    """
    known = _ctx_type(ctx, where)
    found = places(cls, where)
    if not found:
        return None
    queue = settings.get("queue") or "default"
    after = graph.predecessors(found)
    compiled = [_step(cls, place, after[place.name], settings["defaults"], queue) for place in found]
    plan = Plan(
        workflow=settings.get("name") or cls.__name__,
        steps=tuple(step for step, _ in compiled),
        version=1 if settings["version"] is None else settings["version"],
        timeout=settings.get("timeout"),
    )
    graph.check(plan, found)
    _check_results(plan, found, known)
    for place, (_, code) in zip(found, compiled, strict=True):
        check_transactional(place, code, known)
    return Program(
        plan=sealed(plan),
        workflow=cls,
        steps={step.name: code for step, code in compiled},
        ctx_type=known,
        idempotency_key=settings.get("idempotency_key"),
        key_reuse=settings.get("key_reuse") or "never",
        queue=queue,
    )


def _ctx_type(ctx: Any, where: Where) -> CtxType | None:
    if ctx is None:
        return None
    known = ctx_type(ctx)
    if known is None:
        raise where.error(
            f"{ctx!r} can't be a ctx type; give a dataclass, TypedDict, msgspec Struct or pydantic model"
        )
    reserved = sorted(RESERVED.intersection(known.defaults))
    if reserved:
        raise where.error(
            f"the ctx type {ctx.__name__} has the engine's own names as fields; rename {listed(reserved)}"
        )
    return known


_RESULTS = frozenset({StepKind.CALL, StepKind.DETACHED})
"""Kinds whose own return value goes to ``store_result_as``; payloads may have any key."""


def _check_results(plan: Plan, found: Sequence[Place], known: CtxType | None) -> None:
    """Refuse a result without a field in the ctx type: it would fail its step after the effect."""
    if known is None or known.takes_more:
        return
    for step, place in zip(plan.steps, found, strict=True):
        key = step.store_as
        if key is not None and key not in known.defaults and step.kind in _RESULTS:
            near = nearest(key, known.defaults)
            raise place.where.error(
                f"store_result_as={key!r} is no field of {known.type.__name__}{near}; add one with a default"
            )


def _step(
    cls: type, place: Place, after: tuple[str, ...], defaults: Mapping[str, Any], queue: str
) -> tuple[StepPlan, StepCode]:
    own = {**options_of(place.step.target), **place.step.options}
    given = {**defaults, **own} if place.step.kind is StepKind.CALL else own
    check_step(place, own, given)
    code = code_of(cls, place, given)
    values = options.read(given, place.where)
    return _plan(place, after, values, code, queue), code


def _plan(
    place: Place, after: tuple[str, ...], values: Mapping[str, Any], code: StepCode, queue: str
) -> StepPlan:
    undo = options.read(place.step.undo_options, place.where)
    return StepPlan(
        name=place.name,
        kind=kind_of(place, values),
        after=after,
        retry=values.get("retry") or (),
        undo_retry=values.get("undo_retry"),
        timeout=values.get("timeout"),
        heartbeat_timeout=values.get("heartbeat_timeout"),
        abandon_after=values.get("abandon_after"),
        on_timeout=values.get("on_timeout") or "fail",
        compensates=code.compensate is not None,
        undo_external=undo.get("external", False),
        undo_timeout=undo.get("timeout"),
        compensate_on=values.get("compensate_on") or "completed",
        verifies=code.verify is not None,
        at_most_once=values.get("at_most_once") or False,
        transactional=bool(values.get("transactional")),
        pivot=values.get("pivot") or False,
        decides=not place.step.kind.calls and bool(code.when or code.unless or code.until),
        signals=_signals(place),
        duration=_duration(place),
        store_as=values.get("store_result_as"),
        queue=values.get("queue") or queue,
        no_undo=values.get("no_undo"),
    )


def kind_of(place: Place, values: Mapping[str, Any]) -> StepKind:
    """Give the kind of a step, which for called steps its options say."""
    if place.step.kind is not StepKind.CALL:
        return place.step.kind
    if values.get("fire_and_forget"):
        return StepKind.DETACHED
    return StepKind.EXTERNAL if values.get("external") else StepKind.CALL


def _signals(place: Place) -> tuple[str, ...]:
    if place.step.kind is not StepKind.SIGNAL:
        return ()
    given: tuple[object, ...] = place.step.signals
    for name in given:
        if not isinstance(name, str) or not name:
            raise place.where.error(f"wait_for_signal({name!r}) names no signal; write its name in quotes")
    return place.step.signals or (place.name,)


def _duration(place: Place) -> int | None:
    if place.step.duration is None:
        return None
    return int(options.read({"sleep": place.step.duration}, place.where)["sleep"])
