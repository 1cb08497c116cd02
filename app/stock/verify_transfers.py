"""What is on its way is what transfers say is on its way, and no unit is between two warehouses for nobody."""

from __future__ import annotations

from typing import Any

PROBLEMS_MAX = 100
HELD_BY_TRANSFERS = """
SELECT l.sku_id, t.source_id AS warehouse_id, l.requested AS units
FROM transfers t JOIN transfer_lines l ON l.transfer_id = t.id WHERE t.state IN ('APPROVED', 'PICKING')
"""
_AFLOAT = "l.shipped - l.received - l.damaged - l.returned - l.returned_damaged - l.written_off"
_IN_TRANSIT = f"""
SELECT coalesce(s.sku_id, p.sku_id), coalesce(s.warehouse_id, p.warehouse_id), coalesce(s.in_transit, 0),
       coalesce(p.units, 0)
FROM stock_levels s FULL JOIN (
  SELECT l.sku_id, CASE WHEN t.state = 'RETURNING' THEN t.source_id ELSE t.destination_id END AS warehouse_id,
    sum({_AFLOAT}) AS units
  FROM transfers t JOIN transfer_lines l ON l.transfer_id = t.id
  WHERE t.state IN ('IN_TRANSIT', 'RETURNING', 'RECEIVED') GROUP BY 1, 2
) p USING (sku_id, warehouse_id)
WHERE coalesce(s.in_transit, 0) <> coalesce(p.units, 0) LIMIT {PROBLEMS_MAX}
"""  # noqa: S608
_BETWEEN = f"SELECT sku_id, sum(transfer) FROM stock_levels GROUP BY 1 HAVING sum(transfer) <> 0 LIMIT {PROBLEMS_MAX}"  # noqa: S608
_LEFT = f"""
SELECT t.number, t.state FROM transfers t JOIN transfer_lines l ON l.transfer_id = t.id
WHERE t.state IN ('CLOSED', 'CANCELLED') AND {_AFLOAT} <> 0 LIMIT {PROBLEMS_MAX}
"""  # noqa: S608


async def verify_transfers(connection: Any) -> list[str]:
    """A sentence for each difference."""
    problems = [
        f"SKU {s} in warehouse {w}: {kept} in transit, transfers have {afloat} on the way."
        for s, w, kept, afloat in await connection.fetch(_IN_TRANSIT)
    ]
    problems += [
        f"SKU {s}: {units} units have left one warehouse and reached no other."
        for s, units in await connection.fetch(_BETWEEN)
    ]
    problems += [
        f"Transfer TR-{number} is {state} and still has units on the way."
        for number, state in await connection.fetch(_LEFT)
    ]
    return problems
