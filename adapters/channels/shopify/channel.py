"""Shopify as a channel: one store and its locations."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.channels.base import (
    ChannelNews,
    ChannelOrder,
    InboundEvent,
    ItemPage,
    ListingRef,
    Observation,
    OrderPage,
    QuantityWrite,
    Quota,
    Shipment,
    WriteResult,
)
from adapters.channels.shopify.client import BUCKET, ShopifyClient
from adapters.channels.shopify.observe import observe
from adapters.channels.shopify.read_event import read_event
from adapters.channels.shopify.set_quantities import WRITES_MAX, set_quantities
from adapters.channels.shopify.verify_webhook import read_headers, verify_webhook
from domain.errors import Fault

SHOPIFY_BUCKETS = {BUCKET: (100.0, 1_000.0)}
"""The smallest plan's points a second; every answer says what the store really has."""


@dataclass(frozen=True, slots=True)
class ShopifyChannel:
    client: ShopifyClient
    webhook_secrets: tuple[str, ...]

    def batch_size(self, pending: int, *, urgent: bool) -> int:
        return min(pending, WRITES_MAX)

    async def set_quantities(self, writes: Sequence[QuantityWrite], *, urgent: bool = False) -> list[WriteResult]:
        return await set_quantities(self.client, writes, urgent=urgent)

    async def settle(self, receipt: str, keys: Sequence[str] = ()) -> Mapping[str, WriteResult] | None:
        return {}

    async def observe(self, refs: Sequence[ListingRef]) -> list[Observation]:
        return await observe(self.client, refs)

    async def list_items(self, cursor: str | None = None) -> ItemPage:
        return ItemPage((), None)

    async def pull_orders(
        self, since: datetime.datetime, until: datetime.datetime, cursor: str | None = None
    ) -> OrderPage:
        return OrderPage((), None)

    async def read_order(self, external_id: str) -> ChannelOrder | None:
        return None

    async def confirm_shipment(self, shipment: Shipment) -> WriteResult:
        raise Fault(f"Shopify is not told of shipment {shipment.key}.", transient=False)

    async def verify_event(self, headers: Mapping[str, str], body: bytes) -> InboundEvent | None:
        signature = headers.get("x-shopify-hmac-sha256")
        if not any(verify_webhook(secret, body, signature) for secret in self.webhook_secrets):
            return None
        return read_headers(headers)

    def read_event(self, topic: str, body: bytes) -> Sequence[ChannelNews]:
        return read_event(topic, body)


def open_shopify(
    http: httpx.AsyncClient, quota: Quota, config: Mapping[str, Any], secrets: Mapping[str, str]
) -> ShopifyChannel:
    """`config`: base_url. `secrets`: access_token, webhook_secret, and the one before it while that may still sign."""
    client = ShopifyClient(http, quota, config["base_url"], secrets["access_token"])
    signing = [secrets.get(name) for name in ("webhook_secret", "previous_webhook_secret")]
    return ShopifyChannel(client, tuple(secret for secret in signing if secret))
