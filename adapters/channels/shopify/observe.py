"""Read quantities back: what the store really sells, whatever it acknowledged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from adapters.channels.base import ListingRef, Observation
from adapters.channels.shopify.client import ShopifyClient, TooCostly

ITEMS_MAX = 50
COST_PER_ITEM = 3
_READ = """
query Observe($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      tracked
      inventoryLevel(locationId: $location) { quantities(names: ["available"]) { name quantity } }
    }
  }
}
"""
Nodes = dict[str, dict[str, Any]]


async def observe(client: ShopifyClient, refs: Sequence[ListingRef]) -> list[Observation]:
    """One observation per reference, in order, `ITEMS_MAX` of one location in a call. Raises `Fault`."""
    by_location: dict[str, dict[str, None]] = defaultdict(dict)
    for ref in refs:
        by_location[ref.location][ref.external_id] = None
    found: dict[str, Nodes] = {}
    for location, ids in by_location.items():
        found[location] = await _read(client, location, list(ids))
    return [_observation(ref, found[ref.location].get(ref.external_id)) for ref in refs]


async def _read(client: ShopifyClient, location: str, ids: Sequence[str]) -> Nodes:
    """The items that the store knows, by id."""
    found: Nodes = {}
    waiting = [ids[start : start + ITEMS_MAX] for start in range(0, len(ids), ITEMS_MAX)]
    while waiting:
        part = waiting.pop()
        try:
            data = await client.call(_READ, {"ids": part, "location": location}, cost=COST_PER_ITEM * len(part))
        except TooCostly:
            if len(part) == 1:
                raise
            waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
            continue
        found |= {node["id"]: node for node in data.get("nodes") or [] if node}
    return found


def _observation(ref: ListingRef, node: dict[str, Any] | None) -> Observation:
    """An item that is not tracked sells without being counted: whatever number it shows means nothing."""
    if node is None or not node["tracked"]:
        return Observation(ref.external_id, None, ref.location, tracked=node is None)
    return Observation(ref.external_id, read_available(node.get("inventoryLevel")), ref.location)


def read_available(level: dict[str, Any] | None) -> int | None:
    """None where the item is not stocked."""
    quantities = (level or {}).get("quantities") or []
    return next((entry["quantity"] for entry in quantities if entry["name"] == "available"), None)
