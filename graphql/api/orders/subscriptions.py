"""`orderChanged`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import strawberry

from api.channels.subscriptions import ChangeKind
from api.context import Context, Info
from api.directives import EVERYONE, requires
from api.ids import decode_uuid
from api.orders.types import Order, events_from_rows, order_from_row
from api.remembered import Remembered
from api.scalars import check_names
from api.source import Source
from app.feed.hub import FeedEvent
from app.orders.read_orders import read_orders_by_ids, read_timelines
from app.orders.watch_orders import OrderWatch, read_watched_orders, watch_orders
from app.state import State

READ = requires(EVERYONE, "orders:read")


@strawberry.input
class OrderChangedFilter:
    channels: list[str] | None = strawberry.field(default=None, description="Codes.")
    order: strawberry.ID | None = None


@strawberry.type(description="An order that changed, as it is when it is told: two changes may show the second twice.")
class OrderChange:
    cursor: str = strawberry.field(description="Give it as `after` to go on from here.")
    kind: ChangeKind
    order: Order | None = strawberry.field(description="Null when READY.")
    cursor_expired: bool = strawberry.field(
        default=False, description="Changes after what you had are not kept for you: this is a fresh snapshot."
    )


class OrderSource(Source):
    """Orders as a stream, with their timelines; who they are for is not in it."""

    topic = "order"

    def __init__(self, state: State) -> None:
        self._state = state
        self._orders: Remembered[Order] = Remembered(state.database.hot, _read_orders)

    async def prepare(self, context: Context, arguments: dict[str, Any]) -> OrderWatch:
        chosen = arguments.get("filter") or {}
        check_names(chosen.get("channels"), "channels")
        order = chosen.get("order")
        order_id = None if order is None else decode_uuid(order, "Order", ("filter", "order"))
        return await watch_orders(self._state, context.principal, chosen.get("channels"), order_id)

    def accepts(self, watch: OrderWatch, event: FeedEvent) -> bool:
        return watch.accepts(event)

    async def load(self, events: list[FeedEvent]) -> None:
        await self._orders.load(events)

    def knows(self, event: FeedEvent) -> bool:
        return self._orders.knows(event)

    def change(self, event: FeedEvent, cursor: str) -> OrderChange:
        return OrderChange(cursor=cursor, kind=ChangeKind.CHANGE, order=self._orders.get(event))

    async def snapshot(
        self, connection: Any, watch: OrderWatch, cursor: str, expired: bool
    ) -> AsyncIterator[OrderChange]:
        after: UUID | None = None
        while rows := await read_watched_orders(connection, watch, after):
            for order in await _with_timelines(connection, rows):
                yield OrderChange(cursor=cursor, kind=ChangeKind.SNAPSHOT, order=order, cursor_expired=expired)
            after = rows[-1]["id"]

    def ready(self, cursor: str, expired: bool) -> OrderChange:
        return OrderChange(cursor=cursor, kind=ChangeKind.READY, order=None, cursor_expired=expired)


async def _read_orders(database: Any, keys: list[str]) -> dict[str, Order]:
    rows = await read_orders_by_ids(database, [UUID(key) for key in keys])
    return {order.key: order for order in await _with_timelines(database, rows)}


async def _with_timelines(connection: Any, rows: list[dict[str, Any]]) -> list[Order]:
    timelines = await read_timelines(connection, [row["id"] for row in rows])
    return [order_from_row(row, events_from_rows(timelines[row["id"]])) for row in rows]


@strawberry.type
class OrderSubscription:
    @strawberry.subscription(
        directives=READ,
        description="Without `after`: every order of which something is to be shipped, READY, then those that change. "
        "Not for tokens limited to warehouses.",
    )
    async def order_changed(
        self, info: Info, filter: OrderChangedFilter | None = None, after: str | None = None
    ) -> AsyncIterator[OrderChange]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield OrderChange(cursor="", kind=ChangeKind.READY, order=None)
