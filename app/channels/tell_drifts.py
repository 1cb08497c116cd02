"""Tell who watches of listings that time alone makes DRIFTED: nothing else changes in them when it does."""

from __future__ import annotations

from app.channels.listing_state import LESS_SECONDS
from app.state import State

DRIFTS_MAX = 500
_TELL = f"""
WITH due AS (
  SELECT id FROM listings
  WHERE drift_since < now() - interval '{LESS_SECONDS} seconds' AND drift_told IS DISTINCT FROM drift_since
  ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
), told AS (
  UPDATE listings l SET drift_told = l.drift_since FROM due WHERE l.id = due.id
  RETURNING l.id, l.sku_id, l.channel_id
)
INSERT INTO feed (topic, key, sku_id, channel_id, payload)
SELECT 'listing', id::text, sku_id, channel_id, '{{}}' FROM told
"""  # noqa: S608


async def tell_drifts(state: State) -> int:
    """One bounded batch, each drift once; returns how many."""
    found = int((await state.database.hot.execute(_TELL, DRIFTS_MAX)).rsplit(" ", 1)[-1])
    if found:
        state.doorbell.ring("feed")
    return found
