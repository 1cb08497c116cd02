"""Read quantities back: what the store really sells, whatever it acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.channels.base import Observation
from adapters.channels.shopify.client import ShopifyClient

ITEMS_MAX = 50
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


async def observe(client: ShopifyClient, location_id: str, external_ids: Sequence[str]) -> list[Observation]:
    """One observation per id, at most `ITEMS_MAX`. Raises `Fault`."""
    data = await client.call(_READ, {"ids": list(external_ids), "location": location_id})
    found = {node["id"]: _available(node) for node in data.get("nodes") or [] if node}
    return [Observation(external_id, found.get(external_id)) for external_id in external_ids]


def _available(node: dict[str, Any]) -> int | None:
    quantities = (node.get("inventoryLevel") or {}).get("quantities") or []
    return next((entry["quantity"] for entry in quantities if entry["name"] == "available"), None)
