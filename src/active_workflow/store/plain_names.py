"""Names that may be written into SQL."""

import re

from active_workflow.errors import ConfigurationError

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_name(what: str, name: str, longest: int) -> None:
    """Raise ConfigurationError unless it is a plain name of bearable length."""
    if not _PLAIN.fullmatch(name):
        raise ConfigurationError(
            f"the {what} {name!r} can't be used: letters, digits and underscores, no digit first"
        )
    if len(name) > longest:
        raise ConfigurationError(f"the {what} {name!r} is too long: at most {longest} letters")
