"""From movements to what is sold each day and how often each line is handled, exactly once.

Movements of one line are written under its row lock, so their ids ascend as they commit: what comes after the last
one noted is new, however often this runs and whatever was missed in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.stock import StockKey

_NOTE = """
WITH wanted AS (
  SELECT s AS sku_id, w AS warehouse_id FROM unnest($1::int[], $2::int[]) AS u (s, w)
), held AS MATERIALIZED (
  SELECT a.sku_id, a.warehouse_id, a.movement_id FROM sku_activity a JOIN wanted USING (sku_id, warehouse_id)
  ORDER BY a.sku_id, a.warehouse_id FOR UPDATE OF a
), fresh AS (
  SELECT h.sku_id, h.warehouse_id, m.id, m.reason, m.document, m.effective_at,
    l.available + l.reserved + l.committed AS books,
    (m.effective_at AT TIME ZONE w.time_zone)::date AS day,
    CASE WHEN m.to_bucket = 'customer' AND coalesce(m.document, '') NOT LIKE 'transfer:%' THEN m.quantity ELSE 0 END
      AS sold,
    m.from_bucket IN ('supplier', 'customer', 'adjustment', 'scrap', 'transfer', 'in_transit')
      OR m.to_bucket IN ('supplier', 'customer', 'adjustment', 'scrap', 'transfer', 'in_transit') AS handled
  FROM held h JOIN stock_movements m
    ON m.sku_id = h.sku_id AND m.warehouse_id = h.warehouse_id AND m.id > h.movement_id
  JOIN warehouses w ON w.id = h.warehouse_id
  JOIN stock_levels l ON l.sku_id = h.sku_id AND l.warehouse_id = h.warehouse_id
), doubt AS (
  INSERT INTO stock_suspicions (sku_id, warehouse_id, kind, noticed_at, document)
  SELECT sku_id, warehouse_id, 'SHORT_PICK', effective_at, document FROM fresh WHERE reason = 'SHORT_PICK' AND books > 0
), sold AS (
  INSERT INTO demand_days AS d (sku_id, warehouse_id, day, sold)
  SELECT sku_id, warehouse_id, day, sum(sold) FROM fresh WHERE sold > 0 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (sku_id, warehouse_id, day) DO UPDATE SET sold = d.sold + excluded.sold
)
UPDATE sku_activity a SET movement_id = f.last, handlings = a.handlings + f.handlings,
  settled_at = coalesce(f.settled_at, a.settled_at)
FROM (SELECT sku_id, warehouse_id, max(id) AS last, count(*) FILTER (WHERE handled) AS handlings,
        max(effective_at) FILTER (WHERE reason = 'SHORT_PICK' AND books = 0) AS settled_at
      FROM fresh GROUP BY 1, 2) f
WHERE a.sku_id = f.sku_id AND a.warehouse_id = f.warehouse_id
"""
_BEGIN = """
INSERT INTO sku_activity (sku_id, warehouse_id, first_at)
SELECT s, w, coalesce((SELECT min(m.posted_at) FROM stock_movements m WHERE m.sku_id = s AND m.warehouse_id = w), now())
FROM unnest($1::int[], $2::int[]) AS u (s, w)
WHERE NOT EXISTS (SELECT FROM sku_activity a WHERE a.sku_id = s AND a.warehouse_id = w)
ORDER BY s, w ON CONFLICT DO NOTHING
"""


async def note_demand(connection: Any, keys: Sequence[StockKey]) -> None:
    """Bring `sku_activity` and `demand_days` of these lines up to date, in the caller's transaction.

    What left the ledger because a picker did not find it (reason SHORT_PICK) makes the line suspicious, unless the
    books say by now that nothing is there: the picker saw just that, and older doubts are settled by it.

    A handling is a movement between the floor and the world outside it; sold is what went to customers, by the day it
    took effect in the warehouse's time zone.
    """
    columns = [key.sku_id for key in keys], [key.warehouse_id for key in keys]
    await connection.execute(_BEGIN, *columns)
    await connection.execute(_NOTE, *columns)
