"""Orders: searched with overlap, read one by one, shipped once."""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import replace
from typing import Any

import httpx
import pytest

from adapters.channels.amazon.confirm_shipment import number_package
from adapters.channels.amazon.read_order import read_order
from adapters.channels.base import Address, ChannelOrder, Shipment, WriteOutcome
from adapters.sandbox.amazon.place_order import place_order, read_cart
from domain.errors import CauseClass, Fault
from tests.adapters.amazon.conftest import CONNECTION, Ledger, Setup, answering, open_setup
from tests.adapters.sandbox_amazon.serving import until

HOUR = datetime.timedelta(hours=1)
ADDRESS = {
    "name": "Ada Lovelace",
    "address1": "12 St James Sq",
    "city": "London",
    "zip": "SW1Y 4JH",
    "country_code": "GB",
}


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def shipment_of(order: dict[str, Any], key: str = "shipment-1", **changes: Any) -> Shipment:
    lines = tuple((line["id"], line["quantity"]) for line in order["lines"])
    return replace(Shipment(order["id"], lines, "UPS", "1Z999", now(), key), **changes)


async def gone(setup: Setup, order: dict[str, Any]) -> int:
    found = await setup.channel.read_order(order["id"])
    assert found is not None
    return found.lines[0].shipped


def buy_many(setup: Setup, count: int) -> list[str]:
    cart = read_cart({"lines": [{"sku": "TEA-1", "quantity": 1}], "force": True})
    return [place_order(setup.market.market, cart).order_id for _ in range(count)]


async def pull_all(setup: Setup, since: datetime.datetime, until: datetime.datetime) -> list[ChannelOrder]:
    await asyncio.sleep(0.005)  # searches reach to the last whole millisecond: the newest order's must be over
    found: list[ChannelOrder] = []
    cursor = None
    for _ in range(50):
        page = await setup.channel.pull_orders(since, until, cursor)
        found += page.orders
        cursor = page.cursor
        if cursor is None:
            return found
    pytest.fail("the pages never end")


async def test_order_says_all_that_routing_needs(setup: Setup) -> None:
    placed = (await setup.market.buy("TEA-1", 2, shipping_address=ADDRESS, email="ada@example.org")).json()
    [order] = await pull_all(setup, now() - HOUR, now() + HOUR)
    assert order.external_id == order.name == placed["id"]
    assert [(line.sku, line.title, line.quantity) for line in order.lines] == [("TEA-1", "Green tea", 2)]
    assert order.lines[0].external_id == placed["lines"][0]["id"]
    expected = Address("Ada Lovelace", ("12 St James Sq",), "London", None, "SW1Y 4JH", "GB")
    assert (order.address, order.country_code, order.email) == (expected, "GB", "ada@example.org")
    assert order.lines[0].unit_price is not None
    assert order.lines[0].unit_price > 0
    assert order.total == 2 * order.lines[0].unit_price
    assert (order.currency, order.phone) == (setup.market.market.config.currency, None)
    assert (order.pending, order.cancelled, order.cancel_requested) == (False, False, False)
    assert order.ship_by is not None
    assert abs(order.ship_by - order.placed_at - 48 * HOUR) < datetime.timedelta(seconds=1)


async def test_an_order_that_is_sent_instead_names_the_one_before(setup: Setup) -> None:
    first = (await setup.market.buy("TEA-1", 1)).json()["id"]
    second = (await setup.market.buy("TEA-1", 1, replaces=first)).json()["id"]
    found = {order.external_id: order.exchange_of for order in await pull_all(setup, now() - HOUR, now() + HOUR)}
    assert found == {first: None, second: first}
    assert (await setup.market.buy("TEA-1", 1, replaces="902-0")).status_code == 404


async def test_pending_order_has_no_address_and_is_released_later() -> None:
    async with open_setup(pending_seconds=0.2) as setup:
        placed = (await setup.market.buy("TEA-1", 1, shipping_address=ADDRESS)).json()
        first = await setup.channel.read_order(placed["id"])
        assert first is not None
        assert (first.pending, first.address, first.email) == (True, None, None)
        await until(lambda: setup.market.market.state.orders[placed["id"]].status == "UNSHIPPED")
        second = await setup.channel.read_order(placed["id"])
        assert second is not None
        assert (second.pending, second.country_code) == (False, "GB")
        assert first.version is not None
        assert second.version is not None
        assert first.version < second.version


async def test_unknown_order_is_none(setup: Setup) -> None:
    assert await setup.channel.read_order("902-0000000-0000009") is None


async def test_cancellation_asked_for_and_carried_out(setup: Setup) -> None:
    placed = (await setup.market.buy("TEA-1", 2)).json()
    await setup.market.cancel(placed["id"], ask=True)
    asked = await setup.channel.read_order(placed["id"])
    assert asked is not None
    assert (asked.cancel_requested, asked.cancelled, len(asked.lines)) == (True, False, 1)
    await setup.market.cancel(placed["id"])
    gone = await setup.channel.read_order(placed["id"])
    assert gone is not None
    assert (gone.cancel_requested, gone.cancelled, gone.lines) == (False, True, ())
    assert (await setup.market.state())["quantities"]["TEA-1"] == 10


async def test_pages_follow_each_other_to_the_end(setup: Setup) -> None:
    placed = buy_many(setup, 220)
    found = await pull_all(setup, now() - HOUR, now() + HOUR)
    assert [order.external_id for order in found] == placed
    assert setup.quota.count("searchOrders") == 3


