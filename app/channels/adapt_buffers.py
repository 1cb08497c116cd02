"""The adaptive buffer: units that other channels will likely sell before a channel has heard of it.

What others sell of the SKU, times how long the channel takes to acknowledge, as both were just measured. While
nothing is acknowledged and something waits, its waiting counts: a channel that is down is the slowest of all.
"""

from __future__ import annotations

from typing import Any

from app.channels.measure_lag import read_lags
from app.channels.note_sales import DECAYED
from app.channels.relay_stock import SELLABLE, recompute_desired
from app.state import State
from domain.publish import compute_adaptive_buffer

LISTINGS_MAX = 5_000
LAG_SECONDS_MAX = 3_600.0
NEGLIGIBLE_UNITS = 0.05
"""Below it nothing is held back: rounded up it would keep the last unit of every slow seller off sale."""
CEILING_SHARE = 0.5
"""Of what the channel may sell, held back at most."""
CALM_SHARE = 0.8
"""A buffer comes down only below this share of what it is: it follows fear at once and relief slowly."""
_CHANNELS = """
SELECT c.id FROM channels c
WHERE c.adaptive OR EXISTS (SELECT FROM listings l WHERE l.channel_id = c.id AND l.adaptive_buffer > 0) ORDER BY c.id
"""
_LOCK = "SELECT adaptive FROM channels WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED"
_WAITING = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(l.dirty_since)), 0)::float8 FROM listings l
WHERE l.channel_id = $1 AND l.desired_version > l.acknowledged_version AND NOT l.rejected
"""
_LISTINGS = f"""
SELECT l.id, l.sku_id, l.adaptive_buffer, coalesce(o.velocity, 0) AS elsewhere, a.sellable
FROM listings l
JOIN channels c ON c.id = l.channel_id
LEFT JOIN (
  SELECT l.sku_id, sum({DECAYED}) AS velocity FROM listings l
  WHERE l.channel_id <> $1 AND l.velocity > 0 GROUP BY l.sku_id
) o ON o.sku_id = l.sku_id
CROSS JOIN LATERAL ({SELLABLE}) a
WHERE l.channel_id = $1 AND (o.velocity > 0 OR l.adaptive_buffer > 0) ORDER BY o.velocity DESC NULLS LAST LIMIT $2
"""  # noqa: S608
_SET = """
WITH held AS MATERIALIZED (
  SELECT l.id, g.buffer FROM unnest($1::bigint[], $2::int[]) AS g (id, buffer) JOIN listings l USING (id)
  ORDER BY l.id FOR UPDATE OF l
)
UPDATE listings l SET adaptive_buffer = h.buffer FROM held h WHERE l.id = h.id
"""


async def adapt_buffers(state: State) -> int:
    """Bring every buffer up to date, one transaction a channel; returns how many changed."""
    changed = 0
    async with state.database.hot.acquire() as connection:
        for (channel_id,) in await connection.fetch(_CHANNELS):
            async with connection.transaction():
                changed += await _adapt(connection, channel_id)
    if changed:
        state.doorbell.ring("push")
    return changed


async def _adapt(connection: Any, channel_id: int) -> int:
    adaptive = await connection.fetchval(_LOCK, channel_id)
    if adaptive is None:
        return 0  # another worker is at it
    lag = await measure_delay(connection, channel_id) if adaptive else 0.0
    rows = await connection.fetch(_LISTINGS, channel_id, LISTINGS_MAX)
    wanted = [(row, _buffer(row, lag)) for row in rows]
    moved = [(row, buffer) for row, buffer in wanted if _is_news(row["adaptive_buffer"], buffer)]
    if moved:
        await connection.execute(_SET, [row["id"] for row, _ in moved], [buffer for _, buffer in moved])
        await recompute_desired(connection, sorted({row["sku_id"] for row, _ in moved}), channel_id=channel_id)
    return len(moved)


async def measure_delay(connection: Any, channel_id: int) -> float:
    """Seconds until the channel will likely know of a change: p95 of the lag, or what waits now if that is more."""
    lag = (await read_lags(connection, [channel_id])).get(channel_id)
    waiting: float = await connection.fetchval(_WAITING, channel_id)
    return min(LAG_SECONDS_MAX, max(waiting, 0.0 if lag is None else lag.p95))


def _buffer(row: Any, lag_seconds: float) -> int:
    if row["elsewhere"] * lag_seconds < NEGLIGIBLE_UNITS:
        return 0
    return compute_adaptive_buffer(row["elsewhere"], lag_seconds, ceiling=int(row["sellable"] * CEILING_SHARE))


def _is_news(known: int, wanted: int) -> bool:
    return wanted > known or (wanted < known and (wanted == 0 or wanted < known * CALM_SHARE))
