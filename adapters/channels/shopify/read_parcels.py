"""What the store has on record as shipped: in all, or under a tracking number."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from adapters.channels.shopify.client import ShopifyClient
from adapters.channels.shopify.list_items import read_cursor

PARCELS = (10, 250)
"""Read at first, and when there are as many; the vendor shows no more."""
LINE_PAGE = 100
LINE_PAGES_MAX = 20
UNDONE = frozenset({"CANCELLED", "ERROR", "FAILURE"})
_READ = """
query ReadParcels($id: ID!, $first: Int!) {
  order(id: $id) {
    cancelledAt
    fulfillments(first: $first) { id status trackingInfo(first: 1) { number } }
  }
}
"""
_LINES = """
query ReadParcel($id: ID!, $first: Int!, $after: String) {
  fulfillment(id: $id) {
    fulfillmentLineItems(first: $first, after: $after) {
      nodes { quantity lineItem { id } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Shipped:
    """`shipped`: units by order line, also those that came back."""

    cancelled: bool
    shipped: Counter[str]


async def read_shipped(client: ShopifyClient, order_id: str, number: str | None = None) -> Shipped | None:
    """Under the tracking number; without one in all. None when the store does not know the order. Raises `Fault`."""
    order: dict[str, Any] | None = None
    for first in PARCELS:
        order = (await client.call(_READ, {"id": order_id, "first": first}, cost=1 + 2 * first))["order"]
        if order is None:
            return None
        if len(order["fulfillments"]) < first:
            break
    assert order is not None
    shipped: Counter[str] = Counter()
    for parcel in order["fulfillments"]:
        meant = number is None or any(entry["number"] == number for entry in parcel["trackingInfo"])
        if meant and parcel["status"] not in UNDONE:
            shipped += await _read_lines(client, parcel["id"])
    return Shipped(order["cancelledAt"] is not None, shipped)


async def _read_lines(client: ShopifyClient, parcel_id: str) -> Counter[str]:
    found: Counter[str] = Counter()
    after = None
    for _ in range(LINE_PAGES_MAX):
        given = {"id": parcel_id, "first": LINE_PAGE, "after": after}
        parcel = (await client.call(_LINES, given, cost=3 + 2 * LINE_PAGE))["fulfillment"]
        if parcel is None:
            break
        page = parcel["fulfillmentLineItems"]
        for node in page["nodes"]:
            found[node["lineItem"]["id"]] += node["quantity"] or 0
        after = read_cursor(page["pageInfo"])
        if after is None:
            break
    return found
