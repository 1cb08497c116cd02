"""An Amazon channel, and its notification queue, from a stored configuration and its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from adapters.channels.amazon.channel import AmazonChannel, build_channel
from adapters.channels.amazon.connection import RATES, AmazonConnection
from adapters.channels.amazon.receive_messages import MessageQueue, SqsQueue
from adapters.channels.amazon.sign_request import AwsCredentials
from adapters.channels.base import Quota
from domain.errors import CauseClass, Fault

AMAZON_BUCKETS = {operation: (rate.per_second, rate.burst) for operation, rate in RATES.items()}
"""The published usage plans; answers say what rate the seller really has."""

REQUIRED = ("seller_id", "marketplace_id", "client_id")
TEXTS = ("base_url", "lwa_url", "fulfillment_channel", "product_type")
SECONDS = ("feed_seconds", "search_lag_seconds")


def open_amazon(
    http: httpx.AsyncClient, quota: Quota, config: Mapping[str, Any], secrets: Mapping[str, str]
) -> AmazonChannel:
    """`config`: seller_id, marketplace_id, client_id; optional base_url, lwa_url, fulfillment_channel, product_type,
    feed_seconds, search_lag_seconds, external_returns. `secrets`: client_secret, refresh_token.
    Raises a permanent `Fault`.
    """
    _require(config, REQUIRED)
    _require(secrets, ("client_secret", "refresh_token"))
    options: dict[str, Any] = {name: str(config[name]) for name in (*REQUIRED, *TEXTS) if config.get(name)}
    options["external_returns"] = config.get("external_returns") is True
    options |= {name: float(config[name]) for name in SECONDS if name in config}
    connection = AmazonConnection(
        client_secret=secrets["client_secret"], refresh_token=secrets["refresh_token"], **options
    )
    return build_channel(http, connection, quota)


def open_queue(http: httpx.AsyncClient, config: Mapping[str, Any], secrets: Mapping[str, str]) -> MessageQueue | None:
    """None without a `queue_url`. `config`: also queue_region. `secrets`: aws_access_key_id, aws_secret_access_key,
    and aws_session_token of temporary ones. Raises a permanent `Fault`.
    """
    if not config.get("queue_url"):
        return None
    _require(config, ("queue_region",))
    _require(secrets, ("aws_access_key_id", "aws_secret_access_key"))
    credentials = AwsCredentials(
        secrets["aws_access_key_id"], secrets["aws_secret_access_key"], secrets.get("aws_session_token")
    )
    return SqsQueue(http, str(config["queue_url"]), str(config["queue_region"]), credentials)


def _require(given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    missing = [name for name in names if not given.get(name)]
    if missing:
        message = f"An Amazon channel needs {', '.join(missing)}."
        raise Fault(message, transient=False, cause=CauseClass.VALIDATION)
