"""Once a day every policy is evaluated, whether its stock moved or not; and orders that are late are told."""

from __future__ import annotations

from app.replenishment.evaluate_stock import evaluate_stock
from app.replenishment.raise_alerts import Alert, AlertKind, raise_alerts
from app.state import State
from domain.stock import StockKey

BATCH_MAX = 200
_DUE = """
SELECT p.sku_id, p.warehouse_id FROM replenishment_policies p
JOIN warehouses w ON w.id = p.warehouse_id AND w.status = 'LIVE'
WHERE p.planned_on IS DISTINCT FROM (now() AT TIME ZONE w.time_zone)::date
ORDER BY p.sku_id, p.warehouse_id LIMIT $1
"""
_LATE = """
SELECT o.id, o.warehouse_id, coalesce(o.reference, o.id::text) AS name, o.expected_at FROM purchase_orders o
WHERE o.ended_at IS NULL AND o.expected_at < now() AND NOT EXISTS (
  SELECT FROM warehouse_alerts a WHERE a.kind = 'PURCHASE_OVERDUE' AND a.subject = 'purchase:' || o.id
    AND a.ended_at IS NULL)
ORDER BY o.expected_at LIMIT $1
"""


async def sweep_policies(state: State) -> int:
    """Evaluate a batch of those whose plan is of another day; returns how many."""
    async with state.database.hot.acquire() as connection, connection.transaction():
        keys = [StockKey(*row) for row in await connection.fetch(_DUE, BATCH_MAX)]
        evaluated = await evaluate_stock(connection, keys, id(state.database)) if keys else 0
        late = await connection.fetch(_LATE, BATCH_MAX)
        await raise_alerts(
            connection,
            [
                Alert(
                    AlertKind.PURCHASE_OVERDUE,
                    row["warehouse_id"],
                    None,
                    f"purchase:{row['id']}",
                    f"Purchase order {row['name']} was expected at {row['expected_at']:%Y-%m-%d %H:%M} UTC.",
                )
                for row in late
            ],
        )
    if evaluated or late:
        state.doorbell.ring("listings")
    return evaluated
