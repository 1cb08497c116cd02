"""What the store lists: one item per variant and location that stocks it."""

from __future__ import annotations

from typing import Any

from adapters.channels.base import ChannelItem, ItemPage
from adapters.channels.shopify.client import ShopifyClient, TooCostly
from adapters.channels.shopify.observe import read_available

VARIANTS_MAX = 10
"""A page of 40 would ask for three quarters of the smallest bucket, which is never there while anything else runs."""
LEVELS_MAX = 5
"""Locations read with a variant; of the few that have more, the rest is read by itself."""
LEVEL_PAGE = 100
LEVEL_PAGES_MAX = 20
LEVEL_COST = 3
DEFAULT_TITLE = " - Default Title"
_LEVELS = """
fragment Levels on InventoryLevelConnection {
  nodes { location { id } quantities(names: ["available"]) { name quantity } }
  pageInfo { hasNextPage endCursor }
}
"""
_LIST = (
    """
query ListItems($first: Int!, $after: String, $levels: Int!) {
  productVariants(first: $first, after: $after, sortKey: ID) {
    nodes { sku barcode displayName inventoryItem { id tracked inventoryLevels(first: $levels) { ...Levels } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _LEVELS
)
_MORE = (
    """
query MoreLevels($item: ID!, $first: Int!, $after: String) {
  inventoryItem(id: $item) { inventoryLevels(first: $first, after: $after) { ...Levels } }
}
"""
    + _LEVELS
)


async def list_items(client: ShopifyClient, cursor: str | None) -> ItemPage:
    """One page of variants; smaller when the store finds it too costly. Raises `Fault`."""
    first = VARIANTS_MAX
    while True:
        given = {"first": first, "after": cursor, "levels": LEVELS_MAX}
        try:
            data = await client.call(_LIST, given, cost=2 + first * (4 + LEVEL_COST * LEVELS_MAX))
            break
        except TooCostly:
            if first == 1:
                raise
            first //= 2
    page = data["productVariants"]
    items: list[ChannelItem] = []
    for variant in page["nodes"]:
        items += _read_items(variant, await _read_levels(client, variant["inventoryItem"]))
    return ItemPage(tuple(items), read_cursor(page["pageInfo"]))


def read_cursor(page: dict[str, Any]) -> str | None:
    """Of a connection's `pageInfo`: where the next page starts, None at the end."""
    return page["endCursor"] if page["hasNextPage"] else None


async def _read_levels(client: ShopifyClient, item: dict[str, Any]) -> list[dict[str, Any]]:
    page = item["inventoryLevels"]
    levels: list[dict[str, Any]] = list(page["nodes"])
    for _ in range(LEVEL_PAGES_MAX):
        after = read_cursor(page["pageInfo"])
        if after is None:
            break
        given = {"item": item["id"], "first": LEVEL_PAGE, "after": after}
        data = await client.call(_MORE, given, cost=3 + LEVEL_COST * LEVEL_PAGE)
        if data["inventoryItem"] is None:
            break
        page = data["inventoryItem"]["inventoryLevels"]
        levels += page["nodes"]
    return levels


def _read_items(variant: dict[str, Any], levels: list[dict[str, Any]]) -> list[ChannelItem]:
    """An item that is not tracked is listed although it has no levels, so that somebody sees why it cannot be told."""
    item = variant["inventoryItem"]
    if not item["tracked"] and not levels:
        return [_read_item(variant, "", None)]
    return [
        _read_item(variant, level["location"]["id"], read_available(level) if item["tracked"] else None)
        for level in levels
    ]


def _read_item(variant: dict[str, Any], location: str, quantity: int | None) -> ChannelItem:
    return ChannelItem(
        external_id=variant["inventoryItem"]["id"],
        sku=variant["sku"] or None,
        barcode=variant["barcode"] or None,
        title=variant["displayName"].removesuffix(DEFAULT_TITLE),
        quantity=quantity,
        location=location,
        tracked=variant["inventoryItem"]["tracked"],
    )
