"""What each kind of channel is opened with: from its stored configuration and credentials to its adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.channels.amazon.open_amazon import AMAZON_BUCKETS, open_amazon, open_queue
from adapters.channels.amazon.receive_messages import MessageQueue
from adapters.channels.base import Channel, KeepSecrets, Quota
from adapters.channels.ebay.channel import open_ebay
from adapters.channels.shopify.channel import SHOPIFY_BUCKETS, open_shopify

Config = Mapping[str, Any]
Secrets = Mapping[str, str]
Buckets = Mapping[str, tuple[float, float]]
DAY_SECONDS = 86_400
EBAY_BUCKETS = {
    "inventory": (5_000_000 / DAY_SECONDS, 1_000.0),
    "fulfillment": (100_000 / DAY_SECONDS, 1_000.0),
    "notification": (10_000 / DAY_SECONDS, 100.0),
    "analytics": (400 / DAY_SECONDS, 50.0),
}
"""Until the Developer Analytics API says what the application has."""


@dataclass(frozen=True, slots=True)
class Opener:
    """`buckets`: (tokens a second, most it holds) of the vendor's budgets until it says otherwise.

    `queue`: where the vendor leaves its events, when it does not send them. `renewed`: instead of `open`, for a vendor
    that gives new credentials at every renewal.
    """

    open: Callable[[httpx.AsyncClient, Quota, Config, Secrets], Channel]
    buckets: Buckets
    queue: Callable[[httpx.AsyncClient, Config, Secrets], MessageQueue | None] | None = None
    renewed: Callable[[httpx.AsyncClient, Quota, Config, Secrets, KeepSecrets], Channel] | None = None


OPENERS: dict[str, Opener] = {
    "SHOPIFY": Opener(open_shopify, SHOPIFY_BUCKETS, renewed=open_shopify),
    "AMAZON": Opener(open_amazon, AMAZON_BUCKETS, open_queue),
    "EBAY": Opener(open_ebay, EBAY_BUCKETS),
}
"""A kind that is not here is told nothing: direct B2B."""
