"""Parcels told once, whatever gets lost on the way, and refused when they cannot be."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from adapters.channels.base import Shipment, WriteOutcome, WriteResult
from adapters.channels.shopify import confirm_shipment as confirming
from adapters.channels.shopify import read_parcels as parcels_of
from adapters.channels.shopify import read_parts as parts_of
from adapters.channels.shopify.read_order import read_payload
from adapters.sandbox.shopify import ProductConfig
from adapters.sandbox.shopify.render_order import render_order
from adapters.sandbox.shopify.state import Order
from domain.errors import CauseClass, Fault
from tests.adapters.shopify.conftest import Setup, open_setup


async def pack(setup: Setup, order_id: str, number: str = "1Z999", **units: int) -> Shipment:
    """A parcel with these units by SKU (`_` for `-`), or with everything."""
    order = await setup.channel.read_order(order_id)
    assert order is not None
    wanted = {sku.replace("_", "-"): count for sku, count in units.items()}
    lines = tuple(
        (line.external_id, wanted.get(line.sku or "", 0 if wanted else line.quantity)) for line in order.lines
    )
    return Shipment(order_id, lines, "UPS", number, datetime.datetime.now(datetime.UTC), f"parcel-{number}")


async def gone(setup: Setup, order_id: str) -> list[int]:
    """Units shipped of each line, as the API says; a webhook says the same."""
    order = await setup.channel.read_order(order_id)
    assert order is not None
    told = read_payload(render_order(setup.store, only_order(setup)))
    assert [line.shipped for line in told.lines] == [line.shipped for line in order.lines]
    return [line.shipped for line in order.lines]


def only_order(setup: Setup) -> Order:
    [order] = setup.store.orders.values()
    return order


def outcome(result: WriteResult) -> tuple[WriteOutcome, CauseClass | None]:
    return result.outcome, result.cause


OK = (WriteOutcome.OK, None)


async def test_a_parcel_ships_the_whole_order(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 2), ("CUP-1", 1))
    assert outcome(await setup.channel.confirm_shipment(await pack(setup, placed))) == OK
    order = only_order(setup)
    assert [(parcel.number, parcel.company) for parcel in order.parcels] == [("1Z999", "UPS")]
    assert (order.fulfillment_status, order.parts[0].status) == ("FULFILLED", "CLOSED")
    level = setup.store.levels[1, setup.store.item_by_sku["TEA-1"]]
    assert (level.available, level.committed) == (8, 0)


async def test_told_again_it_is_not_told_again(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 4))
    shipment = await pack(setup, placed, TEA_1=2)
    assert outcome(await setup.channel.confirm_shipment(shipment)) == OK
    assert outcome(await setup.channel.confirm_shipment(shipment)) == OK
    assert [line.shipped for line in only_order(setup).lines] == [2]


async def test_a_lost_reply_ships_once(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 4))
    shipment = await pack(setup, placed, TEA_1=2)
    await setup.strike("lost_write")
    with pytest.raises(Fault) as caught:
        await setup.channel.confirm_shipment(shipment)
    assert caught.value.transient
    assert outcome(await setup.channel.confirm_shipment(shipment)) == OK
    assert [line.shipped for line in only_order(setup).lines] == [2]


async def test_two_parcels_of_one_order(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 4), ("CUP-1", 1))
    assert outcome(await setup.channel.confirm_shipment(await pack(setup, placed, "A", TEA_1=3))) == OK
    assert only_order(setup).fulfillment_status == "PARTIALLY_FULFILLED"
    assert await gone(setup, placed) == [3, 0]
    assert outcome(await setup.channel.confirm_shipment(await pack(setup, placed, "B", TEA_1=1, CUP_1=1))) == OK
    assert [sum(line.quantity for line in parcel.lines) for parcel in only_order(setup).parcels] == [3, 2]
    assert await gone(setup, placed) == [4, 1]


async def test_units_of_two_locations_are_told_apart_and_the_second_once_after_a_lost_reply(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 12))
    shipment = await pack(setup, placed)
    await setup.set_faults(lost_write={"rate": 1, "times": 1})
    with pytest.raises(Fault):
        await setup.channel.confirm_shipment(shipment)
    assert [sum(line.quantity for line in parcel.lines) for parcel in only_order(setup).parcels] == [10]
    assert outcome(await setup.channel.confirm_shipment(shipment)) == OK
    shipped = [(parcel.location, sum(line.quantity for line in parcel.lines)) for parcel in only_order(setup).parcels]
    assert shipped == [(1, 10), (2, 2)]


async def test_what_the_store_has_not_routed_is_tried_again() -> None:
    async with open_setup(routing_seconds=0.3) as slow:
        placed = await slow.buy(("TEA-1", 2))
        shipment = await pack(slow, placed)
        early = await slow.channel.confirm_shipment(shipment)
        assert early.outcome is WriteOutcome.TRANSIENT
        assert early.wait_seconds == confirming.ROUTING_SECONDS
        only_order(slow).parts[0].created_at = 0.0
        assert outcome(await slow.channel.confirm_shipment(shipment)) == OK


async def test_an_order_cancelled_before_is_refused(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 2))
    shipment = await pack(setup, placed)
    await setup.tell("cancel", placed)
    result = await setup.channel.confirm_shipment(shipment)
    assert outcome(result) == (WriteOutcome.REFUSED, CauseClass.POLICY)
    assert result.message == "The order was cancelled before its parcel was confirmed."


async def test_a_cancellation_that_wins_the_race_is_told_as_such(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 2))
    shipment = await pack(setup, placed)
    await setup.strike("cancel_race")
    result = await setup.channel.confirm_shipment(shipment)
    assert outcome(result) == (WriteOutcome.REFUSED, CauseClass.POLICY)
    assert result.message == "The order was cancelled before its parcel was confirmed."
    assert only_order(setup).parcels == []


async def test_a_cancellation_that_loses_the_race_is_refused_by_the_store(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 2))
    assert outcome(await setup.channel.confirm_shipment(await pack(setup, placed))) == OK
    late = await setup.client.post("/orders/cancel", json={"order": placed})
    assert late.status_code == 409


async def test_a_user_error_that_shipped_all_the_same_is_no_error(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 4))
    await setup.strike("error_after_write")
    assert outcome(await setup.channel.confirm_shipment(await pack(setup, placed, TEA_1=2))) == OK
    assert [line.shipped for line in only_order(setup).lines] == [2]


async def test_what_is_held_is_refused_until_it_is_released(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 2))
    shipment = await pack(setup, placed)
    await setup.tell("hold", placed)
    held = await setup.channel.confirm_shipment(shipment)
    assert outcome(held) == (WriteOutcome.REFUSED, CauseClass.POLICY)
    assert "2 units" in (held.message or "")
    await setup.tell("release", placed)
    assert outcome(await setup.channel.confirm_shipment(shipment)) == OK


async def test_units_that_are_gone_from_the_order_are_refused(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 3))
    shipment = await pack(setup, placed)
    await setup.tell("edit", placed, lines=[{"sku": "TEA-1", "quantity": 1}])
    result = await setup.channel.confirm_shipment(shipment)
    assert outcome(result) == (WriteOutcome.REFUSED, CauseClass.POLICY)
    assert "2 units" in (result.message or "")
    assert only_order(setup).parcels == []


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"lines": ()}, CauseClass.VALIDATION),
        ({"tracking_number": " "}, CauseClass.VALIDATION),
        ({"order_external_id": "gid://shopify/Order/5"}, CauseClass.MAPPING),
    ],
)
async def test_a_parcel_that_cannot_be_told_is_refused(setup: Setup, change: Any, cause: CauseClass) -> None:
    given = {
        "order_external_id": await setup.buy(("TEA-1", 1)),
        "lines": (("gid://shopify/LineItem/1", 1),),
        "carrier": "UPS",
        "tracking_number": "1Z",
        "shipped_at": datetime.datetime.now(datetime.UTC),
        "key": "k",
    }
    result = await setup.channel.confirm_shipment(Shipment(**{**given, **change}))
    assert outcome(result) == (WriteOutcome.REFUSED, cause)
    assert only_order(setup).parcels == []


async def test_an_order_of_many_lines_and_parcels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirming, "LINES_MAX", 10)
    monkeypatch.setattr(parts_of, "LINE_PAGE", 9)
    monkeypatch.setattr(parcels_of, "LINE_PAGE", 4)
    monkeypatch.setattr(parcels_of, "PARCELS", (2, 250))
    products = tuple(ProductConfig(f"SKU-{n}", f"Thing {n}", quantity=9) for n in range(42))
    async with open_setup(products=products) as long:
        placed = await long.buy(*((product.sku, 2) for product in products))
        first = await pack(long, placed, "A", **{f"SKU_{n}": 1 for n in range(42)})
        assert outcome(await long.channel.confirm_shipment(first)) == OK
        assert [len(parcel.lines) for parcel in only_order(long).parcels] == [10, 10, 10, 10, 2]
        assert outcome(await long.channel.confirm_shipment(first)) == OK
        assert outcome(await long.channel.confirm_shipment(await pack(long, placed, "B", SKU_41=1))) == OK
        assert {line.shipped for line in only_order(long).lines[:-1]} == {1}
        assert only_order(long).lines[-1].shipped == 2


async def test_a_token_that_ends_on_the_way_is_renewed() -> None:
    async with open_setup(refresh_token="shprt_first", client_id="client", client_secret="client-hush") as expiring:
        placed = await expiring.buy(("TEA-1", 2))
        shipment = await pack(expiring, placed)
        await expiring.set_faults(token_expired={"rate": 0.5, "times": 3}, seed=3)
        assert outcome(await expiring.channel.confirm_shipment(shipment)) == OK
        assert expiring.vault.renewals > 0
