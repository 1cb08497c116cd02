"""Fields of the shop itself and of its webhook subscriptions, and the lookups by id of any kind."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from adapters.sandbox.shopify.config import API_VERSION
from adapters.sandbox.shopify.context import Info, resolve_by_id, state_of
from adapters.sandbox.shopify.create_fulfillment import find_parcel
from adapters.sandbox.shopify.ids import kind_of, number_of, read_gid, write_gid
from adapters.sandbox.shopify.issue_refunds import find_refund
from adapters.sandbox.shopify.paginate import build_connection
from adapters.sandbox.shopify.process_returns import find_return
from adapters.sandbox.shopify.refunds import Refund, Return
from adapters.sandbox.shopify.resolve_fulfillment import find_shown_part
from adapters.sandbox.shopify.resolve_orders import find_line, find_order
from adapters.sandbox.shopify.resolve_stock import (
    Item,
    Variant,
    find_item,
    find_level,
    find_location,
    find_product,
    find_variant,
)
from adapters.sandbox.shopify.state import (
    TOPICS,
    Edit,
    Level,
    Line,
    Location,
    Order,
    Parcel,
    Part,
    Product,
    State,
    Subscription,
    subscribe,
    write_time,
)

SHOP_CREATED_AT = "2026-01-01T00:00:00Z"
URI_MAX = 2_000

TOPIC_NAMES = {topic: topic.replace("/", "_").upper() for topic in TOPICS}
TOPICS_BY_NAME = {name: topic for topic, name in TOPIC_NAMES.items()}


def _show_shop(source: Any, info: Info) -> dict[str, Any]:
    config = state_of(info).config
    return {
        "id": write_gid("Shop", 1),
        "name": config.name,
        "email": f"owner@{config.domain}",
        "createdAt": SHOP_CREATED_AT,
        "currencyCode": config.currency,
        "ianaTimezone": "Etc/UTC",
        "myshopifyDomain": config.domain,
        "primaryDomain": {
            "id": "gid://shopify/Domain/1",
            "host": config.domain,
            "sslEnabled": True,
            "url": f"https://{config.domain}",
        },
    }


def find_subscription(state: State, gid: str) -> Subscription | None:
    return state.subscriptions.get(read_gid("WebhookSubscription", gid) or 0)


FINDERS: dict[str, Any] = {
    "Fulfillment": find_parcel,
    "FulfillmentOrder": find_shown_part,
    "InventoryItem": find_item,
    "InventoryLevel": find_level,
    "LineItem": find_line,
    "Location": find_location,
    "Order": find_order,
    "Product": find_product,
    "ProductVariant": find_variant,
    "Refund": find_refund,
    "Return": find_return,
    "WebhookSubscription": find_subscription,
}

NODE_TYPES: dict[type, str] = {
    Edit: "CalculatedOrder",
    Item: "InventoryItem",
    Level: "InventoryLevel",
    Line: "LineItem",
    Location: "Location",
    Order: "Order",
    Parcel: "Fulfillment",
    Part: "FulfillmentOrder",
    Product: "Product",
    Refund: "Refund",
    Return: "Return",
    Subscription: "WebhookSubscription",
    Variant: "ProductVariant",
}


def find_node(state: State, gid: str) -> Any:
    finder = FINDERS.get(kind_of(gid) or "")
    return finder(state, gid) if finder else None


def _list_subscriptions(source: Any, info: Info, **args: Any) -> dict[str, Any]:
    topics, uri = args.get("topics"), args.get("uri")
    known = [
        subscription
        for subscription in state_of(info).subscriptions.values()
        if (topics is None or TOPIC_NAMES[subscription.topic] in topics) and (uri is None or subscription.uri == uri)
    ]
    return build_connection(known, lambda subscription: [subscription.index], args)


def _create_subscription(
    source: Any,
    info: Info,
    *,
    topic: str,
    webhookSubscription: dict[str, Any],  # noqa: N803
) -> dict[str, Any]:
    uri = webhookSubscription.get("uri") or webhookSubscription.get("callbackUrl") or ""
    field = ["webhookSubscription", "uri" if webhookSubscription.get("uri") else "callbackUrl"]
    problem = _check_uri(uri)
    added = None if problem else subscribe(state_of(info), TOPICS_BY_NAME[topic], uri)
    if added is None:
        message = problem or "Address for this topic has already been taken"
        return {"webhookSubscription": None, "userErrors": [{"field": field, "message": message}]}
    return {"webhookSubscription": added, "userErrors": []}


def _check_uri(uri: str) -> str | None:
    """The vendor insists on https; the sandbox also posts to http, because it runs beside its client."""
    if not uri:
        return "Address can't be blank"
    parts = urlsplit(uri)
    if len(uri) > URI_MAX or parts.scheme not in ("http", "https") or not parts.hostname:
        return "Address is invalid"
    return None


def _delete_subscription(source: Any, info: Info, *, id: str) -> dict[str, Any]:  # noqa: A002
    state = state_of(info)
    known = find_subscription(state, id)
    if known is None:
        error = {"field": ["id"], "message": "Webhook subscription does not exist"}
        return {"deletedWebhookSubscriptionId": None, "userErrors": [error]}
    del state.subscriptions[known.index]
    state.touch()
    return {"deletedWebhookSubscriptionId": id, "userErrors": []}


SUBSCRIPTION_RESOLVERS: dict[str, Any] = {
    "id": lambda known, info: write_gid("WebhookSubscription", known.index),
    "legacyResourceId": lambda known, info: str(number_of("WebhookSubscription", known.index)),
    "apiVersion": lambda known, info: {"displayName": API_VERSION, "handle": API_VERSION, "supported": True},
    "callbackUrl": lambda known, info: known.uri,
    "format": lambda known, info: "JSON",
    "topic": lambda known, info: TOPIC_NAMES[known.topic],
    "createdAt": lambda known, info: write_time(known.created_at),
    "updatedAt": lambda known, info: write_time(known.created_at),
}

RESOLVERS: dict[str, dict[str, Any]] = {
    "QueryRoot": {
        "node": resolve_by_id(find_node),
        "nodes": lambda source, info, ids: [find_node(state_of(info), gid) for gid in ids],
        "shop": _show_shop,
        "webhookSubscription": resolve_by_id(find_subscription),
        "webhookSubscriptions": _list_subscriptions,
    },
    "Mutation": {
        "webhookSubscriptionCreate": _create_subscription,
        "webhookSubscriptionDelete": _delete_subscription,
    },
    "WebhookSubscription": SUBSCRIPTION_RESOLVERS,
}
