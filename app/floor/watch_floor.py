"""What the streams of the floor show: which changes a watcher may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from adapters.postgres.feed import FeedEvent
from app.state import State
from domain.identity import Principal

SNAPSHOT_PAGE = 200


@dataclass(frozen=True, slots=True)
class FloorWatch:
    """Warehouses watched; None for all. `channel_ids`: of returns that have a channel. Equal ones share a stream."""

    warehouse_ids: frozenset[int] | None
    channel_ids: frozenset[int] | None = None

    def accepts(self, event: FeedEvent) -> bool:
        """A document of several warehouses (in the payload) is shown to whoever watches one of them."""
        if self.channel_ids is not None and event.channel_id is not None and event.channel_id not in self.channel_ids:
            return False
        if self.warehouse_ids is None:
            return True
        houses = orjson.loads(event.payload).get("warehouses", (event.warehouse_id,))
        return not self.warehouse_ids.isdisjoint(houses)


async def watch_floor(state: State, principal: Principal, warehouses: Sequence[str] | None) -> FloorWatch:
    """Raises `Refusal` WAREHOUSE_NOT_FOUND for what is unknown or hidden."""
    houses = principal.warehouse_ids
    if warehouses is not None:
        find = state.lookup.find_warehouse
        found = [
            await find(code, principal, ("filter", "warehouses", str(index)), open_only=False)
            for index, code in enumerate(warehouses)
        ]
        houses = frozenset(house.id for house in found)
    return FloorWatch(houses, principal.channel_ids)
