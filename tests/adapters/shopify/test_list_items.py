"""What the store lists: every variant at every location, whatever the page and its price."""

from __future__ import annotations

import pytest

from adapters.channels.base import ChannelItem
from adapters.channels.shopify import list_items as listing
from adapters.channels.shopify.channel import ShopifyChannel
from adapters.channels.shopify.client import TooCostly
from adapters.sandbox.shopify import ProductConfig
from adapters.sandbox.shopify.config import LocationConfig
from tests.adapters.shopify.conftest import BERLIN, NEW_YORK, Setup, open_setup


async def list_all(channel: ShopifyChannel) -> tuple[list[ChannelItem], int]:
    """The items, and how many pages they came in."""
    items: list[ChannelItem] = []
    cursor = None
    for pages in range(1, 100):
        page = await channel.list_items(cursor)
        items += page.items
        cursor = page.cursor
        if cursor is None:
            return items, pages
    raise AssertionError("no end")


async def test_one_item_for_each_location_that_stocks_it(setup: Setup) -> None:
    items, pages = await list_all(setup.channel)
    assert pages == 1
    tea = ChannelItem(setup.item("TEA-1"), "TEA-1", "4006381333931", "Green tea", 10, BERLIN)
    assert items[0] == tea
    assert [(item.sku, item.quantity, item.location) for item in items[1:3]] == [
        ("TEA-1", 4, NEW_YORK),
        ("CUP-1", 3, BERLIN),
    ]


async def test_what_is_not_counted_is_listed_as_such(setup: Setup) -> None:
    [bag] = [item for item in (await list_all(setup.channel))[0] if item.sku == "BAG-1"]
    assert (bag.quantity, bag.location, bag.tracked) == (None, "", False)
    await setup.channel.set_quantities([setup.write("BAG-1", 5)])
    [stocked] = [item for item in (await list_all(setup.channel))[0] if item.sku == "BAG-1"]
    assert (stocked.quantity, stocked.location, stocked.tracked) == (None, BERLIN, False)


async def test_an_item_without_sku_or_stock(setup: Setup) -> None:
    setup.store.products[2].sku = ""
    await setup.client.post("/unstock", json={"sku": "TEA-1"})
    items = (await list_all(setup.channel))[0]
    assert [(item.sku, item.location) for item in items] == [("TEA-1", NEW_YORK), (None, BERLIN), ("BAG-1", "")]


async def test_pages_follow_and_a_page_too_dear_is_taken_smaller() -> None:
    products = tuple(ProductConfig(f"SKU-{n}", f"Thing {n}", quantity=n) for n in range(23))
    async with open_setup(products=products, query_points_max=100) as small:
        items, pages = await list_all(small.channel)
        assert [item.sku for item in items] == [f"SKU-{n}" for n in range(23)]
        assert [item.quantity for item in items] == list(range(23))
        assert pages == 5, "of five: 40, 20 and 10 were too dear"
    async with open_setup(query_points_max=10) as tiny:
        with pytest.raises(TooCostly):
            await tiny.channel.list_items()


async def test_an_item_at_more_locations_than_a_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LEVEL_PAGE", 3)
    places = tuple(LocationConfig(f"Shop {n}") for n in range(12))
    products = (ProductConfig("TEA-1", "Green tea", quantities=tuple(range(12))), ProductConfig("CUP-1", "Cup"))
    async with open_setup(products=products, locations=places) as wide:
        items, _ = await list_all(wide.channel)
        assert [item.quantity for item in items if item.sku == "TEA-1"] == list(range(12))
        assert len({item.location for item in items}) == 12
