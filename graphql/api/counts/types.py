"""Types of the counts area."""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import strawberry

from api.scalars import Counted, Edge, PageInfo
from api.stock.types import Node, StockBucket
from domain.accuracy import Accuracy
from domain.counts import CountCause, CountLineStatus, CountStatus

strawberry.enum(CountStatus, description="REVIEW: all is scanned, and something differs.")
strawberry.enum(CountLineStatus, description="RECOUNT: the scan differs by more than the tolerance: scan it again.")
strawberry.enum(CountCause, description="Why a line is counted.")


@strawberry.enum(description="Of the accuracy: in UTC.")
class AccuracyPeriod(StrEnum):
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


@strawberry.type(description="A SKU to be counted, in a bin if the count is by bin. Units.")
class CountLine:
    sku: str
    title: str
    barcode: str | None
    bin: str | None
    bucket: StockBucket = strawberry.field(description="AVAILABLE: sound goods, whoever they are promised to.")
    cause: CountCause
    abc: str | None = strawberry.field(description="Class by value x velocity, of planned lines.")
    status: CountLineStatus
    expected: int | None = strawberry.field(
        description="In the books at the moment of the scan; null before it, and in a blind count until all is scanned."
    )
    counted: int | None
    variance: int | None = strawberry.field(description="counted - expected; null when expected is.")
    scans: int
    ledger_version: int | None = strawberry.field(description="Of the stock level at the moment of the scan.")
    scanned_at: datetime.datetime | None
    posted: int = strawberry.field(description="What went into the ledger, of a SKU in several bins on its first line.")
    unposted: int = strawberry.field(description="A loss that orders were promised: it cannot be written off.")


@strawberry.type(description="What is to be counted in a warehouse, and what was found.")
class Count(Node):
    warehouse: str
    status: CountStatus
    planned_for: str | None = strawberry.field(description="The day of a planned count, as in 2026-11-24.")
    blind: bool
    tolerance_units: int
    tolerance_percent: int
    note: str | None
    reference: str | None
    created_by: str
    created_at: datetime.datetime
    reviewed_by: str | None
    ended_at: datetime.datetime | None
    version: int
    lines: list[CountLine] = strawberry.field(description="In the order of a walk through the bins.")


@strawberry.type
class CountConnection(Counted):
    edges: list[Edge[Count]]
    nodes: list[Count]
    page_info: PageInfo


@strawberry.type(
    description="How right the books were, as counts found them. Shares from 0 to 1; null: nothing to compare."
)
class InventoryAccuracy:
    warehouse: str
    starts_at: datetime.datetime | None = strawberry.field(description="Of the period, if there are periods.")
    lines: int
    lines_right: int
    units: int
    units_wrong: int
    value: Decimal
    value_wrong: Decimal
    by_line: float | None
    by_unit: float | None
    by_value: float | None


def count_from_row(row: Any) -> Count:
    """A count from plain JSON, as use cases answer it and pages read it."""
    kept = {name: value for name, value in row.items() if name not in ("id", "lines", "warehouse_id")}
    return Count(key=row["id"], lines=[CountLine(**line) for line in map(_shown, row["lines"])], **kept)


def _shown(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "line"}


def accuracy_from_row(row: Any) -> InventoryAccuracy:
    found = Accuracy(*(row[name] for name in ("lines", "lines_right", "units", "units_wrong", "value", "value_wrong")))
    return InventoryAccuracy(**dict(row), by_line=found.by_line, by_unit=found.by_unit, by_value=found.by_value)
