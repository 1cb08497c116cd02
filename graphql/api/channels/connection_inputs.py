"""What each kind of channel is connected with. Credentials can be given and never be read."""

from __future__ import annotations

from typing import Any

import strawberry

from app.channels.check_connection import Connection


@strawberry.input(description="A store. Credentials are kept encrypted and never shown.")
class ShopifyConnection:
    base_url: str = strawberry.field(description="As in https://store.myshopify.com.")
    access_token: str = strawberry.field(description="Of the Admin API.")
    webhook_secret: str = strawberry.field(description="What the store signs its webhooks with.")
    refresh_token: str | None = strawberry.field(
        default=strawberry.UNSET, description="Of an access token that ends: with it and the next two it is renewed."
    )
    client_id: str | None = strawberry.UNSET
    client_secret: str | None = strawberry.UNSET
    shop_domain: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="As in store.myshopify.com: only its events are taken.",
    )


@strawberry.input(description="What is left out stays. A new webhookSecret counts beside the one before it.")
class ShopifyConnectionChange:
    base_url: str | None = strawberry.UNSET
    access_token: str | None = strawberry.UNSET
    webhook_secret: str | None = strawberry.UNSET
    refresh_token: str | None = strawberry.UNSET
    client_id: str | None = strawberry.UNSET
    client_secret: str | None = strawberry.UNSET
    shop_domain: str | None = strawberry.UNSET


@strawberry.input(description="A seller account in one marketplace. Credentials are kept encrypted and never shown.")
class AmazonConnection:
    seller_id: str
    marketplace_id: str
    client_id: str = strawberry.field(description="Of Login with Amazon.")
    client_secret: str
    refresh_token: str
    base_url: str | None = strawberry.field(default=strawberry.UNSET, description="Left out: North America.")
    lwa_url: str | None = strawberry.UNSET
    fulfillment_channel: str | None = strawberry.field(
        default=strawberry.UNSET, description="The stock that is written; left out: DEFAULT, the seller's own."
    )
    product_type: str | None = strawberry.field(
        default=strawberry.UNSET, description="Of listings whose own is not known; left out: PRODUCT."
    )
    external_returns: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="The seller has External Fulfillment (SmartConnect): its returns are asked for.",
    )
    queue_url: str | None = strawberry.field(
        default=strawberry.UNSET, description="The SQS queue that Amazon leaves notifications in."
    )
    queue_region: str | None = strawberry.field(name="region", default=strawberry.UNSET, description="Of the queue.")
    aws_access_key_id: str | None = strawberry.field(default=strawberry.UNSET, description="For the queue.")
    aws_secret_access_key: str | None = strawberry.UNSET


@strawberry.input(description="What is left out stays.")
class AmazonConnectionChange:
    seller_id: str | None = strawberry.UNSET
    marketplace_id: str | None = strawberry.UNSET
    client_id: str | None = strawberry.UNSET
    client_secret: str | None = strawberry.UNSET
    refresh_token: str | None = strawberry.UNSET
    base_url: str | None = strawberry.UNSET
    lwa_url: str | None = strawberry.UNSET
    fulfillment_channel: str | None = strawberry.UNSET
    product_type: str | None = strawberry.UNSET
    external_returns: bool | None = strawberry.UNSET
    queue_url: str | None = strawberry.UNSET
    queue_region: str | None = strawberry.field(name="region", default=strawberry.UNSET)
    aws_access_key_id: str | None = strawberry.UNSET
    aws_secret_access_key: str | None = strawberry.UNSET


@strawberry.input(description="A seller account. Credentials are kept encrypted and never shown.")
class EbayConnection:
    client_id: str
    client_secret: str
    refresh_token: str
    base_url: str | None = strawberry.field(default=strawberry.UNSET, description="Left out: production.")
    locale: str | None = strawberry.UNSET
    out_of_stock_control: bool | None = strawberry.field(
        default=strawberry.UNSET, description="The seller switched this on: only then a quantity of 0 may be sent."
    )
    revisions_per_day: int | None = strawberry.field(
        default=strawberry.UNSET, description="That a listing may have; left out: 250."
    )
    time_zone: str | None = strawberry.field(
        default=strawberry.UNSET, description="Whose midnight gives a listing its revisions back."
    )
    endpoint: str | None = strawberry.field(
        default=strawberry.UNSET, description="Our public address for its events; left out: of ONHAND_PUBLIC_URL."
    )
    alert_email: str | None = strawberry.field(
        default=strawberry.UNSET, description="Whom eBay writes to when it cannot send events. Without it we only poll."
    )
    verification_token: str | None = strawberry.field(
        default=strawberry.UNSET, description="32 to 80 letters, digits, - and _: what proves the endpoint ours."
    )


@strawberry.input(description="What is left out stays.")
class EbayConnectionChange:
    client_id: str | None = strawberry.UNSET
    client_secret: str | None = strawberry.UNSET
    refresh_token: str | None = strawberry.UNSET
    base_url: str | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET
    out_of_stock_control: bool | None = strawberry.UNSET
    revisions_per_day: int | None = strawberry.UNSET
    time_zone: str | None = strawberry.UNSET
    endpoint: str | None = strawberry.UNSET
    alert_email: str | None = strawberry.UNSET
    verification_token: str | None = strawberry.UNSET


@strawberry.input(description="Companies that order through our own API.")
class B2bConnection:
    customers: str | None = strawberry.field(default=strawberry.UNSET, description="Who orders there, for people.")


SECRETS = {
    "shopify": ("access_token", "webhook_secret", "refresh_token", "client_id", "client_secret"),
    "amazon": ("client_secret", "refresh_token", "aws_access_key_id", "aws_secret_access_key"),
    "ebay": ("client_id", "client_secret", "refresh_token", "verification_token"),
    "b2b": (),
}


def read_connections(command: Any) -> list[Connection | None]:
    """From an input with the fields `shopify`, `amazon`, `ebay` and `b2b`."""
    return [_read(name, getattr(command, name)) for name in SECRETS]


def _read(name: str, given: Any) -> Connection | None:
    if given is None:
        return None
    values = {key: value for key, value in vars(given).items() if value is not strawberry.UNSET and value is not None}
    secrets = {key: values.pop(key) for key in SECRETS[name] if key in values}
    return Connection(name.upper(), name, values, secrets)
