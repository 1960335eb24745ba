"""The stable names of classes: what is stored of an error class in ``Retry(on=)`` and in failures."""

import sys
from functools import lru_cache
from pathlib import Path


def module_name(module: str) -> str:
    """Give a module's name; ``__main__`` gets the one it would have when imported.

    So a workflow started by ``python app.py`` means the same classes as in ``worker app``.
    """
    if module != "__main__":
        return module
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else module


@lru_cache(maxsize=1024)
def qualified_name(cls: type) -> str:
    """Give ``module.qualname`` of a class."""
    return f"{module_name(cls.__module__)}.{cls.__qualname__}"


@lru_cache(maxsize=1024)
def qualified_names(cls: type) -> tuple[str, ...]:
    """Give the qualified names along a class's MRO, most derived first, without ``object``.

    Args:
        cls: Usually an error class.

    Returns:
        What ``RetryPolicy.covers`` compares with the classes named in ``Retry(on=)``.
    """
    return tuple(qualified_name(base) for base in cls.__mro__ if base is not object)
