"""What eBay shows: quantities read back, everything listed found."""

from __future__ import annotations

import pytest

from adapters.channels.base import ChannelItem, ListingRef
from adapters.channels.ebay.channel import EbayChannel
from adapters.sandbox.ebay import ProductConfig
from adapters.sandbox.ebay.change_stock import change_outside, change_quantity, end_listing
from domain.errors import CauseClass, Fault
from tests.adapters.ebay.market import Market, connect, open_market


def ref(market: Market, sku: str) -> ListingRef:
    return ListingRef(sku, "anywhere", market.reference(sku))


async def test_observes_in_order_what_buyers_see(market: Market, ebay: EbayChannel) -> None:
    refs = [ref(market, "CUP-1"), ListingRef("NONE", reference="1"), ref(market, "TEA-1"), ListingRef("POT-1")]
    seen = await ebay.observe(refs)
    assert [(one.external_id, one.quantity) for one in seen] == [
        ("CUP-1", 3),
        ("NONE", None),
        ("TEA-1", 10),
        ("POT-1", 5),
    ]
    assert seen[0].location == "anywhere"


async def test_a_listing_sells_the_smaller_of_its_two_numbers(market: Market, ebay: EbayChannel) -> None:
    change_quantity(market.account, "TEA-1", total=4, cause="outside")
    offer = market.account.offers_by_sku["CUP-1"][0]
    change_quantity(market.account, "CUP-1", offers={offer.offer_id: 1}, cause="outside")
    seen = await ebay.observe([ref(market, "TEA-1"), ref(market, "CUP-1")])
    assert [one.quantity for one in seen] == [4, 1]


async def test_what_happened_elsewhere_is_seen(market: Market, ebay: EbayChannel) -> None:
    await market.buy("TEA-1", 2)
    change_outside(market.account, "CUP-1", -1)
    end_listing(market.account, market.account.offers_by_sku["POT-1"][0])
    seen = await ebay.observe([ref(market, sku) for sku in ("TEA-1", "CUP-1", "POT-1")])
    assert [one.quantity for one in seen] == [8, 2, 0]


async def test_an_offer_that_is_gone_is_unknown(market: Market, ebay: EbayChannel) -> None:
    [seen] = await ebay.observe([ListingRef("TEA-1", reference="8999999999/110000000001")])
    assert seen.quantity is None


async def test_sixty_listings_take_three_bulk_requests() -> None:
    products = tuple(ProductConfig(f"S-{n}", f"Thing {n}", quantity=n) for n in range(60))
    async with open_market(products=products) as market, connect(market) as ebay:
        seen = await ebay.observe([ref(market, product.sku) for product in products])
        assert [one.quantity for one in seen] == list(range(60))
        assert market.recorder.count("/bulk_get_inventory_item") == 3


async def test_what_could_not_be_read_is_a_fault_and_not_unknown(market: Market, ebay: EbayChannel) -> None:
    await ebay.observe([ref(market, "TEA-1")])
    await market.faults(seed=5, server_error={"rate": 0.4})
    outcomes: set[object] = set()
    for _ in range(20):
        try:
            outcomes.add((await ebay.observe([ref(market, "TEA-1")]))[0].quantity)
        except Fault as fault:
            outcomes.add(fault.cause)
    assert outcomes == {10, CauseClass.OUTAGE}


async def test_lists_everything_page_by_page() -> None:
    products = tuple(
        ProductConfig(f"S-{n:03}", f"Thing {n}", barcode=f"{4006381333900 + n}", quantity=n) for n in range(120)
    )
    async with open_market(products=products) as market, connect(market) as ebay:
        items: list[ChannelItem] = []
        cursor, pages = None, 0
        while pages < 10:
            page = await ebay.list_items(cursor)
            items += page.items
            pages, cursor = pages + 1, page.cursor
            if cursor is None:
                break
        assert (pages, len(items)) == (3, 120)
        assert [item.external_id for item in items] == [product.sku for product in products]
        assert items[7].barcode == "4006381333907"
        assert items[7].title == "Thing 7"
        assert items[7].quantity == 7
        assert items[7].reference == market.reference("S-007")


async def test_a_foreign_cursor_is_refused(ebay: EbayChannel) -> None:
    with pytest.raises(Fault) as caught:
        await ebay.list_items("next")
    assert not caught.value.transient
