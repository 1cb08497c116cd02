"""Orders: every one found while the set moves, and read as the port wants them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import pytest

from adapters.channels.base import ChannelOrder
from adapters.channels.ebay.channel import EbayChannel, open_channel
from adapters.channels.ebay.pull_orders import OVERLAP_ORDERS, PAGE_ORDERS
from adapters.channels.ebay.read_order import parse_order
from adapters.sandbox.ebay.change_order import touch_order
from adapters.sandbox.ebay.place_order import Cart, place_order, read_cart
from adapters.sandbox.ebay.render_order import render_order
from domain.errors import Fault
from tests.adapters.ebay.market import CREDENTIALS, Market
from tests.adapters.ebay.quota import MemoryQuota

ADDRESS = {
    "name": "Ada L.", "address1": "1 Analytical St", "address2": "Floor 2", "city": "Berlin", "province": "BE",
    "zip": "10115", "country_code": "DE",
}  # fmt: skip
HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


async def pull(ebay: EbayChannel, since: datetime, until: datetime) -> list[ChannelOrder]:
    found: list[ChannelOrder] = []
    cursor = None
    for _ in range(20):
        page = await ebay.pull_orders(since, until, cursor)
        found += page.orders
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the pages never end")


def fill(market: Market, count: int) -> list[str]:
    cart = read_cart({"lines": [{"sku": "TEA-1", "quantity": 1}], "force": True})
    return [place_order(market.account, cart).order_id for _ in range(count)]


async def test_an_order_is_read_whole(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2, shipping_address=ADDRESS, email="ada@example.org")
    [order] = await pull(ebay, now() - HOUR, now())
    assert order.external_id == order.name == placed["id"]
    assert [(line.external_id, line.sku, line.title, line.quantity) for line in order.lines] == [
        (placed["lines"][0]["id"], "TEA-1", "Green tea", 2)
    ]
    assert order.country_code == "DE"
    assert order.address is not None
    assert (order.address.name, order.address.lines) == ("Ada L.", ("1 Analytical St", "Floor 2"))
    assert (order.address.city, order.address.region, order.address.postal_code) == ("Berlin", "BE", "10115")
    assert order.email == "ada@example.org"
    assert (order.pending, order.cancelled, order.cancel_requested) == (False, False, False)
    assert order.ship_by is not None
    assert order.ship_by - order.placed_at == timedelta(days=2)
    assert order.version == round(placed["at"] * 1000)
    assert order.deliver_by is not None
    assert order.deliver_by > order.ship_by
    assert order.lines[0].unit_price is not None
    assert (order.total, order.phone) == (2 * order.lines[0].unit_price, None)
    assert order.currency is not None
    assert order == await ebay.read_order(placed["id"])


async def test_an_unpaid_order_is_pending_until_it_is_paid(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", paid=False)
    before = await ebay.read_order(placed["id"])
    await market.change("pay", placed["id"])
    after = await ebay.read_order(placed["id"])
    assert before is not None
    assert after is not None
    assert (before.pending, after.pending) == (True, False)
    assert before.version is not None
    assert after.version is not None
    assert before.version < after.version


async def test_a_cancellation_is_first_asked_for(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1")
    seen = []
    for step in ("request", "reject", "request", "complete"):
        await market.change("cancel", placed["id"], step=step)
        order = await ebay.read_order(placed["id"])
        assert order is not None
        seen.append((order.cancel_requested, order.cancelled))
    assert seen == [(True, False), (False, False), (True, False), (False, True)]
    [pulled] = await pull(ebay, now() - HOUR, now())
    assert pulled.cancelled


async def test_a_line_may_have_no_sku(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", sku_hidden=True)
    order = await ebay.read_order(placed["id"])
    assert order is not None
    assert [(line.sku, line.title) for line in order.lines] == [(None, "Green tea")]


async def test_an_unknown_order_is_none(ebay: EbayChannel) -> None:
    assert await ebay.read_order("99-99999-99999") is None


async def test_only_the_window_is_read_and_never_by_two_dates(market: Market, ebay: EbayChannel) -> None:
    fill(market, 3)
    assert await pull(ebay, now() - 3 * HOUR, now() - 2 * HOUR) == []
    assert len(await pull(ebay, now() - HOUR, now() + HOUR)) == 3
    filters = [
        parse_qs(exchange.query)["filter"][0]
        for exchange in market.recorder.exchanges
        if exchange.path.endswith("/order")
    ]
    assert all(text.startswith("lastmodifieddate:[") and "creationdate" not in text for text in filters)
    assert filters[0].endswith("Z]")
    assert filters[1].endswith("..]")  # the end of the window is now, or later: left open


@pytest.mark.parametrize("shifts", [0, 1, OVERLAP_ORDERS - 1])
async def test_orders_that_move_under_the_pages_hide_none(market: Market, ebay: EbayChannel, shifts: int) -> None:
    """After the first page some of its orders change, and leave the window or go to its end: the rest moves up."""
    placed = fill(market, PAGE_ORDERS + 150)
    page = await ebay.pull_orders(now() - HOUR, now())
    for order_id in placed[:shifts]:
        touch_order(market.account, market.account.orders[order_id])
    found = [*page.orders]
    while page.cursor is not None:
        page = await ebay.pull_orders(now() - HOUR, now(), page.cursor)
        found += page.orders
    assert {order.external_id for order in found} == set(placed)
    assert market.recorder.count("/order") == 2


async def test_too_much_movement_reads_the_window_again(market: Market, ebay: EbayChannel) -> None:
    placed = fill(market, 2 * PAGE_ORDERS)
    page = await ebay.pull_orders(now() - HOUR, now())
    for order_id in placed[: PAGE_ORDERS - 10]:
        touch_order(market.account, market.account.orders[order_id])
    found = [*page.orders]
    while page.cursor is not None:
        page = await ebay.pull_orders(now() - HOUR, now(), page.cursor)
        found += page.orders
    assert {order.external_id for order in found} == set(placed)


async def test_endless_movement_ends_in_a_fault(market: Market, ebay: EbayChannel) -> None:
    fill(market, 2 * PAGE_ORDERS)

    async def move_always() -> None:
        page = await ebay.pull_orders(now() - HOUR, now())
        for _ in range(20):
            assert page.cursor is not None
            for order in page.orders:
                touch_order(market.account, market.account.orders[order.external_id])
            page = await ebay.pull_orders(now() - HOUR, now(), page.cursor)

    with pytest.raises(Fault) as caught:
        await move_always()
    assert caught.value.transient


async def test_the_sandbox_shifts_pages_by_itself(market: Market, ebay: EbayChannel) -> None:
    placed = fill(market, PAGE_ORDERS + 50)
    await market.faults(page_shift={"rate": 1, "times": 5})
    found = await pull(ebay, now() - HOUR, now())
    assert {order.external_id for order in found} == set(placed)
    assert (await market.state())["faults"]["struck"] == {"page_shift": 1}


async def test_a_foreign_cursor_is_refused(ebay: EbayChannel) -> None:
    with pytest.raises(Fault) as caught:
        await ebay.pull_orders(now() - HOUR, now(), "somewhere")
    assert not caught.value.transient


async def test_one_broken_order_hides_no_other(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    raw = [render_order(market.account, market.account.orders[one], with_requests=False) for one in fill(market, 3)]
    del raw[1]["creationDate"]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 7200})
        return httpx.Response(200, json={"orders": raw, "total": 3} if request.url.path.endswith("/order") else {})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        page = await open_channel(http, CREDENTIALS, MemoryQuota()).pull_orders(now() - HOUR, now())
    assert [order.external_id for order in page.orders] == [raw[0]["orderId"], raw[2]["orderId"]]
    assert raw[1]["orderId"] in caplog.text


def test_an_old_order_without_its_address_is_still_read(market: Market) -> None:
    order = place_order(market.account, Cart({"TEA-1": 1}, {**ADDRESS}, None))
    raw = render_order(market.account, order, with_requests=False)
    raw["fulfillmentStartInstructions"] = []
    del raw["lineItems"][0]["lineItemFulfillmentInstructions"]["shipByDate"]
    read = parse_order(raw)
    assert (read.ship_by, read.email, read.country_code) == (None, None, None)


@pytest.mark.parametrize("broken", [None, [], {}, {"orderId": "1", "creationDate": "yesterday", "lineItems": []}])
def test_what_is_no_order_is_a_permanent_fault(broken: object) -> None:
    with pytest.raises(Fault) as caught:
        parse_order(broken)
    assert not caught.value.transient
