"""Workflows with ctx types of every kind."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, TypedDict
from uuid import UUID

import msgspec
import pydantic

import active_workflow as aw


class Size(Enum):
    SMALL = "small"


@dataclass
class Line:
    price: Decimal
    due: date | None = None


@dataclass
class Everything:
    total: Decimal
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    on: date | None = None
    opens: time | None = None
    wait: timedelta | None = None
    id: UUID | None = None
    size: Size = Size.SMALL
    code: str | None = None
    name: str = ""
    either: str | Decimal = ""
    first: Decimal | int = 0
    lines: list[Line] = field(default_factory=list)
    prices: dict[str, Decimal] = field(default_factory=dict)
    pair: tuple[Decimal, str] | None = None
    days: set[date] = field(default_factory=set)
    rate: Annotated[Decimal, "per cent"] = Decimal(0)


class Struct(msgspec.Struct):
    total: Decimal
    at: datetime | None = None


class Model(pydantic.BaseModel, strict=True):
    total: Decimal
    at: datetime | None = None


class Dict(TypedDict, total=False):
    total: Decimal
    at: datetime


class TypedData(aw.Workflow[Everything]):
    one = aw.task(lambda ctx: None)


class TypedStruct(aw.Workflow[Struct]):
    one = aw.task(lambda ctx: None)


class TypedModel(aw.Workflow[Model]):
    one = aw.task(lambda ctx: None)


class TypedTD(aw.Workflow[Dict]):
    one = aw.task(lambda ctx: None)


class Untyped(aw.Workflow):
    one = aw.task(lambda ctx: None)
