"""What many objects of one answer need is read together, once per operation.

Each batch is one statement on a short read of its own: siblings are resolved at the same time, and must not share
a session.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from strawberry.dataloader import DataLoader

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

    async def _levels_of_skus(self, sku_ids: list[int]) -> list[list[Any]]:
        found: dict[int, list[Any]] = {sku_id: [] for sku_id in sku_ids}
        for row in await read_levels_of_skus(self._state.database, self._principal, sku_ids):
            found[row["sku_id"]].append(row)
        return [found[sku_id] for sku_id in sku_ids]
