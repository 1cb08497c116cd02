"""Have listings looked at and told again, whatever was refused before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_RESYNC = """
WITH held AS MATERIALIZED (SELECT l.id FROM listings l WHERE {chosen} ORDER BY l.id FOR UPDATE)
UPDATE listings l SET
  desired_version = l.desired_version + 1, uncertain = true, rejected = false, cause = NULL, error = NULL,
  attempts = 0, next_attempt_at = NULL, dirty_since = coalesce(l.dirty_since, clock_timestamp())
FROM held, channels c
WHERE l.id = held.id AND l.desired IS NOT NULL AND c.id = l.channel_id AND c.kind <> 'B2B' RETURNING l.id
"""
_SOME = _RESYNC.format(chosen="l.id = ANY($1::bigint[])")
_ALL = _RESYNC.format(chosen="l.channel_id = $1")


async def resync_listings(connection: Any, ids: Sequence[int]) -> int:
    """Returns how many; ring "push" after the transaction. A reply was lost, for all we know: it is read back first.

    Direct B2B is told nothing, and is left as it is.
    """
    return len(await connection.fetch(_SOME, list(ids)))


async def resync_all(connection: Any, channel_id: int) -> int:
    """The same for all listings of a channel."""
    return len(await connection.fetch(_ALL, channel_id))
