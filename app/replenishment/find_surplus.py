"""Whether another warehouse has more than it needs: a transfer goes before a purchase."""

from __future__ import annotations

from typing import Any

from domain.stock import StockKey

KEEP_DAYS = 60
"""Where no policy says what a warehouse needs, it keeps what it sold in so many days."""
_SURPLUS = """
SELECT l.warehouse_id FROM stock_levels l
JOIN warehouses w ON w.id = l.warehouse_id AND w.status = 'LIVE' AND w.kind = 'OWN'
LEFT JOIN replenishment_policies p ON p.sku_id = l.sku_id AND p.warehouse_id = l.warehouse_id
CROSS JOIN LATERAL (
  SELECT coalesce((p.plan ->> 'order_up_to')::int, (
    SELECT sum(d.sold) FROM demand_days d
    WHERE d.sku_id = l.sku_id AND d.warehouse_id = l.warehouse_id AND d.day > current_date - $4::int), 0) AS kept
) k
WHERE l.sku_id = $1 AND l.warehouse_id <> $2 AND l.available - l.safety_stock - k.kept >= $3
ORDER BY l.available - l.safety_stock - k.kept DESC, l.warehouse_id LIMIT 1
"""


async def find_surplus(connection: Any, key: StockKey, units: int) -> int | None:
    """The warehouse with the most to spare, if it can spare all of `units`."""
    found: int | None = await connection.fetchval(_SURPLUS, key.sku_id, key.warehouse_id, units, KEEP_DAYS)
    return found
