"""From the change feed to what each listing should show. Position and listings move in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.postgres.feed import read_horizon
from app.state import State
from domain.cursor import Position

PAGE_MAX = 1_000
NAME = "publish"
_POSITION = "SELECT xid::text::bigint, id FROM relay_positions WHERE name = $1 FOR UPDATE"
_BEGIN = "INSERT INTO relay_positions (name, xid, id) VALUES ($1, '0', 0) ON CONFLICT DO NOTHING"
_MOVE = "UPDATE relay_positions SET xid = $2::text::xid8, id = $3 WHERE name = $1"
_READ = """
SELECT f.xid::text::bigint, f.id, f.sku_id FROM feed f
WHERE (f.xid, f.id) > ($1::text::xid8, $2::bigint) AND f.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY f.xid, f.id LIMIT $3
"""
_PENDING = "SELECT EXISTS (SELECT FROM feed f WHERE f.xid >= pg_snapshot_xmin(pg_current_snapshot()))"
_RECOMPUTE = """
UPDATE listings l SET desired = d.desired, desired_version = l.desired_version + 1, desired_at = clock_timestamp(),
  rejected = false, error = NULL
FROM (
  SELECT l.id, greatest(0, coalesce(sum(greatest(0, s.available - s.safety_stock)), 0) - c.buffer)::int AS desired
  FROM listings l JOIN channels c ON c.id = l.channel_id
  LEFT JOIN channel_warehouses cw ON cw.channel_id = l.channel_id
    AND EXISTS (SELECT FROM warehouses w WHERE w.id = cw.warehouse_id AND w.status = 'LIVE')
  LEFT JOIN stock_levels s ON s.sku_id = l.sku_id AND s.warehouse_id = cw.warehouse_id
  WHERE $1::int[] IS NULL OR l.sku_id = ANY($1)
  GROUP BY l.id, c.buffer
) d
WHERE d.id = l.id AND l.desired IS DISTINCT FROM d.desired
"""


async def recompute_desired(connection: Any, sku_ids: Sequence[int] | None) -> int:
    """Bring `desired` of the SKUs' listings up to date (None: of all); returns how many changed."""
    status = await connection.execute(_RECOMPUTE, None if sku_ids is None else list(sku_ids))
    return int(status.rsplit(" ", 1)[-1])


async def relay_stock(state: State) -> tuple[int, bool]:
    """Relay one page. Returns the rows read and whether a running transaction holds more back.

    Several workers are harmless: the row of the position is locked while one is at it.
    """
    async with state.database.hot.acquire() as connection:
        async with connection.transaction():
            after = await _lock_position(connection)
            lost = after < await read_horizon(connection)
            page = await connection.fetch(_READ, str(after.xid), after.id, PAGE_MAX)
            skus = sorted({row[2] for row in page if row[2] is not None})
            changed = await recompute_desired(connection, None if lost else skus) if lost or skus else 0
            if page or lost:
                upto = Position(page[-1][0], page[-1][1]) if page else await read_horizon(connection)
                await connection.execute(_MOVE, NAME, str(upto.xid), upto.id)
        pending = bool(await connection.fetchval(_PENDING))
    if changed:
        state.doorbell.ring("push")
    return len(page), pending


async def _lock_position(connection: Any) -> Position:
    record = await connection.fetchrow(_POSITION, NAME)
    if record is None:
        await connection.execute(_BEGIN, NAME)
        record = await connection.fetchrow(_POSITION, NAME)
    return Position(record[0], record[1])
