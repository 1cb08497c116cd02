"""How fast each listing sells: units a second, decaying, so that it speaks of about the last hour."""

from __future__ import annotations

from collections import Counter
from typing import Any

from adapters.channels.base import ChannelOrder
from adapters.postgres.database import Database

MEMORY_SECONDS = 3_600.0
"""After so long without a sale what was measured counts for about a third."""
SLOWEST = 1e-6
"""Units a second that are as good as none: three in a month."""
STALE_SECONDS = 60.0
ROWS_MAX = 5_000
DECAYED = f"""
l.velocity * exp(
  -least(500, greatest(0, extract(epoch FROM clock_timestamp() - l.velocity_at)::float8 / {MEMORY_SECONDS})))
"""
"""The velocity of a listing `l` now, whenever it was last written. PostgreSQL refuses smaller numbers than e^-700."""
_NOTE = f"""
WITH held AS MATERIALIZED (
  SELECT l.id, g.quantity FROM unnest($2::text[], $3::int[]) AS g (code, quantity)
  JOIN skus s ON s.code = g.code JOIN listings l ON l.sku_id = s.id AND l.channel_id = $1
  ORDER BY l.id FOR UPDATE OF l
)
UPDATE listings l SET velocity = coalesce({DECAYED}, 0) + h.quantity / {MEMORY_SECONDS}, velocity_at = clock_timestamp()
FROM held h WHERE l.id = h.id
"""  # noqa: S608
_DECAY = f"""
WITH stale AS (
  SELECT l.id FROM listings l WHERE l.velocity > 0 AND l.velocity_at < now() - make_interval(secs => $1)
  ORDER BY l.id LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE listings l SET velocity = CASE WHEN {DECAYED} < {SLOWEST} THEN 0 ELSE {DECAYED} END,
  velocity_at = clock_timestamp()
FROM stale WHERE l.id = stale.id
"""  # noqa: S608


async def note_sales(database: Database, channel_id: int, order: ChannelOrder) -> None:
    """Count what the order sold on the channel's listings of its SKUs."""
    sold: Counter[str] = Counter()
    for line in order.lines:
        if line.sku:
            sold[line.sku] += line.quantity
    if sold:
        await database.hot.execute(_NOTE, channel_id, list(sold), list(sold.values()))


async def decay_velocities(database: Database) -> int:
    """Write down how slow listings have become that sell no more, a bounded number; returns how many."""
    status: Any = await database.hot.execute(_DECAY, STALE_SECONDS, ROWS_MAX)
    return int(status.rsplit(" ", 1)[-1])
