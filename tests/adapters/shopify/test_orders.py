"""Orders pulled: the window, the pages, all lines, and what edits, refunds and cancellations leave of them."""

from __future__ import annotations

import datetime

import pytest

from adapters.channels.base import ChannelOrder
from adapters.channels.shopify import pull_orders as pulling
from adapters.channels.shopify.read_order import read_time
from adapters.sandbox.shopify import ProductConfig
from adapters.sandbox.shopify.ids import write_gid
from tests.adapters.shopify.conftest import Setup, open_setup, window

ADDRESS = {
    "name": "Ada Byron",
    "company": "Engines",
    "address1": "1 Square",
    "address2": "",
    "city": "London",
    "province": "England",
    "province_code": "ENG",
    "zip": "W1",
    "country_code": "GB",
    "latitude": 51.5,
    "longitude": -0.1,
}


async def pull_all(setup: Setup) -> list[ChannelOrder]:
    since, until = window()
    orders: list[ChannelOrder] = []
    cursor = None
    for _ in range(100):
        page = await setup.channel.pull_orders(since, until, cursor)
        assert page.until is None
        orders += page.orders
        cursor = page.cursor
        if cursor is None:
            return orders
    raise AssertionError("no end")


def units(order: ChannelOrder) -> dict[str | None, int]:
    return {line.sku: line.quantity for line in order.lines}


async def test_a_new_order_with_everything_it_says(setup: Setup) -> None:
    placed = await setup.buy(
        ("TEA-1", 2),
        ("CUP-1", 1),
        shipping_address=ADDRESS,
        email="ada@example.com",
        fulfill_by="2030-01-02T03:04:05Z",
    )
    [order] = await pull_all(setup)
    assert (order.external_id, order.name, order.email) == (placed, "#1001", "ada@example.com")
    assert units(order) == {"TEA-1": 2, "CUP-1": 1}
    assert order.lines[0].external_id.startswith("gid://shopify/LineItem/")
    assert order.lines[0].title == "Green tea"
    assert order.address is not None
    assert order.address.lines == ("Engines", "1 Square")
    assert (order.address.region, order.address.postal_code, order.address.country_code) == ("ENG", "W1", "GB")
    assert (order.country_code, order.latitude, order.longitude) == ("GB", 51.5, -0.1)
    assert order.ship_by == datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    assert (order.pending, order.cancelled, order.cancel_requested) == (False, False, False)
    assert order.version is not None
    assert order.version == int(order.placed_at.timestamp())


async def test_only_what_changed_in_the_window(setup: Setup) -> None:
    await setup.buy(("TEA-1", 1))
    _, until = window()
    hour = datetime.timedelta(hours=1)
    assert (await setup.channel.pull_orders(until - 2 * hour, until - hour)).orders == ()
    assert (await setup.channel.pull_orders(until + hour, until + 2 * hour)).orders == ()
    assert len((await setup.channel.pull_orders(until - hour, until)).orders) == 1


async def test_pages_follow_the_oldest_change_first_and_a_dear_page_is_taken_smaller() -> None:
    async with open_setup(query_points_max=200) as small:
        placed = [await small.buy(("TEA-1", 1)) for _ in range(13)]
        await small.tell("request-cancellation", placed[0])
        assert [order.external_id for order in await pull_all(small)] == [*placed[1:], placed[0]]


async def test_all_lines_of_a_long_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "LINE_PAGE", 7)
    products = tuple(ProductConfig(f"SKU-{n}", f"Thing {n}", quantity=9) for n in range(33))
    async with open_setup(products=products) as long:
        placed = await long.buy(*((product.sku, 1) for product in products))
        [order] = await pull_all(long)
        assert [line.sku for line in order.lines] == [product.sku for product in products]
        assert await long.channel.read_order(placed) == order


async def test_units_edited_out_or_refunded_are_left_out(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 4), ("CUP-1", 2))
    await setup.tell("edit", placed, lines=[{"sku": "CUP-1", "quantity": 0}])
    await setup.tell("refund", placed, lines=[{"sku": "TEA-1", "quantity": 1}])
    [order] = await pull_all(setup)
    assert units(order) == {"TEA-1": 3}
    assert not order.cancelled


async def test_a_cancelled_order_wants_nothing(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 4))
    await setup.tell("cancel", placed)
    [order] = await pull_all(setup)
    assert (order.cancelled, order.lines) == (True, ())
    assert setup.shown("TEA-1") == 10


async def test_an_order_that_is_not_paid_is_pending_until_it_is(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 1), pending=True)
    assert [order.pending for order in await pull_all(setup)] == [True]
    await setup.tell("pay", placed)
    assert [order.pending for order in await pull_all(setup)] == [False]


async def test_an_order_is_read_by_its_id_and_by_a_part_of_it(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 12))
    await setup.tell("request-cancellation", placed)
    order = await setup.channel.read_order(placed)
    assert order is not None
    assert order.cancel_requested
    parts = setup.store.orders[1].parts
    assert len(parts) == 2, "ten from one location, two from the other"
    assert await setup.channel.read_order(write_gid("FulfillmentOrder", parts[1].index)) == order


@pytest.mark.parametrize("kind", ["Order", "FulfillmentOrder"])
async def test_an_unknown_order_is_none(setup: Setup, kind: str) -> None:
    assert await setup.channel.read_order(f"gid://shopify/{kind}/5") is None


async def test_what_the_store_has_not_routed_is_seen_all_the_same() -> None:
    async with open_setup(routing_seconds=60.0) as slow:
        await slow.buy(("TEA-1", 1), fulfill_by="2030-01-02T03:04:05Z")
        [order] = await pull_all(slow)
        assert (units(order), order.ship_by) == ({"TEA-1": 1}, None)


def test_a_time_without_zone_is_utc() -> None:
    assert read_time("2026-01-02T03:04:05").tzinfo is datetime.UTC
    assert read_time("2023-03-29T18:00:27.877041743Z").second == 27
