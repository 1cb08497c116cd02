"""What each kind of channel is opened with: from its stored configuration and credentials to its adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.channels.amazon.channel import open_amazon
from adapters.channels.amazon.connection import RATES, AmazonConnection
from adapters.channels.amazon.receive_messages import MessageQueue, SqsQueue
from adapters.channels.amazon.sign_request import AwsCredentials
from adapters.channels.base import Channel, Quota
from adapters.channels.ebay.channel import open_channel as open_ebay_channel
from adapters.channels.ebay.settings import EbayCredentials, EbaySettings
from adapters.channels.shopify.channel import SHOPIFY_BUCKETS, open_shopify

Config = Mapping[str, Any]
Secrets = Mapping[str, str]
Buckets = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Opener:
    """`buckets`: (tokens a second, most it holds) of the vendor's budgets until it says otherwise.

    `queue`: where the vendor leaves its events, when it does not send them.
    """

    open: Callable[[httpx.AsyncClient, Quota, Config, Secrets], Channel]
    buckets: Buckets
    queue: Callable[[httpx.AsyncClient, Config, Secrets], MessageQueue | None] | None = None


def _open_amazon(http: httpx.AsyncClient, quota: Quota, config: Config, secrets: Secrets) -> Channel:
    names = ("base_url", "lwa_url", "fulfillment_channel", "product_type", "feed_seconds", "search_lag_seconds")
    connection = AmazonConnection(
        seller_id=config["seller_id"],
        marketplace_id=config["marketplace_id"],
        client_id=secrets["client_id"],
        client_secret=secrets["client_secret"],
        refresh_token=secrets["refresh_token"],
        **{name: config[name] for name in names if name in config},
    )
    return open_amazon(http, connection, quota)


def _open_amazon_queue(http: httpx.AsyncClient, config: Config, secrets: Secrets) -> MessageQueue | None:
    if not config.get("queue_url"):
        return None
    credentials = AwsCredentials(secrets["aws_access_key_id"], secrets["aws_secret_access_key"])
    return SqsQueue(http, config["queue_url"], config.get("region", "us-east-1"), credentials)


def _open_ebay(http: httpx.AsyncClient, quota: Quota, config: Config, secrets: Secrets) -> Channel:
    names = ("base_url", "locale", "out_of_stock_control", "revisions_per_day", "time_zone", "endpoint")
    settings = EbaySettings(
        verification_token=secrets.get("verification_token"),
        **{name: config[name] for name in names if name in config},
    )
    credentials = EbayCredentials(secrets["client_id"], secrets["client_secret"], secrets["refresh_token"])
    return open_ebay_channel(http, credentials, quota, settings)


OPENERS: Mapping[str, Opener] = {
    "SHOPIFY": Opener(open_shopify, SHOPIFY_BUCKETS),
    "AMAZON": Opener(
        _open_amazon,
        {name: (rate.per_second, rate.burst) for name, rate in RATES.items()},
        _open_amazon_queue,
    ),
    "EBAY": Opener(
        _open_ebay,
        {
            "inventory": (5_000_000 / 86_400, 1_000.0),
            "fulfillment": (100_000 / 86_400, 1_000.0),
            "notification": (10_000 / 86_400, 100.0),
            "analytics": (400 / 86_400, 50.0),
        },
    ),
}
"""A kind that is not here is told nothing: direct B2B."""
