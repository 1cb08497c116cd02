"""What a channel would show if its SHADOW warehouses were LIVE, against what it shows. Nothing of it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.postgres.database import Database
from app.channels.relay_stock import PUBLISHED, SELLABLE, SHOWN, UNITS

LIVE_ONLY = "AND cw.status = 'LIVE'"
_ALL = SELLABLE.replace(LIVE_ONLY, "")
_FOUND = f"""
SELECT l.id, {PUBLISHED} AS would_show, {SHOWN} AS shown
FROM listings l
JOIN channels c ON c.id = l.channel_id
JOIN skus k ON k.id = l.sku_id
CROSS JOIN LATERAL ({_ALL}) a
CROSS JOIN LATERAL ({UNITS}) p
WHERE l.channel_id = $1 AND EXISTS (
  SELECT FROM channel_warehouses s JOIN warehouses w ON w.id = s.warehouse_id
  WHERE s.channel_id = l.channel_id AND s.location = l.location AND s.status = 'SHADOW'
    AND (l.warehouses IS NULL OR w.code = ANY(l.warehouses)))
"""  # noqa: S608
_REPORT = f"""
SELECT count(*)::int AS compared,
  count(*) FILTER (WHERE would_show IS DISTINCT FROM shown)::int AS different,
  count(*) FILTER (WHERE would_show > coalesce(shown, 0))::int AS raised,
  count(*) FILTER (WHERE would_show < shown)::int AS lowered,
  coalesce(sum(greatest(0, would_show - coalesce(shown, 0))), 0)::bigint AS units_raised,
  coalesce(sum(greatest(0, shown - would_show)), 0)::bigint AS units_lowered
FROM ({_FOUND}) found
"""  # noqa: S608
_DIFFERENT = f"""
SELECT id, would_show FROM ({_FOUND}) found WHERE would_show IS DISTINCT FROM shown
ORDER BY abs(would_show - coalesce(shown, 0)) DESC, id LIMIT $2
"""  # noqa: S608


async def report_sources(database: Database, channel_id: int) -> Any:
    """Counts of listings at locations with a SHADOW warehouse, and of units."""
    return await database.hot.fetchrow(_REPORT, channel_id)


async def read_source_differences(database: Database, channel_id: int, limit: int) -> Sequence[Any]:
    """Listing ids and what they would show, those that differ most first; at most `limit`."""
    rows: Sequence[Any] = await database.hot.fetch(_DIFFERENT, channel_id, limit)
    return rows
