"""What the queue of a warehouse shows: work that was given to it and has not ended, and what leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.feed import FeedEvent
from app.fulfillment.read_work import WORK, plain_work
from app.state import State
from domain.fulfillment import QUEUED
from domain.identity import Principal

SNAPSHOT_PAGE = 200
_STATES = sorted(state.value for state in QUEUED)
_OPEN = f"""
{WORK} WHERE f.warehouse_id = $1 AND f.status = ANY($2::text[]) AND ($3::uuid IS NULL OR f.id > $3)
  AND ($4::int[] IS NULL OR o.channel_id = ANY($4))
ORDER BY f.id LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class QueueWatch:
    """One warehouse. Equal watches share one stream; `limited`: for tokens that see less of its work.

    `channel_ids`: whose work it is; None: everybody's.
    """

    warehouse_id: int
    limited: bool
    channel_ids: frozenset[int] | None = None

    def accepts(self, event: FeedEvent) -> bool:
        """What is in the queue, or was; what is only scheduled is not told."""
        if event.warehouse_id != self.warehouse_id:
            return False
        if self.channel_ids is not None and event.channel_id not in self.channel_ids:
            return False
        told = orjson.loads(event.payload)
        return "status" not in told or told["status"] in QUEUED or told.get("was") in QUEUED


async def watch_queue(state: State, principal: Principal, warehouse: str) -> QueueWatch:
    """Raises `Refusal` WAREHOUSE_NOT_FOUND."""
    house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",), open_only=False)
    channels = None if principal.channel_ids is None else frozenset(principal.channel_ids)
    return QueueWatch(house.id, principal.warehouse_ids is not None, channels)


async def read_queue(connection: Any, watch: QueueWatch, after: UUID | None) -> list[dict[str, Any]]:
    """Up to `SNAPSHOT_PAGE` fulfilment orders of the queue after an id (None: from the oldest)."""
    channels = None if watch.channel_ids is None else sorted(watch.channel_ids)
    rows = await connection.fetch(_OPEN, watch.warehouse_id, _STATES, after, channels, SNAPSHOT_PAGE)
    return [plain_work(row) for row in rows]
