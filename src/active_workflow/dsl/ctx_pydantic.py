"""ctx types and nested values that are pydantic models. The library is met only if the user has it."""

import sys
from collections.abc import Mapping
from typing import Any

from active_workflow.errors import ContextError


def is_model(cls: object) -> bool:
    """Tell whether a class is a pydantic model: then the user has imported pydantic."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(cls, type) and issubclass(cls, pydantic.BaseModel)


def field_defaults(cls: Any) -> dict[str, Any]:
    """Give the fields, each with a function that gives its default, or None where it has none."""
    return {
        name: None
        if field.is_required()
        else lambda field=field: field.get_default(call_default_factory=True)
        for name, field in cls.model_fields.items()
    }


def aliases(cls: Any) -> dict[str, str]:
    """Give the field that each alias stands for."""
    return {
        alias: name
        for name, field in cls.model_fields.items()
        for alias in (field.alias, field.validation_alias)
        if isinstance(alias, str)
    }


def takes_more(cls: Any) -> bool:
    """Tell whether the model takes keys that it has no field for."""
    return bool(cls.model_config.get("extra") == "allow")


def load(cls: Any, plain: Mapping[str, Any], path: str) -> Any:
    """Make an instance, nested ones included.

    Raises:
        ContextError: The values don't fit the model.
    """
    try:
        return cls.model_validate(dict(plain))
    except sys.modules["pydantic"].ValidationError as error:
        problems = "; ".join(f"{_path(path, item['loc'])}: {item['msg']}" for item in error.errors())
        raise ContextError(f"{path} doesn't fit {cls.__name__}: {problems}") from None


def _path(path: str, location: tuple[int | str, ...]) -> str:
    return path + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def plain(instance: Any) -> dict[str, Any]:
    """Give the fields with nested instances as mappings."""
    return dict(instance.model_dump(warnings=False))  # what doesn't fit, validation tells


def fields_set(instance: Any) -> frozenset[str]:
    """Give the fields that the caller gave, not those left to their default."""
    return frozenset(instance.model_fields_set)
