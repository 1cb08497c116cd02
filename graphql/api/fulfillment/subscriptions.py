"""`fulfillmentQueue`: the work before a warehouse, then every change of it, and what leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any
from uuid import UUID

import strawberry

from api.context import Context, Info
from api.fulfillment.queries import READ
from api.fulfillment.types import FulfillmentOrder, work_from_row
from api.ids import encode_id
from api.remembered import Remembered
from api.source import Source
from app.feed.hub import FeedEvent
from app.fulfillment.read_work import read_works_by_ids
from app.fulfillment.watch_queue import QueueWatch, read_queue, watch_queue
from app.state import State
from domain.fulfillment import QUEUED


@strawberry.enum(description="GONE: it is not in the queue any more: shipped, rejected, cancelled or taken away.")
class QueueChangeKind(StrEnum):
    SNAPSHOT = "SNAPSHOT"
    CHANGE = "CHANGE"
    GONE = "GONE"
    READY = "READY"


@strawberry.type(description="Work that came, changed or left, as it is when it is told.")
class FulfillmentQueueChange:
    cursor: str = strawberry.field(description="Give it as `after` to go on from here.")
    kind: QueueChangeKind
    fulfillment_order_id: strawberry.ID | None = strawberry.field(description="Null when READY.")
    fulfillment_order: FulfillmentOrder | None = strawberry.field(
        description="Null when READY, and when it left for another warehouse."
    )
    cursor_expired: bool = strawberry.field(
        default=False, description="Changes after what you had are not kept for you: this is a fresh snapshot."
    )


class QueueSource(Source):
    """Fulfilment orders of one warehouse as a stream."""

    topic = "fulfillment_order"

    def __init__(self, state: State) -> None:
        self._state = state
        self._works: Remembered[FulfillmentOrder] = Remembered(state.database.hot, _read_works)

    async def prepare(self, context: Context, arguments: dict[str, Any]) -> QueueWatch:
        return await watch_queue(self._state, context.principal, arguments["warehouse"])

    def accepts(self, watch: QueueWatch, event: FeedEvent) -> bool:
        return watch.accepts(event)

    async def load(self, events: list[FeedEvent]) -> None:
        await self._works.load(events)

    def knows(self, event: FeedEvent) -> bool:
        return self._works.knows(event)

    def change(self, event: FeedEvent, cursor: str) -> FulfillmentQueueChange:
        """An event is of the queue that it was written for: who moved on must not be shown there."""
        work = self._works.get(event)
        if work is not None and work.house_key != event.warehouse_id:
            work = None
        here = work is not None and work.status in QUEUED
        kind = QueueChangeKind.CHANGE if here else QueueChangeKind.GONE
        return _change(cursor, kind, event.key, work)

    async def snapshot(
        self, connection: Any, watch: QueueWatch, cursor: str, expired: bool
    ) -> AsyncIterator[FulfillmentQueueChange]:
        after: UUID | None = None
        while rows := await read_queue(connection, watch, after):
            for row in rows:
                yield _change(cursor, QueueChangeKind.SNAPSHOT, str(row["id"]), work_from_row(row), expired)
            after = rows[-1]["id"]

    def ready(self, cursor: str, expired: bool) -> FulfillmentQueueChange:
        return FulfillmentQueueChange(
            cursor=cursor,
            kind=QueueChangeKind.READY,
            fulfillment_order_id=None,
            fulfillment_order=None,
            cursor_expired=expired,
        )


def _change(
    cursor: str, kind: QueueChangeKind, key: str, work: FulfillmentOrder | None, expired: bool = False
) -> FulfillmentQueueChange:
    return FulfillmentQueueChange(
        cursor=cursor,
        kind=kind,
        fulfillment_order_id=strawberry.ID(encode_id("FulfillmentOrder", key)),
        fulfillment_order=work,
        cursor_expired=expired,
    )


async def _read_works(database: Any, keys: list[str]) -> dict[str, FulfillmentOrder]:
    rows = await read_works_by_ids(database, [UUID(key) for key in keys])
    return {str(row["id"]): work_from_row(row) for row in rows}


@strawberry.type
class QueueSubscription:
    @strawberry.subscription(
        directives=READ,
        description="Without `after`: all work that the warehouse was given and that has not ended, READY, then what "
        "comes, changes or leaves (GONE). With it: what was missed, READY, changes. "
        "A token that is limited to channels is told of their work.",
    )
    async def fulfillment_queue(
        self, info: Info, warehouse: str, after: str | None = None
    ) -> AsyncIterator[FulfillmentQueueChange]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield FulfillmentQueueChange(
            cursor="", kind=QueueChangeKind.READY, fulfillment_order_id=None, fulfillment_order=None
        )
