"""Link SKUs to what a channel calls them, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.channels.relay_stock import recompute_desired

_LINK = """
INSERT INTO listings (channel_id, sku_id, location, external_id, reference)
SELECT $1, s.id, l.location, l.external_id, l.reference
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS l (code, external_id, location, reference)
JOIN skus s ON s.code = l.code
ON CONFLICT (channel_id, sku_id, location) DO UPDATE SET external_id = excluded.external_id,
  reference = excluded.reference, acknowledged = NULL, observed = NULL, observed_at = NULL, uncertain = false,
  may_show = NULL,
  rejected = false, cause = NULL, error = NULL, attempts = 0, next_attempt_at = NULL,
  desired_version = listings.desired_version + 1, dirty_since = clock_timestamp()
WHERE listings.external_id <> excluded.external_id OR listings.reference IS DISTINCT FROM excluded.reference
RETURNING sku_id
"""


@dataclass(frozen=True, slots=True)
class ListingLink:
    """One SKU and what the channel calls it at one of its locations."""

    sku: str
    external_id: str
    location: str = ""
    reference: str | None = None


async def link_listings(connection: Any, channel_id: int, links: Sequence[ListingLink]) -> int:
    """Returns how many are new or point elsewhere now; unknown SKUs are left out.

    The first desired quantities are computed at once; ring "push" afterwards.
    """
    async with connection.transaction():
        linked = await connection.fetch(
            _LINK,
            channel_id,
            [link.sku for link in links],
            [link.external_id for link in links],
            [link.location for link in links],
            [link.reference for link in links],
        )
        await recompute_desired(connection, sorted({record[0] for record in linked}), channel_id=channel_id)
    return len(linked)
