"""Reads orders from a file: CSV with a header, or one JSON object a line. Says what is wrong with each.

Needed are ``order_id``, ``total``, ``payment_token`` and ``sku``; ``quantity`` is 1 unless given.
Whatever else a line has goes along under ``details``.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn

from active_workflow.dsl.where import listed, nearest
from active_workflow.errors import SerializationError
from active_workflow.store.serializer import JsonSerializer

NEEDED = ("order_id", "total", "payment_token", "sku")
KNOWN = (*NEEDED, "quantity")
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?", re.ASCII)


class BadLine(Exception):
    """A line that is no order; the message says why."""


class BadFile(Exception):
    """A file without any lines to speak of; the message says why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A bad line: its number in the file and the reason."""

    line: int
    reason: str


@dataclass
class Orders:
    """What a file holds.

    Attributes:
        good: The orders, as ctx of the demo's workflow, in the file's order.
        problems: The bad lines.
        repeated: How many lines repeat an earlier one.
    """

    good: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    repeated: int = 0


def read_orders(path: Path) -> Orders:
    """Read and check a whole file.

    Raises:
        BadFile: It can't be read, is empty, or is no text in UTF-8.
    """
    text = _text(path)
    orders = Orders()
    seen: dict[str, tuple[int, dict[str, Any]]] = {}
    for line, found in _rows(text):
        try:
            if isinstance(found, BadLine):
                raise found
            order = _order(found)
            first = seen.setdefault(order["order_id"], (line, order))
            if first[1] != order:
                raise BadLine(
                    f"order {order['order_id']} is on line {first[0]}, too, and says something else there"
                )
        except BadLine as error:
            orders.problems.append(Problem(line, str(error)))
            continue
        orders.repeated += first[0] != line
        orders.good.append(order)
    if not orders.good and not orders.problems:
        raise BadFile(f"{path} has a header and no orders below it")
    return orders


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFile(f"{path} can't be read: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadFile(
            f"{path} is no text in UTF-8: line {line} has the byte 0x{data[error.start]:02x}"
        ) from error
    if not text.strip():
        raise BadFile(f"{path} is empty: it needs a header ({','.join(KNOWN)}) and one order a line")
    if text.lstrip().startswith("["):
        raise BadFile(f"{path} is one JSON list: write one object a line (jq -c '.[]' {path} does that)")
    return text


def _rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    return _json_rows(text) if text.lstrip().startswith("{") else _csv_rows(text)


# --- JSON lines -----------------------------------------------------------------------------------------


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _json_row(line)


def _json_row(line: str) -> Mapping[str, Any] | BadLine:
    try:
        found = json.loads(line, parse_float=Decimal, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        return BadLine(f"no JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:
        return BadLine(f"no JSON: {error}")
    if not isinstance(found, dict):
        return BadLine("no object: write {{{}}}".format(", ".join(f'"{name}": …' for name in NEEDED)))
    missing = _missing(found)
    return BadLine(missing) if missing else found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


# --- CSV ------------------------------------------------------------------------------------------------


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    head = next(line for line in text.splitlines() if line.strip())
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    lines = _numbered(reader)
    at, names = next((number, row) for number, row in lines if row)
    if isinstance(names, BadLine):
        yield at, names
        return
    names = [name.strip().lower() for name in names]
    unusable = _missing(names) or _doubled(names)
    if unusable:
        yield at, BadLine(f"{unusable}; the header here is {listed(names)}")
        return
    for number, row in lines:
        if isinstance(row, BadLine):
            yield number, row
        elif any(value.strip() for value in row):
            yield number, _csv_row(names, row)


def _numbered(reader: Any) -> Iterator[tuple[int, list[str] | BadLine]]:
    """Give each row with the number of its first line: a quoted field may go over several."""
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, BadLine(f"no CSV: {error}")
            continue
        yield number, row


def _csv_row(names: list[str], row: list[str]) -> Mapping[str, Any] | BadLine:
    if len(row) != len(names):
        return BadLine(f"{len(row)} fields where the header has {len(names)}")
    return {name: value.strip() for name, value in zip(names, row, strict=True)}


def _missing(names: Iterable[str]) -> str:
    there = list(names)
    missing = [name for name in NEEDED if name not in there]
    if not missing:
        return ""
    spare = [name for name in there if name not in KNOWN]
    return f"{listed(missing)} missing{nearest(missing[0], spare)}"


def _doubled(names: list[str]) -> str:
    doubled = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    return f"{listed(doubled)} given twice" if doubled else ""


# --- Values ---------------------------------------------------------------------------------------------


def _order(row: Mapping[str, Any]) -> dict[str, Any]:
    details = {name: value for name, value in row.items() if name not in KNOWN}
    try:
        JsonSerializer().dump(details)
    except SerializationError as error:
        raise BadLine(str(error)) from error
    quantity = row.get("quantity")
    return {
        "order_id": _word("order_id", row["order_id"]),
        "total": _total(row["total"]),
        "payment_token": _word("payment_token", row["payment_token"]),
        "sku": _word("sku", row["sku"]),
        "quantity": 1 if quantity is None or quantity == "" else _quantity(quantity),
        "details": details,
    }


def _word(name: str, value: Any) -> str:
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        word = str(value).strip()
        if word and word.isprintable():
            return word
    raise BadLine(f"{name} {_shown(value)} is no name: it has to be text on one line")


def _total(value: Any) -> Decimal:
    text = str(value).strip()
    if isinstance(value, bool) or not _AMOUNT.fullmatch(text):
        raise BadLine(f"total {_shown(value)} is no amount: write it like 1299.90")
    try:
        total = Decimal(text)
    except InvalidOperation as error:
        raise BadLine(f"total {_shown(value)} is no amount") from error
    if not total:
        raise BadLine("total is 0: there is nothing to pay")
    return total


def _quantity(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not _WHOLE.fullmatch(text) or not int(text):
        raise BadLine(f"quantity {_shown(value)} is no number of pieces: write 1 or more")
    return int(text)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - enough to find it in the file
