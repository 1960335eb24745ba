"""What a caller gives to ``start``, checked and sorted into ctx and options."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict

from active_workflow.core.plan import StepKind
from active_workflow.dsl.client import StartOptions
from active_workflow.dsl.context import Ctx, OpenCtx, storable_key
from active_workflow.dsl.ctx_structure import plain
from active_workflow.dsl.ctx_types import CtxType, is_default
from active_workflow.dsl.current import running
from active_workflow.dsl.durations import parse_instant
from active_workflow.dsl.options import KeyReuse
from active_workflow.dsl.program import Program
from active_workflow.dsl.where import listed, nearest
from active_workflow.errors import ContextError


class ManyKeywords(TypedDict, total=False):
    """The options of ``start_many``."""

    key_reuse: KeyReuse
    connection: Any
    run_at: datetime | None
    tags: Mapping[str, str]
    on_conflict: Literal["raise", "skip"]


class StartKeywords(TypedDict, total=False):
    """The options of ``start`` in its positional form."""

    idempotency_key: str | None
    key_reuse: KeyReuse
    connection: Any
    run_at: datetime | None
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StartInput:
    """A start's ctx and identity.

    Attributes:
        values: ctx at the start, model defaults included, ready for the serializer.
        compared: The caller's own input, without defaults: its encoding is compared when a key is used again.
        key: The idempotency key, or None.
        parent_id: The execution whose step starts it, or None.
    """

    values: Mapping[str, Any]
    compared: Mapping[str, Any]
    key: str | None
    parent_id: str | None


def split(given: tuple[object, ...], keywords: Mapping[str, Any]) -> tuple[object, StartOptions]:
    """Sort the arguments of ``start``: one positional ctx and options, or keywords that are ctx.

    Raises:
        ContextError: An option in the keyword form, an unknown one in the other, or two positional arguments.
    """
    if len(given) > 1:
        raise ContextError(f"start takes one ctx, not {len(given)}; start_many takes a list of them")
    if given:
        return given[0], start_options(keywords, StartKeywords)
    clash = [name for name in keywords if name in StartKeywords.__annotations__]
    if clash:
        raise ContextError(
            f"{listed(clash)} is an option of start, not a key of ctx; give ctx as one argument, options as "
            f"keywords: start({{…}}, {clash[0]}=…)"
        )
    return dict(keywords), StartOptions()


def start_options(keywords: Mapping[str, Any], known: type = StartKeywords) -> StartOptions:
    """Read the options of ``start`` or (``known=ManyKeywords``) of ``start_many``.

    Raises:
        ContextError: One is unknown.
        ConfigurationError: ``run_at`` is no aware datetime.
    """
    for name in keywords:
        if name not in known.__annotations__:
            near = nearest(name, known.__annotations__)
            raise ContextError(
                f"start has no option {name!r}{near}; it has {listed(known.__annotations__)}. "
                "A key of ctx belongs into the mapping"
            )
    options = {name: value for name, value in keywords.items() if value is not None}
    for name, choices in _CHOICES.items():
        if options.get(name, choices[0]) not in choices:
            raise ContextError(f"{name}: {options[name]!r} is none of {listed(map(repr, choices))}")
    if options.get("run_at") is not None:
        options["run_at"] = parse_instant(options["run_at"], "run_at")
    options["tags"] = _checked_tags(options.get("tags") or {})
    return StartOptions(**options)


def _checked_tags(tags: object) -> dict[str, str]:
    if not isinstance(tags, Mapping):
        raise ContextError(f"tags: {tags!r} is no mapping; write tags={{'shop': 'eu'}}")
    for name, value in tags.items():
        if not isinstance(name, str) or not isinstance(value, str | int):
            raise ContextError(f"tags: {name!r}: {value!r} is no label; names and values are text")
    return {name: str(value) for name, value in tags.items()}


_CHOICES = {"key_reuse": ("never", "failed", "terminal"), "on_conflict": ("raise", "skip")}


def prepare_start(program: Program, given: object, options: StartOptions) -> StartInput:
    """Check the input of one start, and find its key. Call it where ``start`` was: it asks what runs there.

    Args:
        program: What is to be started.
        given: ctx as the caller gave it: a mapping, or an instance of the ctx type.
        options: Its options.

    Raises:
        ContextError: The input or the key can't be.
    """
    values, compared = validate_input(program, given)
    now = running()
    key = options.idempotency_key
    if key is None:
        key = _own_key(program, values)
    if key is None and now is not None:
        key = now.child_key(program.name)
    return StartInput(values, compared, _checked_key(key), now.info.execution_id if now else None)


def validate_input(program: Program, given: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give ctx at the start, with model defaults, and the caller's own part of it.

    Raises:
        ContextError: A key is reserved, unknown, or the name of a wait or external step, or a value is wrong.
        SerializationError: A key is no text.
    """
    known = program.ctx_type
    values, compared = _untyped(given) if known is None else _typed(known, given)
    for step in program.plan.steps:
        if step.kind in {StepKind.EXTERNAL, StepKind.SIGNAL} and step.name in compared:
            raise ContextError(
                f"ctx.{step.name}: {program.name} has a step of that name, whose payload comes to be there; "
                "give the key or the step another name"
            )
    return values, compared


def _untyped(given: object) -> tuple[dict[str, Any], dict[str, Any]]:
    mapping = given if isinstance(given, Mapping) else plain(given)
    if not isinstance(mapping, Mapping):
        raise ContextError(f"ctx is {given!r}; give a mapping, or keywords: start(order_id=42)")
    values = {storable_key(key): value for key, value in mapping.items()}
    return values, values


def _typed(known: CtxType, given: object) -> tuple[dict[str, Any], dict[str, Any]]:
    if isinstance(given, Mapping):
        mapping = {storable_key(key): value for key, value in given.items()}
        names = frozenset(mapping)
        values = known.plain(known.load(mapping))
    elif isinstance(given, known.type):
        names = known.given_by(given)
        values = known.plain(given)
        known.load(values)  # classes that check nothing when they are made are checked here
    else:
        raise ContextError(f"ctx is {given!r}; give a {known.type.__name__}, a mapping, or keywords")
    own = {name: value for name, value in values.items() if name in names}
    return values, {name: value for name, value in own.items() if not is_default(known, name, value)}


def _own_key(program: Program, values: Mapping[str, Any]) -> str | None:
    function = program.idempotency_key
    if function is None:
        return None
    known = program.ctx_type
    return function(_reading(values) if known is None else known.load(values))


def _reading(values: Mapping[str, Any]) -> Ctx:
    opened = OpenCtx({}, None, _Unused())
    opened.merge(values)
    return opened.view


class _Unused:
    """Stands where no value is encoded or decoded."""

    def dump(self, value: Any, /) -> str:
        raise NotImplementedError

    def load(self, text: str, /) -> Any:
        raise NotImplementedError


def _checked_key(key: object) -> str | None:
    if key is None or (isinstance(key, str) and key):
        return key
    raise ContextError(
        f"the idempotency key is {key!r}; it must be text that isn't empty, or None for no key"
    )
