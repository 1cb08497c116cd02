"""Compare what is recorded as picked with the work and the transfers that it was picked for."""

from __future__ import annotations

from typing import Any

PROBLEMS_MAX = 100
_DIFFERENT = f"""
SELECT sku_id, warehouse_id, sum(recorded)::int, sum(held)::int FROM (
  SELECT sku_id, warehouse_id, quantity AS recorded, 0 AS held FROM pick_records
  UNION ALL
  SELECT l.sku_id, f.warehouse_id, 0, l.picked - l.shipped
  FROM fulfillment_order_lines l JOIN fulfillment_orders f ON f.id = l.fulfillment_order_id
  WHERE l.picked > l.shipped AND f.status NOT IN ('SHIPPED', 'REJECTED', 'CANCELLED')
  UNION ALL
  SELECT l.sku_id, t.source_id, 0, l.picked
  FROM transfer_lines l JOIN transfers t ON t.id = l.transfer_id WHERE t.state = 'PICKING'
) sides GROUP BY 1, 2 HAVING sum(recorded) <> sum(held) LIMIT {PROBLEMS_MAX}
"""  # noqa: S608


async def verify_picks(connection: Any) -> list[str]:
    """A sentence for each SKU and warehouse that differs."""
    return [
        f"SKU {s} in warehouse {w}: {recorded} picked by the records, {held} by work and transfers."
        for s, w, recorded, held in await connection.fetch(_DIFFERENT)
    ]
