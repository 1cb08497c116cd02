"""What is left to ship of an order, as the store divided it into fulfilment orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.channels.shopify.client import ShopifyClient
from adapters.channels.shopify.list_items import read_cursor

PARTS = 5
LINES = 25
LINE_PAGE = 200
PAGES_MAX = 20
ACTIONS = 12
"""Kinds of action that the vendor knows: a list whose length is not ours to choose."""
PARTS_COST = 3 + PARTS * (3 + ACTIONS + 2 + 2 * LINES)
_SHARES = """
fragment Shares on FulfillmentOrderLineItemConnection {
  nodes { id remainingQuantity lineItem { id } }
  pageInfo { hasNextPage endCursor }
}
"""
_READ = (
    """
query ReadParts($id: ID!, $first: Int!, $after: String, $lines: Int!) {
  order(id: $id) {
    fulfillmentOrders(first: $first, after: $after) {
      nodes {
        id
        supportedActions { action }
        assignedLocation { location { id } }
        lineItems(first: $lines) { ...Shares }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
    + _SHARES
)
_MORE = (
    """
query MoreShares($id: ID!, $first: Int!, $after: String) {
  fulfillmentOrder(id: $id) { lineItems(first: $first, after: $after) { ...Shares } }
}
"""
    + _SHARES
)


@dataclass(frozen=True, slots=True)
class Share:
    """Units of one order line in one fulfilment order. `open`: they may be shipped now."""

    id: str
    part: str
    location: str
    line: str
    remaining: int
    open: bool


async def list_shares(client: ShopifyClient, order_id: str) -> list[Share]:
    """Of all fulfilment orders; empty while there are none. Raises `Fault`."""
    found: list[Share] = []
    after = None
    for _ in range(PAGES_MAX):
        given = {"id": order_id, "first": PARTS, "after": after, "lines": LINES}
        order = (await client.call(_READ, given, cost=PARTS_COST))["order"]
        if order is None:
            break
        page = order["fulfillmentOrders"]
        for part in page["nodes"]:
            found += [_share(part, node) for node in await _read_lines(client, part)]
        after = read_cursor(page["pageInfo"])
        if after is None:
            break
    return found


async def _read_lines(client: ShopifyClient, part: dict[str, Any]) -> list[dict[str, Any]]:
    page = part["lineItems"]
    lines: list[dict[str, Any]] = list(page["nodes"])
    for _ in range(PAGES_MAX):
        after = read_cursor(page["pageInfo"])
        if after is None:
            break
        given = {"id": part["id"], "first": LINE_PAGE, "after": after}
        data = await client.call(_MORE, given, cost=3 + 2 * LINE_PAGE)
        if data["fulfillmentOrder"] is None:
            break
        page = data["fulfillmentOrder"]["lineItems"]
        lines += page["nodes"]
    return lines


def _share(part: dict[str, Any], node: dict[str, Any]) -> Share:
    """A location that was deleted is null: parts without one share the empty name."""
    location = part["assignedLocation"]["location"]
    return Share(
        id=node["id"],
        part=part["id"],
        location=location["id"] if location else "",
        line=node["lineItem"]["id"],
        remaining=node["remainingQuantity"],
        open=any(entry["action"] == "CREATE_FULFILLMENT" for entry in part["supportedActions"]),
    )
