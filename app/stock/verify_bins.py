"""Compare what bins hold with the ledger, and with the records of what was put in and taken out."""

from __future__ import annotations

from typing import Any

PROBLEMS_MAX = 100
_OVER = f"""
SELECT h.sku_id, h.warehouse_id, h.units, coalesce(l.available + l.reserved + l.committed, 0) - coalesce(p.units, 0)
FROM (
  SELECT c.sku_id, b.warehouse_id, sum(c.quantity)::int AS units
  FROM bin_contents c JOIN bins b ON b.id = c.bin_id GROUP BY 1, 2
) h
LEFT JOIN stock_levels l USING (sku_id, warehouse_id)
LEFT JOIN (
  SELECT sku_id, warehouse_id, sum(quantity)::int AS units FROM pick_records GROUP BY 1, 2
) p USING (sku_id, warehouse_id)
WHERE h.units > coalesce(l.available + l.reserved + l.committed, 0) - coalesce(p.units, 0) LIMIT {PROBLEMS_MAX}
"""  # noqa: S608
_DIFFERENT = f"""
SELECT bin_id, sku_id, sum(held)::int, sum(recorded)::int FROM (
  SELECT bin_id, sku_id, quantity AS held, 0 AS recorded FROM bin_contents
  UNION ALL
  SELECT bin_id, sku_id, 0, quantity FROM bin_records
) sides GROUP BY 1, 2 HAVING sum(held) <> sum(recorded) LIMIT {PROBLEMS_MAX}
"""  # noqa: S608


async def verify_bins(connection: Any) -> list[str]:
    """A sentence for each SKU of which bins hold more than stands there, and each bin that differs from its records."""
    problems = [
        f"SKU {s} in warehouse {w}: bins hold {units}, {there} stand there by the ledger."
        for s, w, units, there in await connection.fetch(_OVER)
    ]
    return problems + [
        f"SKU {s} in bin {b}: it holds {held}, its records add up to {recorded}."
        for b, s, held, recorded in await connection.fetch(_DIFFERENT)
    ]
