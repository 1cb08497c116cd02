"""What a channel may have put on sale again by itself, with a cancellation that it tells of.

Nobody told it that number, so it is reported as exposure at once, and told again, although what it should show may not
have changed. What was asked or sent before the cancellation was heard of does not settle it (`put_back`): only a call
that begins later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.channels.listing_state import MAY_SHOW

WAIT_SECONDS = 0.5
"""Until it is told: what the units that were given back make of the number is relayed meanwhile."""
_NOTE = f"""
WITH parts AS (
  SELECT coalesce(k.id, u.sku_id) AS sku_id, max(ceil(g.units::numeric / coalesce(p.quantity, 1))) AS units
  FROM unnest($2::int[], $3::int[]) AS g (line, units) JOIN order_lines u ON u.order_id = $1 AND u.line = g.line
  LEFT JOIN skus k ON u.external_id LIKE '%#%#%' AND k.code = split_part(u.external_id, '#', 2)
  LEFT JOIN kit_components p ON p.kit_id = k.id AND p.component_id = u.sku_id
  GROUP BY 1, split_part(u.external_id, '#', 1)
), gone AS (
  SELECT sku_id, sum(units)::int AS units FROM parts GROUP BY 1
), held AS MATERIALIZED (
  SELECT l.id, gone.units FROM gone JOIN listings l ON l.sku_id = gone.sku_id
  JOIN orders o ON o.id = $1 AND o.channel_id = l.channel_id
  JOIN channels c ON c.id = l.channel_id AND c.kind <> 'B2B' AND c.status <> 'SHADOW'
  WHERE l.desired IS NOT NULL ORDER BY l.id FOR UPDATE OF l
)
UPDATE listings l SET put_back = true, may_show = {MAY_SHOW} + held.units, desired_version = l.desired_version + 1,
  dirty_since = coalesce(l.dirty_since, clock_timestamp()),
  next_attempt_at = CASE WHEN l.desired > 0 THEN greatest(l.next_attempt_at, now() + make_interval(secs => $4)) END
FROM held WHERE l.id = held.id
"""  # noqa: S608
"""A kit's listing is the one that sells it. A zero is told at once, whatever is shown."""


async def note_put_back(connection: Any, order_id: UUID, units: Mapping[int, int]) -> None:
    """`units`: that the channel names no more, by line of its order; on the transaction that notes it."""
    chosen = {line: count for line, count in units.items() if count > 0}
    if chosen:
        await connection.execute(_NOTE, order_id, list(chosen), list(chosen.values()), WAIT_SECONDS)
