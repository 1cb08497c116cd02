"""`stockChanged`: the snapshot, READY, then every change; or from a cursor on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

import orjson
import strawberry

from api.context import Context, Info
from api.directives import EVERYONE, requires
from api.source import Source
from api.stock.types import (
    Sku,
    StockLevel,
    Warehouse,
    level_from_row,
    make_level,
    sku_from_row,
    warehouse_from_row,
)
from app.catalog.read_catalog import read_skus_by_ids, read_warehouses_by_ids
from app.feed.hub import FeedEvent
from app.state import State
from app.stock.watch_stock import StockWatch, prepare_watch, read_watched


@strawberry.enum
class StockChangeKind(StrEnum):
    SNAPSHOT = "SNAPSHOT"
    CHANGE = "CHANGE"
    READY = "READY"


@strawberry.input
class StockFilter:
    skus: list[str] | None = None
    warehouses: list[str] | None = None


@strawberry.type
class StockChange:
    cursor: str = strawberry.field(
        description="Give it as `after` to go on from here; from within a snapshot that is a whole one again."
    )
    kind: StockChangeKind
    level: StockLevel | None = strawberry.field(description="Null when READY.")
    cursor_expired: bool = strawberry.field(
        default=False, description="Changes after what you had are not kept for you: this is a fresh snapshot."
    )


class StockSource(Source):
    """Stock levels as a stream. SKUs and warehouses are remembered, since events carry only their ids."""

    topic = "stock"

    def __init__(self, state: State) -> None:
        self._state = state
        self._skus: dict[int, Sku] = {}
        self._warehouses: dict[int, Warehouse] = {}

    async def prepare(self, context: Context, arguments: dict[str, Any]) -> StockWatch:
        chosen = arguments.get("filter") or {}
        return await prepare_watch(self._state.lookup, context.principal, chosen.get("skus"), chosen.get("warehouses"))

    def accepts(self, watch: StockWatch, event: FeedEvent) -> bool:
        return watch.accepts(event)

    async def load(self, events: list[FeedEvent]) -> None:
        """Read the SKUs and warehouses that these events name and that are not known yet."""
        database = self._state.database
        skus = {event.sku_id for event in events if event.sku_id not in self._skus}
        houses = {event.warehouse_id for event in events if event.warehouse_id not in self._warehouses}
        if skus:
            self._skus |= {r["s_id"]: sku_from_row(r) for r in await read_skus_by_ids(database, list(skus))}  # type: ignore[arg-type]
        if houses:
            rows = await read_warehouses_by_ids(database, list(houses))  # type: ignore[arg-type]
            self._warehouses |= {r["w_id"]: warehouse_from_row(r) for r in rows}

    def knows(self, event: FeedEvent) -> bool:
        return event.sku_id in self._skus and event.warehouse_id in self._warehouses

    def change(self, event: FeedEvent, cursor: str) -> StockChange:
        assert event.sku_id is not None
        assert event.warehouse_id is not None
        state = orjson.loads(event.payload)
        level = make_level(state, self._skus[event.sku_id], self._warehouses[event.warehouse_id])
        return StockChange(cursor=cursor, kind=StockChangeKind.CHANGE, level=level)

    async def snapshot(
        self, connection: Any, watch: StockWatch, cursor: str, expired: bool
    ) -> AsyncIterator[StockChange]:
        after = (0, 0)
        while rows := await read_watched(connection, watch, after):
            for row in rows:
                yield StockChange(
                    cursor=cursor,
                    kind=StockChangeKind.SNAPSHOT,
                    level=level_from_row(row),
                    cursor_expired=expired,
                )
            after = (rows[-1]["sku_id"], rows[-1]["warehouse_id"])

    def ready(self, cursor: str, expired: bool) -> StockChange:
        return StockChange(cursor=cursor, kind=StockChangeKind.READY, level=None, cursor_expired=expired)


@strawberry.type
class StockSubscription:
    @strawberry.subscription(
        directives=requires(EVERYONE, "stock:read"),
        description="Without `after`: the snapshot, READY, then changes. With it: what was missed, READY, changes.",
    )
    async def stock_changed(
        self,
        info: Info,
        filter: StockFilter | None = None,
        after: str | None = None,
    ) -> AsyncIterator[StockChange]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield StockChange(cursor="", kind=StockChangeKind.READY, level=None)
