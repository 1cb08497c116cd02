"""A pick list is done when nothing on it is left to be picked, whoever saw to that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

_CLOSE = """
UPDATE pick_lists p SET status = 'DONE', ended_at = clock_timestamp()
WHERE p.id IN (
  SELECT l.id FROM pick_lists l
  WHERE l.status = 'OPEN'
    AND ($1::uuid IS NULL OR l.id IN (SELECT pick_list_id FROM pick_list_orders WHERE fulfillment_order_id = $1))
    AND NOT EXISTS (
      SELECT FROM pick_list_orders x JOIN fulfillment_orders f ON f.id = x.fulfillment_order_id
      WHERE x.pick_list_id = l.id AND f.status IN ('ACCEPTED', 'PICKING'))
  ORDER BY l.id LIMIT $2 FOR UPDATE SKIP LOCKED)
"""
LISTS_MAX = 500


async def close_lists(connection: Any, work_id: UUID | None = None) -> int:
    """Close the lists with this fulfilment order on them (None: any) that have nothing left; returns how many."""
    status = await connection.execute(_CLOSE, work_id, LISTS_MAX)
    return int(status.rsplit(" ", 1)[-1])
