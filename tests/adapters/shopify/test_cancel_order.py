"""Units that are cancelled here are cancelled in the store: once, and without the store putting them on sale again."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from decimal import Decimal

import pytest

from adapters.channels.base import Shipment, WriteOutcome
from adapters.channels.returns import Refund, RefundingChannel
from adapters.sandbox.shopify.ids import write_gid
from adapters.sandbox.shopify.state import Level, Order
from domain.cancellations import Cancellation, CancelledLine, CancelReason
from domain.errors import CauseClass, Fault
from tests.adapters.shopify.conftest import Setup

KEY = "0198c0de-0000-7000-8000-000000000001"


async def cancellation(setup: Setup, placed: str, **left: int) -> Cancellation:
    """All of the order, or down to what is left of these SKUs (`_` for `-`)."""
    order = await setup.channel.read_order(placed)
    assert order is not None
    remain = {sku.replace("_", "-"): units for sku, units in left.items()}
    lines = tuple(
        CancelledLine(line.external_id, line.quantity - remain.get(str(line.sku), 0), remain.get(str(line.sku), 0))
        for line in order.lines
        if not remain or line.sku in remain
    )
    return Cancellation(placed, lines, CancelReason.STOCK)


def level(setup: Setup, sku: str) -> Level:
    return setup.store.levels[1, setup.store.item_by_sku[sku]]


def only(setup: Setup) -> Order:
    [order] = setup.store.orders.values()
    return order


async def until_cancelled(setup: Setup) -> None:
    for _ in range(500):
        if only(setup).cancelled_at is not None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the job was never done")


async def test_a_whole_order_is_cancelled_by_a_job_and_its_units_are_not_put_back(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 2), ("CUP-1", 1))
    asked = await cancellation(setup, placed)
    assert (await setup.channel.cancel_order(asked)).outcome is WriteOutcome.ACCEPTED
    assert only(setup).cancelled_at is None
    await until_cancelled(setup)
    assert (only(setup).cancel_reason, only(setup).financial_status) == ("INVENTORY", "REFUNDED")
    assert (level(setup, "TEA-1").available, level(setup, "TEA-1").committed) == (8, 0)
    assert (await setup.channel.cancel_order(asked)).outcome is WriteOutcome.OK


async def test_some_units_are_taken_by_an_edit_once_however_often_it_is_told(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 3), ("CUP-1", 1))
    asked = await cancellation(setup, placed, TEA_1=2)
    for _ in range(2):
        assert (await setup.channel.cancel_order(asked)).outcome is WriteOutcome.OK
    assert [line.current for line in only(setup).lines] == [2, 1]
    assert (level(setup, "TEA-1").available, level(setup, "TEA-1").committed) == (7, 2)


async def test_a_lost_reply_and_an_error_after_the_write_are_seen_through(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 3))
    asked = await cancellation(setup, placed, TEA_1=2)
    await setup.strike("error_after_write")
    assert (await setup.channel.cancel_order(asked)).outcome is WriteOutcome.OK
    more = await cancellation(setup, placed, TEA_1=1)
    for _ in range(3):
        await setup.strike("lost_write")
        with contextlib.suppress(Fault):
            await setup.channel.cancel_order(more)
    await setup.set_faults()
    assert (await setup.channel.cancel_order(more)).outcome is WriteOutcome.OK
    assert [line.current for line in only(setup).lines] == [1]


async def test_what_the_store_has_shipped_is_not_cancelled(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 2), ("CUP-1", 1))
    asked = await cancellation(setup, placed, TEA_1=0)
    line = only(setup).lines[0]
    line.shipped = line.quantity
    refused = await setup.channel.cancel_order(asked)
    assert (refused.outcome, refused.cause) == (WriteOutcome.REFUSED, CauseClass.VALIDATION)
    assert [one.current for one in only(setup).lines] == [2, 1]


@pytest.mark.parametrize(("shipped", "back", "left"), [(3, 2, 1), (3, 3, 0)])
async def test_units_that_came_back_hide_none_that_are_still_to_be_shipped(
    setup: Setup, shipped: int, back: int, left: int
) -> None:
    """Of five units two are still to be shipped, and the store names `left` besides. An order with parcels is edited."""
    placed = await setup.buy(("TEA-1", 5))
    line = write_gid("LineItem", only(setup).lines[0].index)
    asked = Cancellation(placed, (CancelledLine(line, 5 - shipped, shipped),))
    parcel = Shipment(placed, ((line, shipped),), "DHL", "1Z", datetime.datetime.now(datetime.UTC), "parcel")
    assert (await setup.channel.confirm_shipment(parcel)).outcome is WriteOutcome.OK
    await setup.tell("return", placed, lines=[{"sku": "TEA-1", "quantity": back}])
    refund = refund_of(only(setup), line, back)
    assert isinstance(setup.channel, RefundingChannel)
    assert (await setup.channel.issue_refund(refund)).outcome is WriteOutcome.OK
    (rest,) = only(setup).lines
    assert (rest.current, rest.unshipped) == (left + 2, 2)
    for _ in range(2):
        assert (await setup.channel.cancel_order(asked)).outcome is WriteOutcome.OK
    assert (rest.current, rest.unshipped, only(setup).cancelled_at) == (left, 0, None)
    assert (level(setup, "TEA-1").available, level(setup, "TEA-1").committed) == (5, 0)


def refund_of(order: Order, line: str, units: int) -> Refund:
    [known] = order.returns
    since = datetime.datetime.now(datetime.UTC)
    named = write_gid("Order", order.index), write_gid("Return", known.index), ((line, units),)
    return Refund(*named, Decimal("4.50") * units, "USD", KEY, since, "RT-1")


async def test_an_unknown_order_is_a_wrong_mapping(setup: Setup) -> None:
    asked = Cancellation("gid://shopify/Order/1", (CancelledLine("gid://shopify/LineItem/1", 1, 0),))
    assert (await setup.channel.cancel_order(asked)).cause is CauseClass.MAPPING


async def test_an_accepted_job_may_do_nothing_and_is_told_again(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 2))
    asked = await cancellation(setup, placed)
    await setup.strike("cancel_not_done")
    assert (await setup.channel.cancel_order(asked)).outcome is WriteOutcome.ACCEPTED
    assert (await setup.channel.cancel_order(asked)).outcome is WriteOutcome.ACCEPTED
    await until_cancelled(setup)
    assert level(setup, "TEA-1").available == 8
