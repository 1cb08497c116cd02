"""What would change at a channel if it went live now: what it was lately seen to show, against what it should."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.postgres.database import Database
from app.channels.read_listings import LISTINGS
from app.channels.switch_channel import FRESH_SECONDS

_FRESH = "l.observed_at > now() - make_interval(secs => $2)"
_REPORT = f"""
SELECT count(*) FILTER (WHERE fresh)::int AS compared,
  count(*) FILTER (WHERE fresh AND observed = desired)::int AS equal,
  count(*) FILTER (WHERE fresh AND observed IS DISTINCT FROM desired)::int AS different,
  count(*) FILTER (WHERE fresh AND observed < desired)::int AS raised,
  count(*) FILTER (WHERE fresh AND observed > desired)::int AS lowered,
  count(*) FILTER (WHERE fresh AND observed IS NULL)::int AS unknown,
  count(*) FILTER (WHERE fresh IS NOT TRUE)::int AS unseen,
  coalesce(sum(greatest(0, desired - observed)) FILTER (WHERE fresh), 0)::bigint AS units_raised,
  coalesce(sum(greatest(0, observed - desired)) FILTER (WHERE fresh), 0)::bigint AS units_lowered,
  min(observed_at) FILTER (WHERE fresh) AS seen_from
FROM (SELECT l.desired, l.observed, l.observed_at, {_FRESH} AS fresh FROM listings l WHERE l.channel_id = $1) AS found
"""  # noqa: S608
_DIFFERENT = f"""
{LISTINGS} WHERE l.channel_id = $1 AND {_FRESH} AND l.observed IS DISTINCT FROM l.desired
ORDER BY l.observed IS NULL DESC, abs(l.observed - l.desired) DESC, l.id LIMIT $3
"""


async def report_shadow(database: Database, channel_id: int) -> Any:
    """Counts of listings, and of units; the same look and freshness that going live goes by."""
    return await database.hot.fetchrow(_REPORT, channel_id, FRESH_SECONDS)


async def read_shadow_differences(database: Database, channel_id: int, limit: int) -> Sequence[Any]:
    """Listings the channel does not know, then those that differ most; at most `limit`."""
    rows: Sequence[Any] = await database.hot.fetch(_DIFFERENT, channel_id, FRESH_SECONDS, limit)
    return rows
