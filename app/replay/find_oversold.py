"""Whether a warehouse ever promised more of a SKU than came in: from what was posted and ordered, not from balances.

The database keeps balances from going below zero, so they cannot show it. Movements and the work of warehouses can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.postgres.tables import INSIDE

OVERSOLD_MAX = 100
_INSIDE = ", ".join(f"'{name}'" for name in INSIDE)
_OVERSOLD = f"""
WITH moved AS (
  SELECT m.sku_id, m.warehouse_id, m.id,
    sum(CASE WHEN m.to_bucket IN ({_INSIDE}) THEN m.quantity ELSE 0 END
      - CASE WHEN m.from_bucket IN ({_INSIDE}) AND m.to_bucket <> 'customer' THEN m.quantity ELSE 0 END
    ) OVER so_far AS received,
    sum(CASE WHEN m.to_bucket = 'committed' THEN m.quantity
      WHEN m.from_bucket = 'committed' AND m.to_bucket <> 'customer' THEN -m.quantity ELSE 0 END
    ) OVER so_far AS promised
  FROM stock_movements m JOIN warehouses w ON w.id = m.warehouse_id AND w.code = ANY($1::text[])
  WINDOW so_far AS (PARTITION BY m.sku_id, m.warehouse_id ORDER BY m.id)
), worst AS (
  SELECT DISTINCT ON (sku_id, warehouse_id) sku_id, warehouse_id, promised, received
  FROM moved ORDER BY sku_id, warehouse_id, promised - received DESC, id
), last AS (
  SELECT DISTINCT ON (sku_id, warehouse_id) sku_id, warehouse_id, received
  FROM moved ORDER BY sku_id, warehouse_id, id DESC
), bound AS (
  SELECT l.sku_id, f.warehouse_id, sum(l.quantity - l.cancelled - l.short) AS promised
  FROM fulfillment_orders f JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id
  JOIN warehouses w ON w.id = f.warehouse_id AND w.code = ANY($1::text[]) GROUP BY 1, 2
), sums AS (
  SELECT sku_id, warehouse_id, promised, received FROM worst
  UNION ALL
  SELECT sku_id, warehouse_id, b.promised, coalesce(l.received, 0)
  FROM bound b LEFT JOIN last l USING (sku_id, warehouse_id)
)
SELECT s.code, w.code, max(x.promised), min(x.received)
FROM sums x JOIN skus s ON s.id = x.sku_id JOIN warehouses w ON w.id = x.warehouse_id
WHERE x.promised > x.received GROUP BY 1, 2 ORDER BY 1, 2 LIMIT {OVERSOLD_MAX}
"""  # noqa: S608


async def find_oversold(connection: Any, warehouses: Sequence[str]) -> list[str]:
    """A sentence for each SKU and warehouse (codes) that ever had more units allocated and shipped than received.

    Received: what came in and did not leave again other than to a customer; what customers send back came in again.
    Allocated and shipped: by the movements, after each of them, and by what work is to ship or shipped.
    """
    return [
        f"SKU {sku} in {house}: {promised} units allocated and shipped, {received} received."
        for sku, house, promised, received in await connection.fetch(_OVERSOLD, list(warehouses))
    ]
