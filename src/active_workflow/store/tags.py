"""Values that JSON has no word for, written as ``{"$aw": kind, "v": …}`` and read back as they were.

A dict of the user's that has the key ``$aw`` itself is written as a tagged list of its items.
"""

import base64
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from active_workflow.errors import SerializationError

TAG = "$aw"


def tagged(kind: str, value: object, zone: str | None = None) -> dict[str, object]:
    """Give the JSON form of a value of this kind."""
    data: dict[str, object] = {TAG: kind, "v": value}
    if zone is not None:
        data["z"] = zone
    return data


# --- Writing ----------------------------------------------------------------------------------------


def write_scalar(value: object) -> dict[str, object] | None:
    """Give the tagged form of a value that contains no others; None for any other value."""
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return write(value)
    return None


def _write_datetime(value: datetime) -> dict[str, object]:
    return tagged("datetime", value.isoformat(), _zone(value))


def _write_time(value: time) -> dict[str, object]:
    return tagged("time", value.isoformat(), _zone(value))


def _zone(value: datetime | time) -> str | None:
    """Give the zone's name: an offset alone would forget when the clocks change."""
    return value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else None


def _write_timedelta(value: timedelta) -> dict[str, object]:
    return tagged("timedelta", value // timedelta(microseconds=1))


def _write_decimal(value: Decimal) -> dict[str, object]:
    if not value.is_finite():
        raise ValueError("not finite")
    return tagged("decimal", str(value))


_WRITERS: dict[type, Callable[[Any], dict[str, object]]] = {
    datetime: _write_datetime,  # before date: each datetime is one
    date: lambda value: tagged("date", value.isoformat()),
    time: _write_time,
    timedelta: _write_timedelta,
    Decimal: _write_decimal,
    UUID: lambda value: tagged("uuid", str(value)),
    bytes: lambda value: tagged("bytes", base64.b64encode(value).decode("ascii")),
}


def enum_name(kind: type[Enum]) -> str:
    """Give the name under which an Enum class is written down."""
    module = _main_name() if kind.__module__ == "__main__" else kind.__module__
    return f"{module}:{kind.__qualname__}"


def _main_name() -> str:
    """Give the name by which other processes import the program that runs here: a worker does."""
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        return main.__spec__.name
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else "__main__"


# --- Reading ----------------------------------------------------------------------------------------


def read_tagged(data: dict[str, Any]) -> Any:
    """Give the value of a tagged JSON object; any other object comes back as it is."""
    kind = data.get(TAG)
    if kind is None:
        return data
    try:
        return _READERS[kind](data)
    except SerializationError:
        raise
    except Exception as error:
        raise SerializationError(f"a stored value can't be read back: {data!r} ({error!r})") from error


def _read_datetime(data: dict[str, Any]) -> datetime:
    value = datetime.fromisoformat(data["v"])
    zone = _find_zone(data)
    if zone is None:
        return value
    for fold in (0, 1):  # the wall clock as it was, even one that the zone leaves out; the offset tells which
        found = value.replace(tzinfo=zone, fold=fold)
        if found.utcoffset() == value.utcoffset():
            return found
    return value.astimezone(zone)  # the zone's rules have changed since: the instant counts


def _read_time(data: dict[str, Any]) -> time:
    value = time.fromisoformat(data["v"])
    zone = _find_zone(data)
    return value if zone is None else value.replace(tzinfo=zone)


def _find_zone(data: dict[str, Any]) -> ZoneInfo | None:
    """Give the named zone; a machine without it still has the offset, and with it the instant."""
    if "z" not in data:
        return None
    try:
        return ZoneInfo(data["z"])
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _read_enum(data: dict[str, Any]) -> Enum:
    """Give the member of an Enum class that this process has imported: stored names import nothing."""
    module, _, path = data["t"].partition(":")
    found: Any = sys.modules.get("__main__" if module == _main_name() else module)
    for name in path.split("."):
        found = getattr(found, name, None)
    if not (isinstance(found, type) and issubclass(found, Enum)):
        raise SerializationError(
            f"a stored value is a member of the Enum {path} of the module {module}, which this process has "
            f"not imported (or which is no Enum any more): import that module where workflows are defined"
        )
    value = data["v"]
    try:
        return found(value)
    except ValueError:
        raise SerializationError(
            f"a stored value is {path}({value!r}), and that Enum no longer has such a member: "
            f"keep members as long as executions with them may be read"
        ) from None


_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "datetime": _read_datetime,
    "date": lambda data: date.fromisoformat(data["v"]),
    "time": _read_time,
    "timedelta": lambda data: timedelta(microseconds=data["v"]),
    "decimal": lambda data: Decimal(data["v"]),
    "uuid": lambda data: UUID(data["v"]),
    "bytes": lambda data: base64.b64decode(data["v"], validate=True),
    "enum": _read_enum,
    "tuple": lambda data: tuple(data["v"]),
    "set": lambda data: set(data["v"]),
    "frozenset": lambda data: frozenset(data["v"]),
    "dict": lambda data: dict(data["v"]),
}
