"""Have the store tell us: after eight failed deliveries it drops a subscription, so they are looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.channels.shopify.client import ShopifyClient
from adapters.channels.shopify.list_items import read_cursor
from domain.errors import CauseClass, Fault

TOPICS = (
    "APP_UNINSTALLED",
    "FULFILLMENT_ORDERS_CANCELLATION_REQUEST_SUBMITTED",
    "INVENTORY_LEVELS_CONNECT",
    "INVENTORY_LEVELS_DISCONNECT",
    "INVENTORY_LEVELS_UPDATE",
    "ORDERS_CANCELLED",
    "ORDERS_CREATE",
    "ORDERS_EDITED",
    "ORDERS_UPDATED",
    "REFUNDS_CREATE",
    "RETURNS_APPROVE",
    "RETURNS_CANCEL",
    "RETURNS_PROCESS",
)
OPTIONAL = frozenset({"RETURNS_APPROVE", "RETURNS_CANCEL", "RETURNS_PROCESS"})
"""Of apps that may read returns: refused to others, which is no fault."""
PAGE = 100
PAGES_MAX = 10
TAKEN = "already been taken"
"""What the vendor says when somebody else subscribed us meanwhile."""
_LIST = """
query ListSubscriptions($uri: String!, $first: Int!, $after: String) {
  webhookSubscriptions(first: $first, after: $after, uri: $uri) {
    nodes { topic }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_CREATE = """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""
CREATE_COST = 10


async def renew_subscriptions(client: ShopifyClient, address: str) -> tuple[str, ...]:
    """The topics that were missing and are subscribed now.

    Raises a permanent `Fault` when the store refuses one, after all others were tried.
    """
    known = await _list_topics(client, address)
    missing = [topic for topic in TOPICS if topic not in known]
    refusals = {topic: await _subscribe(client, topic, address) for topic in missing}
    refused = [f"{topic}: {message}" for topic, message in refusals.items() if message and topic not in OPTIONAL]
    if refused:
        message = f"Shopify refused {len(refused)} webhook subscriptions. {'; '.join(refused)[:400]}"
        raise Fault(message, transient=False, cause=CauseClass.AUTH)
    return tuple(topic for topic in missing if not refusals[topic])


async def _list_topics(client: ShopifyClient, address: str) -> set[str]:
    found: set[str] = set()
    after = None
    for _ in range(PAGES_MAX):
        given = {"uri": address, "first": PAGE, "after": after}
        page = (await client.call(_LIST, given, cost=2 + PAGE))["webhookSubscriptions"]
        found |= {node["topic"] for node in page["nodes"]}
        after = read_cursor(page["pageInfo"])
        if after is None:
            break
    return found


async def _subscribe(client: ShopifyClient, topic: str, address: str) -> str | None:
    """Why not, or None."""
    given: dict[str, Any] = {"topic": topic, "subscription": {"uri": address, "format": "JSON"}}
    try:
        answer = (await client.call(_CREATE, given, cost=CREATE_COST))["webhookSubscriptionCreate"]
    except Fault as fault:
        if topic in OPTIONAL and fault.cause is CauseClass.AUTH:
            return str(fault)
        raise
    messages: Sequence[str] = [error["message"] for error in answer["userErrors"]]
    return next((message for message in messages if TAKEN not in message), None)
