"""What Amazon sells from, read back and listed."""

from __future__ import annotations

from adapters.channels.base import ChannelItem, ListingRef, Observation
from adapters.sandbox.amazon import ProductConfig
from adapters.sandbox.amazon.state import load_product
from tests.adapters.amazon.conftest import Setup, open_setup


async def list_all(setup: Setup) -> list[ChannelItem]:
    found: list[ChannelItem] = []
    cursor = None
    for _ in range(50):
        page = await setup.channel.list_items(cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    return found


async def test_in_order_in_groups_of_twenty_and_none_for_the_unknown() -> None:
    products = tuple(ProductConfig(f"S-{n:02d}", "Thing", quantity=n) for n in range(45))
    async with open_setup(products=products) as setup:
        refs = [ListingRef(f"S-{n:02d}") for n in reversed(range(45))]
        refs.insert(7, ListingRef("GONE"))
        seen = await setup.channel.observe(refs)
        assert [entry.external_id for entry in seen] == [ref.external_id for ref in refs]
        assert seen[7] == Observation("GONE", None)
        assert [entry.quantity for entry in seen if entry.quantity is not None] == list(reversed(range(45)))
        assert setup.quota.count("searchListingsItems") == 3


async def test_a_sale_lowers_what_is_published(setup: Setup) -> None:
    await setup.market.buy("TEA-1", 4)
    [seen] = await setup.channel.observe([ListingRef("TEA-1")])
    assert seen.quantity == 6


async def test_stock_at_amazon_is_not_ours_to_see(setup: Setup) -> None:
    [seen] = await setup.channel.observe([ListingRef("FBA-1")])
    assert seen.quantity is None


async def test_unknown_sku_with_a_comma(setup: Setup) -> None:
    assert await setup.channel.observe([ListingRef("GO,NE")]) == [Observation("GO,NE", None)]


async def test_nothing_to_observe_asks_nothing(setup: Setup) -> None:
    assert await setup.channel.observe([]) == []
    assert setup.quota.taken == []


async def test_items_say_what_matching_needs(setup: Setup) -> None:
    items = {item.sku: item for item in await list_all(setup)}
    assert items["TEA-1"] == ChannelItem("TEA-1", "TEA-1", "4006381333931", "Green tea", 10, reference="TEA:3")
    assert items["CUP-1"].reference == "PRODUCT:"
    assert (items["FBA-1"].quantity, items["FBA-1"].reference) == (None, "PRODUCT")


async def test_listing_pages_do_not_shift_when_listings_change() -> None:
    """The vendor sorts by time of change unless told otherwise."""
    products = tuple(ProductConfig(f"S-{n:02d}", "Thing", quantity=n) for n in range(55))
    async with open_setup(products=products) as setup:
        await setup.market.set_faults(page_shift={"rate": 1})
        assert [item.sku for item in await list_all(setup)] == [f"S-{n:02d}" for n in range(55)]


async def test_the_shift_is_real_in_the_vendors_own_order() -> None:
    products = tuple(ProductConfig(f"S-{n:02d}", "Thing") for n in range(30))
    async with open_setup(products=products) as setup:
        await setup.market.set_faults(page_shift={"rate": 1})
        path, seen = f"/listings/2021-08-01/items/{setup.channel.connection.seller_id}", []
        query = {"marketplaceIds": setup.channel.connection.marketplace_id, "pageSize": "20"}
        for _ in range(2):
            page = await setup.channel.api.call("searchListingsItems", "GET", path, params=query)
            seen += [item["sku"] for item in page["items"]]
            query["pageToken"] = page["pagination"].get("nextToken", "")
        assert len(set(seen)) < len(seen) == 30


async def test_new_listing_between_two_pages_is_no_harm() -> None:
    products = tuple(ProductConfig(f"S-{n:02d}", "Thing") for n in range(25))
    async with open_setup(products=products) as setup:
        page = await setup.channel.list_items()
        load_product(setup.market.market.state, ProductConfig("Z-99", "New"))
        rest = await setup.channel.list_items(page.cursor)
        assert [item.sku for item in rest.items] == ["S-20", "S-21", "S-22", "S-23", "S-24", "Z-99"]
