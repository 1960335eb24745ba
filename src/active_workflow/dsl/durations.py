"""Durations and instants as users write them, turned into integer microseconds."""

import math
import re
from datetime import UTC, datetime, timedelta

from active_workflow.core.retry import SECOND
from active_workflow.errors import ConfigurationError

Duration = int | float | timedelta | str
"""Seconds, a ``timedelta``, or text: ``"500ms" "30s" "15m" "2h" "7d"``."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_UNITS = {"ms": SECOND // 1000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*", re.ASCII)
_LONGEST = 1000 * 366 * _UNITS["d"]  # a thousand years: more is a mistake, and 64 bits hold it


def parse_duration(value: object, where: str) -> int:
    """Turn a duration into microseconds.

    Args:
        value: Seconds, a ``timedelta``, or text such as ``"30s"``.
        where: What is being read, for the message: ``"timeout"``.

    Returns:
        Microseconds, not negative.

    Raises:
        ConfigurationError: It is no duration, negative, not a number, or longer than a thousand years.
    """
    micros = _micros(value)
    if micros is None:
        raise ConfigurationError(
            f"{where}: {value!r} is no duration; write seconds (90), a timedelta, "
            'or text with a unit: "500ms", "30s", "15m", "2h", "7d"'
        )
    if micros < 0:
        raise ConfigurationError(f"{where}: {value!r} is negative; a duration is zero or more")
    if micros > _LONGEST:
        raise ConfigurationError(
            f"{where}: {value!r} is longer than a thousand years; leave it out or shorten it"
        )
    return int(micros)


def _micros(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, timedelta):
        return value // MICROSECOND
    if isinstance(value, int):
        return value * SECOND
    if isinstance(value, float):
        return None if math.isnan(value) else _rounded(value * SECOND)
    if isinstance(value, str) and (match := _TEXT.fullmatch(value)):
        return _rounded(float(match[1]) * _UNITS[match[2]])
    return None


def _rounded(micros: float) -> float:
    return micros if math.isinf(micros) else round(micros)


def parse_instant(value: object, where: str) -> int:
    """Turn an aware ``datetime`` into microseconds since the epoch.

    Raises:
        ConfigurationError: It is no datetime, or one without a time zone.
    """
    if not isinstance(value, datetime):
        raise ConfigurationError(f"{where}: {value!r} is no datetime; write datetime.now(UTC) + timedelta(…)")
    if value.tzinfo is None:
        raise ConfigurationError(f"{where}: {value!r} has no time zone; write datetime(…, tzinfo=UTC)")
    return (value - EPOCH) // MICROSECOND


def as_datetime(micros: int) -> datetime:
    """Give an instant in microseconds as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=micros)
