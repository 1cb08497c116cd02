"""Read back what a channel really shows, the longest unseen first."""

from __future__ import annotations

from typing import Any

from app.channels.connect_channel import open_channel
from app.state import State

LISTINGS_MAX = 50
_OLDEST = """
SELECT external_id FROM listings WHERE channel_id = $1 AND acknowledged IS NOT NULL
ORDER BY observed_at NULLS FIRST LIMIT $2
"""
_OBSERVED = """
UPDATE listings l SET observed = o.quantity, observed_at = now()
FROM unnest($2::text[], $3::int[]) AS o (external_id, quantity)
WHERE l.channel_id = $1 AND l.external_id = o.external_id
"""


async def read_back(state: State, channel: Any) -> int:
    """Observe at most `LISTINGS_MAX` listings of the channel; returns how many. Raises `Fault`."""
    records = await state.database.hot.fetch(_OLDEST, channel["id"], LISTINGS_MAX)
    if not records:
        return 0
    seen = await open_channel(state.http, state.settings, channel).observe([record[0] for record in records])
    await state.database.hot.execute(
        _OBSERVED, channel["id"], [entry.external_id for entry in seen], [entry.quantity for entry in seen]
    )
    return len(seen)
