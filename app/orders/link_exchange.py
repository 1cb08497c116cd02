"""Link an order that is sent instead to the one that it is sent instead of."""

from __future__ import annotations

from typing import Any
from uuid import UUID

_LINK = """
UPDATE orders SET exchange_of = $2, version = version + 1, updated_at = clock_timestamp()
WHERE id = $1 AND exchange_of IS NULL AND id <> $2
"""


async def link_order(connection: Any, order_id: UUID, original_id: UUID) -> None:
    """Once: what is linked already stays as it is."""
    await connection.execute(_LINK, order_id, original_id)
