"""Link SKUs to what a channel calls them, many at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.channels.relay_stock import recompute_desired

_LINK = """
INSERT INTO listings (channel_id, sku_id, external_id)
SELECT $1, s.id, l.external_id FROM unnest($2::text[], $3::text[]) AS l (code, external_id)
JOIN skus s ON s.code = l.code
ON CONFLICT (channel_id, sku_id) DO UPDATE SET external_id = excluded.external_id
RETURNING sku_id
"""


async def link_listings(connection: Any, channel_id: int, external_ids: Mapping[str, str]) -> int:
    """`external_ids`: inventory item id by SKU code. Returns how many were linked; unknown SKUs are left out.

    The first desired quantities are computed at once; ring "push" afterwards.
    """
    async with connection.transaction():
        linked = await connection.fetch(_LINK, channel_id, list(external_ids), list(external_ids.values()))
        await recompute_desired(connection, [record[0] for record in linked])
    return len(linked)
