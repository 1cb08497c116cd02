"""What many objects of one answer need is read together, once per operation.

Each batch is one statement on a short read of its own: siblings are resolved at the same time, and must not share
a session.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

from strawberry.dataloader import DataLoader

from app.channels.measure_lag import Lag, read_lags
from app.channels.read_channels import count_listings_by_state, read_sources
from app.exceptions.read_cases import read_timelines
from app.fulfillment.read_work import read_works_of_orders
from app.orders.read_orders import read_exchanges, read_seen_orders
from app.orders.read_orders import read_timelines as read_order_timelines
from app.replenishment.read_purchases import read_expected
from app.state import State
from app.stock.read_stock import read_levels_of_skus
from domain.identity import Principal

BATCH_MAX = 250


class Loaders:
    """The loaders of one operation, within what its principal may see."""

    def __init__(self, state: State, principal: Principal) -> None:
        self._state = state
        self._principal = principal

    @cached_property
    def levels_of_sku(self) -> DataLoader[int, list[Any]]:
        """Rows of `stock_levels` by SKU id."""
        return DataLoader(load_fn=self._levels_of_skus, max_batch_size=BATCH_MAX)

    @cached_property
    def sources_of_channel(self) -> DataLoader[int, list[Any]]:
        """The warehouses a channel sells from, by channel id."""
        return DataLoader(load_fn=self._sources_of_channels, max_batch_size=BATCH_MAX)

    @cached_property
    def counts_of_channel(self) -> DataLoader[int, list[Any]]:
        """Rows of listing state and count, by channel id."""
        return DataLoader(load_fn=self._counts_of_channels, max_batch_size=BATCH_MAX)

    @cached_property
    def lag_of_channel(self) -> DataLoader[int, Lag | None]:
        return DataLoader(load_fn=self._lags_of_channels, max_batch_size=BATCH_MAX)

    @cached_property
    def timeline_of_case(self) -> DataLoader[UUID, list[Any]]:
        """Rows of `exception_events` by case."""
        return DataLoader(load_fn=self._timelines_of_cases, max_batch_size=BATCH_MAX)

    @cached_property
    def timeline_of_order(self) -> DataLoader[UUID, list[Any]]:
        """Rows of `order_events` by order."""
        return DataLoader(load_fn=self._timelines_of_orders, max_batch_size=BATCH_MAX)

    async def _timelines_of_orders(self, order_ids: list[UUID]) -> list[list[Any]]:
        found = await read_order_timelines(self._state.database.hot, order_ids)
        return [found[order_id] for order_id in order_ids]

    @cached_property
    def works_of_order(self) -> DataLoader[UUID, list[Any]]:
        """Rows of fulfilment orders by order."""
        return DataLoader(load_fn=self._works_of_orders, max_batch_size=BATCH_MAX)

    async def _works_of_orders(self, order_ids: list[UUID]) -> list[list[Any]]:
        found = await read_works_of_orders(self._state.database, self._principal, order_ids)
        return [found[order_id] for order_id in order_ids]

    @cached_property
    def order_of_id(self) -> DataLoader[UUID, Any]:
        """A row of `orders` by its id; None when it is not theirs to see."""
        return DataLoader(load_fn=self._orders_of_ids, max_batch_size=BATCH_MAX)

    async def _orders_of_ids(self, order_ids: list[UUID]) -> list[Any]:
        rows = await read_seen_orders(self._state.database, self._principal, order_ids)
        found = {row["id"]: row for row in rows}
        return [found.get(order_id) for order_id in order_ids]

    @cached_property
    def exchanges_of_order(self) -> DataLoader[UUID, list[Any]]:
        """Rows of the orders that are sent instead of units of an order."""
        return DataLoader(load_fn=self._exchanges_of_orders, max_batch_size=BATCH_MAX)

    async def _exchanges_of_orders(self, order_ids: list[UUID]) -> list[list[Any]]:
        found: dict[UUID, list[Any]] = {order_id: [] for order_id in order_ids}
        for row in await read_exchanges(self._state.database, self._principal, order_ids):
            found[row["exchange_of"]].append(row)
        return [found[order_id] for order_id in order_ids]

    @cached_property
    def expected_of_level(self) -> DataLoader[tuple[int, int], list[Any]]:
        """What open purchase orders and transfers bring, by (SKU id, warehouse id)."""
        return DataLoader(load_fn=self._expected_of_levels, max_batch_size=BATCH_MAX)

    async def _expected_of_levels(self, keys: list[tuple[int, int]]) -> list[list[Any]]:
        found: dict[tuple[int, int], list[Any]] = {key: [] for key in keys}
        for row in await read_expected(self._state.database.hot, keys):
            found[row["sku_id"], row["warehouse_id"]].append(row)
        return [found[key] for key in keys]

    async def _timelines_of_cases(self, case_ids: list[UUID]) -> list[list[Any]]:
        found = await read_timelines(self._state.database.hot, case_ids)
        return [found[case_id] for case_id in case_ids]

    async def _sources_of_channels(self, channel_ids: list[int]) -> list[list[Any]]:
        return _group(await read_sources(self._state.database, channel_ids), channel_ids)

    async def _counts_of_channels(self, channel_ids: list[int]) -> list[list[Any]]:
        return _group(await count_listings_by_state(self._state.database, channel_ids), channel_ids)

    async def _lags_of_channels(self, channel_ids: list[int]) -> list[Lag | None]:
        found = await read_lags(self._state.database.hot, channel_ids)
        return [found.get(channel_id) for channel_id in channel_ids]

    async def _levels_of_skus(self, sku_ids: list[int]) -> list[list[Any]]:
        found: dict[int, list[Any]] = {sku_id: [] for sku_id in sku_ids}
        for row in await read_levels_of_skus(self._state.database, self._principal, sku_ids):
            found[row["sku_id"]].append(row)
        return [found[sku_id] for sku_id in sku_ids]


def _group(rows: Sequence[Any], channel_ids: Sequence[int]) -> list[list[Any]]:
    found: dict[int, list[Any]] = {channel_id: [] for channel_id in channel_ids}
    for row in rows:
        found[row["channel_id"]].append(row)
    return [found[channel_id] for channel_id in channel_ids]
