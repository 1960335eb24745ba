"""Options of a store's URL."""

from collections.abc import Callable, Mapping
from typing import Any

from active_workflow.errors import ConfigurationError


def read_option(
    name: str, text: str, kinds: Mapping[str, Callable[[str], Any]], lowest: Mapping[str, float]
) -> Any:
    """Give an option's value.

    Args:
        name: The option.
        text: What is written there.
        kinds: What makes a value of each option's text.
        lowest: How small some may be.

    Raises:
        ConfigurationError: It can't be used.
    """
    try:
        value = kinds[name](text)
    except ValueError:
        raise ConfigurationError(f"the option {name}={text} of the store's URL is no number") from None
    if name in lowest and value is not None and not value >= lowest[name]:
        raise ConfigurationError(
            f"the option {name}={text} of the store's URL is too small: {lowest[name]} or more"
        )
    return value
