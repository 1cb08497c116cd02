"""Shopify as a channel: one store and its locations."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from adapters.channels.base import (
    ChannelOrder,
    InboundEvent,
    ItemPage,
    KeepSecrets,
    ListingRef,
    Observation,
    OrderPage,
    QuantityWrite,
    Quota,
    Shipment,
    WriteResult,
)
from adapters.channels.news import ChannelNews, ReturnNotice
from adapters.channels.returns import Refund
from adapters.channels.shopify.access_token import AccessToken
from adapters.channels.shopify.cancel_order import cancel_order
from adapters.channels.shopify.check_access import has_access
from adapters.channels.shopify.client import BUCKET, ShopifyClient
from adapters.channels.shopify.confirm_shipment import confirm_shipment
from adapters.channels.shopify.issue_refund import issue_refund, look_refund
from adapters.channels.shopify.list_items import list_items
from adapters.channels.shopify.observe import observe
from adapters.channels.shopify.pull_orders import pull_order, pull_orders
from adapters.channels.shopify.read_event import read_event
from adapters.channels.shopify.read_return import read_return
from adapters.channels.shopify.renew_subscriptions import renew_subscriptions
from adapters.channels.shopify.set_quantities import WRITES_MAX, set_quantities
from adapters.channels.shopify.verify_webhook import read_headers, verify_webhook
from domain.cancellations import Cancellation

SHOPIFY_BUCKETS = {BUCKET: (100.0, 1_000.0)}
"""The smallest plan's points a second; every answer says what the store really has."""
SIGNING = ("webhook_secret", "client_secret", "previous_webhook_secret")
"""An app's client secret signs unless another is given; the one before it may still sign for an hour."""


@dataclass(frozen=True, slots=True)
class ShopifyChannel:
    """`shop_domain`: whose events are taken; empty: of every store that signs with the secret."""

    client: ShopifyClient
    webhook_secrets: tuple[str, ...] = field(repr=False)
    shop_domain: str = ""
    notify_buyer: bool = True

    def batch_size(self, pending: int, *, urgent: bool) -> int:
        return min(pending, WRITES_MAX)

    def patience_seconds(self, writes: int, *, urgent: bool) -> float:
        return 0.0

    async def set_quantities(self, writes: Sequence[QuantityWrite], *, urgent: bool = False) -> list[WriteResult]:
        return await set_quantities(self.client, writes, urgent=urgent)

    async def settle(self, receipt: str, keys: Sequence[str] = ()) -> Mapping[str, WriteResult] | None:
        """The store applies at once and gives no receipts."""
        return {}

    async def observe(self, refs: Sequence[ListingRef]) -> list[Observation]:
        return await observe(self.client, refs)

    async def list_items(self, cursor: str | None = None) -> ItemPage:
        return await list_items(self.client, cursor)

    async def pull_orders(
        self, since: datetime.datetime, until: datetime.datetime, cursor: str | None = None
    ) -> OrderPage:
        return await pull_orders(self.client, since, until, cursor)

    async def read_order(self, external_id: str) -> ChannelOrder | None:
        return await pull_order(self.client, external_id)

    async def confirm_shipment(self, shipment: Shipment) -> WriteResult:
        return await confirm_shipment(self.client, shipment, notify=self.notify_buyer)

    async def issue_refund(self, refund: Refund) -> WriteResult:
        return await issue_refund(self.client, refund, notify=self.notify_buyer)

    async def look_refund(self, refund: Refund) -> WriteResult | None:
        return await look_refund(self.client, refund)

    async def read_return(self, external_id: str) -> ReturnNotice | None:
        return await read_return(self.client, external_id)

    async def cancel_order(self, cancellation: Cancellation) -> WriteResult:
        return await cancel_order(self.client, cancellation, notify=self.notify_buyer)

    async def verify_event(self, headers: Mapping[str, str], body: bytes) -> InboundEvent | None:
        signature = headers.get("x-shopify-hmac-sha256")
        if not any(verify_webhook(secret, body, signature) for secret in self.webhook_secrets):
            return None
        if self.shop_domain and headers.get("x-shopify-shop-domain", "").lower() != self.shop_domain.lower():
            return None  # another store of the same app, which signs with the same secret
        return read_headers(headers)

    def read_event(self, topic: str, body: bytes) -> Sequence[ChannelNews]:
        return read_event(topic, body)

    async def has_access(self) -> bool:
        return await has_access(self.client)

    def lacks_for_events(self) -> str | None:
        return None

    async def renew_subscriptions(self, address: str) -> Sequence[str]:
        return await renew_subscriptions(self.client, address)


def open_shopify(
    http: httpx.AsyncClient,
    quota: Quota,
    config: Mapping[str, Any],
    secrets: Mapping[str, str],
    keep_secrets: KeepSecrets | None = None,
) -> ShopifyChannel:
    """Open one store.

    `config`: base_url; shop_domain, notify_buyer when wanted. `secrets`: access_token and webhook_secret; for a token
    that expires also refresh_token, client_id, client_secret, and once renewed access_token_expires_at (seconds since
    the epoch); it is only renewed when `keep_secrets` is there to keep what comes of it.
    """
    token = AccessToken(http, config["base_url"], dict(secrets), keep_secrets)
    client = ShopifyClient(http, quota, config["base_url"], token)
    signing = tuple(dict.fromkeys(secret for name in SIGNING if (secret := secrets.get(name))))
    notify = bool(config.get("notify_buyer", True))
    return ShopifyChannel(client, signing, str(config.get("shop_domain") or ""), notify)
