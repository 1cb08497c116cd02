"""Shopify as a channel: one store, one location."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.channels.base import Observation, QuantityWrite, WriteResult
from adapters.channels.shopify.client import ShopifyClient
from adapters.channels.shopify.observe import observe
from adapters.channels.shopify.set_quantities import set_quantities


@dataclass(frozen=True, slots=True)
class ShopifyChannel:
    client: ShopifyClient
    location_id: str

    async def set_quantities(self, writes: Sequence[QuantityWrite]) -> list[WriteResult]:
        return await set_quantities(self.client, self.location_id, writes)

    async def observe(self, external_ids: Sequence[str]) -> list[Observation]:
        return await observe(self.client, self.location_id, external_ids)
