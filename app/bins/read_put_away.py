"""What is to be put away: units on the floor of a warehouse that has bins, each with the places where it goes."""

from __future__ import annotations

from typing import Any

from app.bins.read_bins import suggest_bins
from app.state import State
from domain.identity import Principal

_ON_FLOOR = """
SELECT k.code AS sku, k.title, l.updated_at AS since, w.code AS warehouse,
  (l.available + l.reserved + l.committed - coalesce(p.units, 0) - coalesce(h.units, 0))::int AS quantity
FROM stock_levels l JOIN skus k ON k.id = l.sku_id JOIN warehouses w ON w.id = l.warehouse_id
LEFT JOIN (SELECT sku_id, sum(quantity) AS units FROM pick_records WHERE warehouse_id = $1 GROUP BY 1) p USING (sku_id)
LEFT JOIN (
  SELECT c.sku_id, sum(c.quantity) AS units FROM bin_contents c JOIN bins b ON b.id = c.bin_id
  WHERE b.warehouse_id = $1 GROUP BY 1
) h USING (sku_id)
WHERE l.warehouse_id = $1 AND EXISTS (SELECT FROM bins WHERE warehouse_id = $1)
  AND l.available + l.reserved + l.committed - coalesce(p.units, 0) > coalesce(h.units, 0)
ORDER BY l.updated_at, l.sku_id LIMIT $2
"""


async def read_put_away(state: State, principal: Principal, warehouse: str, limit: int) -> list[dict[str, Any]]:
    """A row for each SKU, those that wait longest first. Raises `Refusal` WAREHOUSE_NOT_FOUND."""
    house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",), open_only=False)
    rows = await state.database.hot.fetch(_ON_FLOOR, house.id, limit)
    if not rows:
        return []
    found = await suggest_bins(state, principal, warehouse, [(row["sku"], row["quantity"]) for row in rows])
    return [{**dict(row), "places": one.places, "left": one.left} for row, one in zip(rows, found, strict=True)]
