"""Inventory accuracy from the counts themselves: by warehouse and period, by line, by unit and by value.

Every line that was decided on counts once, with what its last scan was held against; a rejected line is one whose
count was not believed, and is left out. `domain.accuracy.measure_accuracy` as SQL: a test holds the two together.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.conditions import Conditions
from app.stock.read_stock import visible
from domain.identity import Principal

PERIODS = ("day", "week", "month", "year")
ROWS_MAX = 1_000
_ACCURACY = """
SELECT w.code AS warehouse, {period} AS starts_at, count(*)::int AS lines,
  (count(*) FILTER (WHERE l.counted = l.expected))::int AS lines_right,
  sum(greatest(l.expected, l.counted))::bigint AS units, sum(abs(l.counted - l.expected))::bigint AS units_wrong,
  sum(greatest(l.expected, l.counted) * coalesce(l.unit_cost, 0)) AS value,
  sum(abs(l.counted - l.expected) * coalesce(l.unit_cost, 0)) AS value_wrong
FROM count_lines l JOIN warehouses w ON w.id = l.warehouse_id
"""


@dataclass(frozen=True, slots=True)
class AccuracyFilter:
    """`causes`: of the lines; only CYCLE and HANDLING are a fair sample, what is suspected is wrong more often."""

    warehouses: Sequence[str] | None = None
    causes: Sequence[str] | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


async def read_accuracy(
    database: Any, principal: Principal, chosen: AccuracyFilter, period: str | None
) -> Sequence[Any]:
    """A row for each warehouse, and for each day, week, month or year (UTC) if `period` says so; the newest first."""
    found = Conditions()
    found.add("l.status = 'POSTED'")
    houses = visible(principal)
    if houses is not None:
        found.add("l.warehouse_id = ANY({}::int[])", houses)
    if chosen.warehouses is not None:
        found.add("w.code = ANY({}::text[])", list(chosen.warehouses))
    if chosen.causes is not None:
        found.add("l.cause = ANY({}::text[])", list(chosen.causes))
    if chosen.since is not None:
        found.add("l.scanned_at >= {}", chosen.since)
    if chosen.until is not None:
        found.add("l.scanned_at < {}", chosen.until)
    starts = "NULL::timestamptz" if period is None else f"date_trunc('{period}', l.scanned_at, 'UTC')"
    query = f"{_ACCURACY.format(period=starts)} {found.where} GROUP BY 1, 2 ORDER BY 2 DESC, 1 LIMIT {ROWS_MAX}"
    rows: Sequence[Any] = await database.fetch(query, *found.values)
    return rows
