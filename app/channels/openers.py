"""What each kind of channel is opened with: from its stored configuration and credentials to its adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    that gives new credentials at every renewal. `account`: what the vendor counts its budgets by; channels with
    the same share them. None: each channel is one of its own.
    """

    open: Callable[[httpx.AsyncClient, Quota, Config, Secrets], Channel]
    buckets: Buckets
    queue: Callable[[httpx.AsyncClient, Config, Secrets], MessageQueue | None] | None = None
    renewed: Callable[[httpx.AsyncClient, Quota, Config, Secrets, KeepSecrets], Channel] | None = None
    account: Callable[[Config, Secrets], Sequence[str]] | None = None


def _store(config: Config, _: Secrets) -> Sequence[str]:
    """Points are of an app in a store."""
    return (config["base_url"].rstrip("/"),)


def _seller(config: Config, _: Secrets) -> Sequence[str]:
    """Usage plans are of an application and a seller, in all marketplaces of an endpoint."""
    return (config.get("base_url") or "", config["seller_id"], config["client_id"])


def _application(config: Config, secrets: Secrets) -> Sequence[str]:
    """Daily calls are the application's, whatever sellers it works for."""
    return (config.get("base_url") or "", secrets["client_id"])


OPENERS: dict[str, Opener] = {
    "SHOPIFY": Opener(open_shopify, SHOPIFY_BUCKETS, renewed=open_shopify, account=_store),
    "AMAZON": Opener(open_amazon, AMAZON_BUCKETS, open_queue, account=_seller),
    "EBAY": Opener(open_ebay, EBAY_BUCKETS, account=_application),
}
"""A kind that is not here is told nothing: direct B2B."""