async def test_a_page_that_shifts_hides_an_order_and_the_next_window_finds_it(setup: Setup) -> None:
    placed = buy_many(setup, 120)
    await setup.market.break_it("page_shift")
    first = {order.external_id for order in await pull_all(setup, now() - HOUR, now())}
    assert len(first) < 120
    second = {order.external_id for order in await pull_all(setup, now() - HOUR, now() + HOUR)}
    assert first | second == set(placed)


async def test_the_last_two_minutes_are_withheld_and_the_page_says_so() -> None:
    """At the vendor's own rule. The adapter stays behind it, the sandbox would refuse anything nearer."""
    async with open_setup(replace(CONNECTION, search_lag_seconds=125.0), search_age_seconds=120.0) as setup:
        await setup.market.buy("TEA-1", 1)
        began = now()
        page = await setup.channel.pull_orders(began - HOUR, began)
        assert page.orders == ()
        assert page.until is not None
        assert datetime.timedelta(seconds=120) < now() - page.until < datetime.timedelta(seconds=135)
        old = await setup.channel.pull_orders(began - 2 * HOUR, began - HOUR)
        assert old.until is None
        calls = setup.quota.count("searchOrders")
        nothing = await setup.channel.pull_orders(began, began + HOUR)
        assert (nothing.orders, nothing.cursor, nothing.until) == ((), None, began)
        assert setup.quota.count("searchOrders") == calls


async def test_a_window_nearer_than_two_minutes_is_refused() -> None:
    async with open_setup(search_age_seconds=120.0) as setup:
        with pytest.raises(Fault) as caught:
            await setup.channel.pull_orders(now() - HOUR, now())
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.VALIDATION)


async def test_shipment_is_confirmed_once_however_often_it_is_sent(setup: Setup) -> None:
    placed = (await setup.market.buy("TEA-1", 2)).json()
    await setup.market.break_it("lost_reply")
    with pytest.raises(Fault) as caught:
        await setup.channel.confirm_shipment(shipment_of(placed))
    assert caught.value.transient
    for _ in range(2):
        assert (await setup.channel.confirm_shipment(shipment_of(placed))).outcome is WriteOutcome.OK
    [order] = (await setup.market.state())["orders"]
    assert (order["status"], order["packages"]) == ("SHIPPED", ["1Z999"])


async def test_a_vendor_that_refuses_repeats_is_read_back() -> None:
    async with open_setup(repeats_shipments=False) as setup:
        placed = (await setup.market.buy("TEA-1", 2)).json()
        await setup.market.break_it("lost_reply")
        with pytest.raises(Fault):
            await setup.channel.confirm_shipment(shipment_of(placed))
        again = await setup.channel.confirm_shipment(shipment_of(placed))
        assert (again.outcome, again.message) == (WriteOutcome.OK, "Amazon already has this parcel.")
        other = await setup.channel.confirm_shipment(shipment_of(placed, "shipment-2", tracking_number="1Z000"))
        assert (other.outcome, other.cause) == (WriteOutcome.REFUSED, CauseClass.VALIDATION)


async def test_partial_shipments_add_up(setup: Setup) -> None:
    placed = (await setup.market.buy("TEA-1", 3)).json()
    line = placed["lines"][0]["id"]
    first = shipment_of(placed, "a", lines=((line, 1),), tracking_number="T1")
    assert (await setup.channel.confirm_shipment(first)).outcome is WriteOutcome.OK
    assert (await setup.market.state())["orders"][0]["status"] == "PARTIALLY_SHIPPED"
    assert await gone(setup, placed) == 1
    second = shipment_of(placed, "b", lines=((line, 2),), tracking_number="T2", carrier="Speedy Parcels")
    assert (await setup.channel.confirm_shipment(second)).outcome is WriteOutcome.OK
    [order] = setup.market.market.state.orders.values()
    assert (order.status, [package.carrier for package in order.packages]) == ("SHIPPED", ["UPS", "Speedy Parcels"])
    assert await gone(setup, placed) == 3


async def test_cancel_races_with_ship(setup: Setup) -> None:
    placed = (await setup.market.buy("TEA-1", 2)).json()
    await setup.market.break_it("cancel_race")
    result = await setup.channel.confirm_shipment(shipment_of(placed))
    assert (result.outcome, result.cause) == (WriteOutcome.REFUSED, CauseClass.POLICY)
    assert (await setup.market.state())["orders"][0]["packages"] == []


async def test_shipment_of_an_unknown_order_is_a_mapping_fault(setup: Setup) -> None:
    placed = {"id": "902-0000000-0000009", "lines": [{"id": "1", "quantity": 1}]}
    result = await setup.channel.confirm_shipment(shipment_of(placed))
    assert (result.outcome, result.cause) == (WriteOutcome.REFUSED, CauseClass.MAPPING)


def test_package_numbers_are_positive_and_stable() -> None:
    numbers = {number_package(f"shipment-{n}") for n in range(1_000)}
    assert number_package("shipment-1") in numbers
    assert all(number.isdigit() and int(number) > 0 for number in numbers)
    assert len(numbers) == 1_000


async def test_broken_order_is_a_permanent_fault_that_quotes_nobody() -> None:
    raw = {"orderId": "1", "createdTime": "Ada Lovelace", "lastUpdatedTime": "", "orderItems": []}
    with pytest.raises(Fault) as caught:
        read_order(raw)
    assert caught.value.transient is False
    assert "Ada" not in str(caught.value)
    channel = answering(httpx.Response(200, json={"order": None}), quota=Ledger())
    with pytest.raises(Fault):
        await channel.read_order("1")
