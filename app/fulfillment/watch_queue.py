"""What the queue of a warehouse shows: work that was given to it and has not ended, and what leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.feed import FeedEvent
from app.fulfillment.read_work import WORK, plain_work
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.fulfillment import QUEUED
from domain.identity import Principal

SNAPSHOT_PAGE = 200
_STATES = sorted(state.value for state in QUEUED)
_OPEN = f"""
{WORK} WHERE f.warehouse_id = $1 AND f.status = ANY($2::text[]) AND ($3::uuid IS NULL OR f.id > $3)
ORDER BY f.id LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class QueueWatch:
    """One warehouse. Equal watches share one stream; `limited`: for tokens that see less of its work."""

    warehouse_id: int
    limited: bool

    def accepts(self, event: FeedEvent) -> bool:
        """What is in the queue, or was; what is only scheduled is not told."""
        if event.warehouse_id != self.warehouse_id:
            return False
        told = orjson.loads(event.payload)
        return "status" not in told or told["status"] in QUEUED or told.get("was") in QUEUED


async def watch_queue(state: State, principal: Principal, warehouse: str) -> QueueWatch:
    """Raises `Refusal` WAREHOUSE_NOT_FOUND, and NOT_ALLOWED for a token limited to channels: a queue is of all."""
    house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",), open_only=False)
    if principal.channel_ids is not None:
        message = "Your token is limited to channels, and a warehouse works for all of them: use fulfillmentOrders."
        raise Refusal(RefusalCode.NOT_ALLOWED, message)
    return QueueWatch(house.id, principal.warehouse_ids is not None)


async def read_queue(connection: Any, watch: QueueWatch, after: UUID | None) -> list[dict[str, Any]]:
    """Up to `SNAPSHOT_PAGE` fulfilment orders of the queue after an id (None: from the oldest)."""
    rows = await connection.fetch(_OPEN, watch.warehouse_id, _STATES, after, SNAPSHOT_PAGE)
    return [plain_work(row) for row in rows]
