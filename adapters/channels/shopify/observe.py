"""Read quantities back: what the store really sells, whatever it acknowledged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from adapters.channels.base import ListingRef, Observation
from adapters.channels.shopify.client import ShopifyClient

ITEMS_MAX = 50
COST_PER_ITEM = 3
_READ = """
query Observe($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      inventoryLevel(locationId: $location) { quantities(names: ["available"]) { name quantity } }
    }
  }
}
"""


async def observe(client: ShopifyClient, refs: Sequence[ListingRef]) -> list[Observation]:
    """One observation per reference, in order, `ITEMS_MAX` of one location in a call. Raises `Fault`."""
    found: dict[tuple[str, str], int | None] = {}
    by_location: dict[str, list[str]] = defaultdict(list)
    for ref in refs:
        by_location[ref.location].append(ref.external_id)
    for location, ids in by_location.items():
        for start in range(0, len(ids), ITEMS_MAX):
            part = ids[start : start + ITEMS_MAX]
            cost = COST_PER_ITEM * len(part)
            data = await client.call(_READ, {"ids": part, "location": location}, cost=cost)
            found |= {(node["id"], location): _available(node) for node in data.get("nodes") or [] if node}
    return [Observation(ref.external_id, found.get((ref.external_id, ref.location)), ref.location) for ref in refs]


def _available(node: dict[str, Any]) -> int | None:
    quantities = (node.get("inventoryLevel") or {}).get("quantities") or []
    return next((entry["quantity"] for entry in quantities if entry["name"] == "available"), None)
