"""Reading bins: where to put goods away, and how full a warehouse is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from app.catalog.lookup import sku_not_found
from app.state import State
from app.stock.read_stock import visible
from app.stock.reserve_stock import check_line_count
from domain.identity import Principal
from domain.put_away import Place, Shelf, suggest_places
from domain.stock import check_quantity

_SHELVES = """
SELECT b.code, z.kind AS zone, z.sequence AS zone_sequence, b.sequence, b.capacity_ml,
  coalesce(sum(c.quantity * coalesce(k.volume_ml, 0)), 0)::bigint AS used_ml,
  coalesce(sum(c.quantity), 0) = 0 AS empty,
  coalesce(sum(c.quantity) FILTER (WHERE c.sku_id = $2), 0)::int AS held
FROM bins b JOIN zones z ON z.id = b.zone_id
LEFT JOIN bin_contents c ON c.bin_id = b.id AND c.quantity > 0 LEFT JOIN skus k ON k.id = c.sku_id
WHERE b.warehouse_id = $1 AND b.status = 'ACTIVE' AND z.kind IN ('PICK', 'BULK')
GROUP BY b.id, z.id
"""
_VOLUME = "SELECT volume_ml FROM skus WHERE id = $1"
_UTILIZATION = """
SELECT w.code AS warehouse, w.storage_capacity, n.bins, n.bins_used, n.bins_blocked, n.capacity_ml, n.bins_ml,
  n.measured_ml, s.stock_ml, s.units, greatest(0, s.units - n.units)::bigint AS unplaced
FROM warehouses w
CROSS JOIN LATERAL (
  SELECT count(*)::int AS bins, (count(*) FILTER (WHERE x.units > 0))::int AS bins_used,
    (count(*) FILTER (WHERE b.status = 'BLOCKED'))::int AS bins_blocked,
    coalesce(sum(b.capacity_ml), 0)::bigint AS capacity_ml, coalesce(sum(x.ml), 0)::bigint AS bins_ml,
    coalesce(sum(x.ml) FILTER (WHERE b.capacity_ml IS NOT NULL), 0)::bigint AS measured_ml,
    coalesce(sum(x.units), 0)::bigint AS units
  FROM bins b CROSS JOIN LATERAL (
    SELECT coalesce(sum(c.quantity), 0) AS units, coalesce(sum(c.quantity * coalesce(k.volume_ml, 0)), 0) AS ml
    FROM bin_contents c JOIN skus k ON k.id = c.sku_id WHERE c.bin_id = b.id
  ) x WHERE b.warehouse_id = w.id
) n
CROSS JOIN LATERAL (
  SELECT coalesce(sum(l.available + l.reserved + l.committed + l.damaged + l.quality_control), 0)::bigint AS units,
    coalesce(sum((l.available + l.reserved + l.committed + l.damaged + l.quality_control)::bigint
      * coalesce(k.volume_ml, 0)), 0)::bigint AS stock_ml
  FROM stock_levels l JOIN skus k ON k.id = l.sku_id WHERE l.warehouse_id = w.id
) s
WHERE ($1::int[] IS NULL OR w.id = ANY($1)) AND ($2::text[] IS NULL OR w.code = ANY($2))
ORDER BY w.code
"""


class Suggestion(NamedTuple):
    """Where a line's units go; `left`: those that fit nowhere."""

    sku: str
    places: list[Place]
    left: int


async def suggest_bins(
    state: State, principal: Principal, warehouse: str, lines: Sequence[tuple[str, int]]
) -> list[Suggestion]:
    """For each (SKU, units), as if the lines before were put away already. Nothing is written.

    Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, WAREHOUSE_NOT_FOUND, then for each line INVALID_QUANTITY,
    SKU_NOT_FOUND.
    """
    check_line_count(len(lines))
    house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",), open_only=False)
    found = await state.lookup.find_skus(sku for sku, _ in lines)
    used: dict[str, int] = {}
    kinds: dict[str, set[str]] = {}
    suggestions = []
    for index, (sku, quantity) in enumerate(lines):
        path = ("lines", str(index))
        check_quantity(quantity, (*path, "quantity"))
        if sku not in found:
            raise sku_not_found(sku, (*path, "sku"))
        unit_ml = await state.database.hot.fetchval(_VOLUME, found[sku])
        rows = await state.database.hot.fetch(_SHELVES, house.id, found[sku])
        shelves = [_shelf(row, used.get(row["code"], 0), kinds.get(row["code"], set()), sku) for row in rows]
        places, left = suggest_places(shelves, quantity, unit_ml)
        for place in places:
            used[place.bin] = used.get(place.bin, 0) + place.quantity * (unit_ml or 0)
            kinds.setdefault(place.bin, set()).add(sku)
        suggestions.append(Suggestion(sku, places, left))
    return suggestions


def _shelf(row: Any, more_ml: int, kinds: set[str], sku: str) -> Shelf:
    """A bin with what the lines before put into it."""
    return Shelf(
        row["code"],
        row["zone"],
        (row["zone_sequence"], row["sequence"]),
        row["capacity_ml"],
        row["used_ml"] + more_ml,
        row["empty"] and not kinds,
        row["held"] + (sku in kinds),
    )


async def read_utilization(database: Any, principal: Principal, warehouses: Sequence[str] | None) -> Sequence[Any]:
    """A row for each warehouse that the principal may see, by code."""
    codes = None if warehouses is None else list(warehouses)
    rows: Sequence[Any] = await database.fetch(_UTILIZATION, visible(principal), codes)
    return rows
