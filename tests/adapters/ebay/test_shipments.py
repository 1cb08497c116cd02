"""A parcel is confirmed once, whatever happens to the replies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.channels.base import Shipment, WriteOutcome
from adapters.channels.ebay.channel import EbayChannel
from domain.errors import CauseClass, Fault
from tests.adapters.ebay.market import Market, connect


def parcel(placed: dict[str, Any], units: int = 2, tracking: str = "1Z 999-AA1") -> Shipment:
    lines = ((placed["lines"][0]["id"], units),)
    return Shipment(placed["id"], lines, "UPS", tracking, datetime.now(UTC), key=f"{placed['id']}:{tracking}")


async def shipments(market: Market) -> list[dict[str, Any]]:
    [order] = (await market.state())["orders"]
    found: list[dict[str, Any]] = order["shipments"]
    return found


async def test_confirms_with_a_tracking_number_as_ebay_wants_it(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    result = await ebay.confirm_shipment(parcel(placed))
    assert result.outcome is WriteOutcome.OK
    assert "1Z999AA1" in (result.message or "")
    lines = [[placed["lines"][0]["id"], 2]]
    assert await shipments(market) == [{"id": "1Z999AA1", "carrier": "UPS", "tracking": "1Z999AA1", "lines": lines}]


async def test_a_lost_reply_is_resolved_by_looking(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    await market.break_it("lost_reply")
    result = await ebay.confirm_shipment(parcel(placed))
    assert result.outcome is WriteOutcome.OK
    assert len(await shipments(market)) == 1


async def test_a_second_try_after_a_crash_sends_nothing(market: Market) -> None:
    placed = await market.buy("TEA-1", 2)
    for _ in range(2):
        async with connect(market) as ebay:
            result = await ebay.confirm_shipment(parcel(placed, tracking="1z999aa1"))
            assert result.outcome is WriteOutcome.OK
    assert len(await shipments(market)) == 1
    assert market.recorder.count("/shipping_fulfillment", "POST") == 1


async def test_two_parcels_of_one_order_are_two_fulfillments(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    for tracking, gone in (("AAA1", 0), ("AAA2", 2)):
        result = await ebay.confirm_shipment(parcel(placed, 1, tracking))
        assert result.outcome is WriteOutcome.OK
        order = await ebay.read_order(placed["id"])
        assert order is not None
        assert order.lines[0].shipped == gone, "of a part eBay says no number"
    assert [entry["id"] for entry in await shipments(market)] == ["AAA1", "AAA2"]


async def test_a_parcel_without_tracking_is_found_again_by_its_lines(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    for _ in range(2):
        result = await ebay.confirm_shipment(parcel(placed, tracking=""))
        assert result.outcome is WriteOutcome.OK
    assert [entry["id"] for entry in await shipments(market)] == ["999"]


async def test_a_cancellation_that_wins_the_race_is_a_refusal(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    await market.break_it("cancel_race")
    result = await ebay.confirm_shipment(parcel(placed))
    assert (result.outcome, result.cause) == (WriteOutcome.REFUSED, CauseClass.POLICY)
    assert await shipments(market) == []
    order = await ebay.read_order(placed["id"])
    assert order is not None
    assert order.cancelled


async def test_a_system_error_is_tried_again(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    await ebay.read_order(placed["id"])
    await market.faults(seed=2, server_error={"rate": 0.5})
    seen: set[object] = set()
    for _ in range(30):
        try:
            seen.add((await ebay.confirm_shipment(parcel(placed))).outcome)
        except Fault as fault:
            seen.add(fault.cause)
    assert seen <= {WriteOutcome.OK, WriteOutcome.TRANSIENT, CauseClass.OUTAGE}
    assert WriteOutcome.OK in seen
    assert len(await shipments(market)) == 1


async def test_the_limit_of_the_day_is_a_wait(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    await ebay.read_order(placed["id"])
    await market.faults(seed=4, limit_exceeded={"rate": 0.5})
    seen: set[object] = set()
    for _ in range(12):
        try:
            result = await ebay.confirm_shipment(parcel(placed))
            seen.add((result.outcome, result.wait_seconds))
        except Fault as fault:
            seen.add(fault.cause)
    assert seen <= {(WriteOutcome.OK, None), (WriteOutcome.TRANSIENT, 5.0), CauseClass.QUOTA}
    assert (WriteOutcome.OK, None) in seen
    assert len(await shipments(market)) == 1


@pytest.mark.parametrize("wrong", [{"lines": (("0", 1),)}, {"carrier": ""}])
async def test_a_wrong_shipment_is_refused(market: Market, ebay: EbayChannel, wrong: dict[str, Any]) -> None:
    placed = await market.buy("TEA-1", 2)
    result = await ebay.confirm_shipment(replace(parcel(placed), **wrong))
    if "lines" in wrong:
        assert (result.outcome, result.cause) == (WriteOutcome.REFUSED, CauseClass.MAPPING)
    assert result.outcome in {WriteOutcome.OK, WriteOutcome.REFUSED}


async def test_an_unknown_order_is_a_permanent_fault(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    with pytest.raises(Fault) as caught:
        await ebay.confirm_shipment(replace(parcel(placed), order_external_id="99-99999-99999"))
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.MAPPING)
