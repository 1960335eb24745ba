"""Which ctx type a workflow class names: by ``Workflow[Ctx]``, by ``ctx=``, or by inheritance."""

from collections.abc import Mapping
from typing import Any, ForwardRef, TypeVar, get_args, get_origin

from active_workflow.dsl.where import Where


def ctx_of(cls: type, root: type, settings: Mapping[str, Any], where: Where) -> Any:
    """Give a class's ctx type, or None for a ctx without a type.

    Args:
        cls: The class.
        root: ``Workflow`` itself.
        settings: The class's keywords, merged with its bases'.
        where: The class's place.

    Raises:
        DefinitionError: The type is given as text, or in two ways that contradict each other.
    """
    said, argument = settings.get("ctx"), argument_of(cls, root)
    if isinstance(said, str) or isinstance(argument, str | ForwardRef):
        raise where.error(
            "the ctx type is given as text; define the class before the workflow and give it itself"
        )
    if argument is None or argument is Any or isinstance(argument, TypeVar) or _is_mapping(argument):
        return said
    if said is not None and said is not argument:
        raise where.error(
            f"Workflow[{argument.__name__}] and ctx={said!r} contradict each other; drop one of them"
        )
    return argument


def _is_mapping(argument: Any) -> bool:
    origin = get_origin(argument) or argument
    return origin is dict or origin is Mapping


def argument_of(cls: type, root: type) -> Any:
    """Give what stands in the brackets of ``Workflow[…]`` among a class's bases; None if nothing does."""
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        origin = get_origin(base) or base
        if origin is root:
            found: Any = next(iter(get_args(base)), None)
        elif isinstance(origin, type) and issubclass(origin, root):
            found = argument_of(origin, root)
            arguments: dict[Any, Any] = dict(
                zip(getattr(origin, "__parameters__", ()), get_args(base), strict=False)
            )
            found = arguments.get(found, found) if isinstance(found, TypeVar) else found
        else:
            continue
        if found is not None:
            return found
    return None
