"""A refund is paid by the store once, and puts nothing back on sale by itself."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.channels.base import Shipment, WriteOutcome
from adapters.channels.news import ReturnSeen
from adapters.channels.returns import Refund, RefundingChannel, RefundLookingChannel
from adapters.channels.shopify.read_event import read_event
from adapters.channels.shopify.read_order import read_payload
from adapters.sandbox.shopify.config import ALL_SCOPES
from adapters.sandbox.shopify.ids import write_gid
from adapters.sandbox.shopify.render_order import render_order
from adapters.sandbox.shopify.state import Order
from domain.errors import CauseClass, Fault
from tests.adapters.shopify.conftest import Listener, Setup, open_setup

KEY = "0199c0de-0000-7000-8000-000000000001"


def only(setup: Setup) -> Order:
    [order] = setup.store.orders.values()
    return order


async def shipped(setup: Setup, units: int = 2) -> str:
    placed = await setup.buy(("TEA-1", 3))
    line = write_gid("LineItem", only(setup).lines[0].index)
    now = datetime.datetime.now(datetime.UTC)
    parcel = Shipment(placed, ((line, units),), "DHL", "1Z", now, "parcel")
    assert (await setup.channel.confirm_shipment(parcel)).outcome is WriteOutcome.OK
    return placed


def refund(setup: Setup, amount: str = "4.50", units: int = 1, **fields: Any) -> Refund:
    order = only(setup)
    lines = ((write_gid("LineItem", order.lines[0].index), units),) if units else ()
    since = datetime.datetime.now(datetime.UTC)
    given = {
        "order_external_id": write_gid("Order", order.index),
        "return_external_id": None,
        "lines": lines,
        "amount": Decimal(amount),
        "currency": "USD",
        "key": KEY,
        "since": since,
        "label": "RT-1",
    }
    return Refund(**{**given, **fields})


async def test_it_is_paid_once_however_often_it_is_told(setup: Setup) -> None:
    await shipped(setup)
    assert isinstance(setup.channel, RefundingChannel)
    asked = refund(setup)
    results = [await setup.channel.issue_refund(asked) for _ in range(3)]
    assert {one.outcome for one in results} == {WriteOutcome.OK}
    [made] = only(setup).refunds
    assert {one.receipt for one in results} == {write_gid("Refund", made.index)}
    assert (made.amount, [line.restock_type for line in made.lines]) == ("4.50", ["no_restock"])
    assert setup.shown("TEA-1") == 7, "the store has not counted it"
    [line] = only(setup).lines
    assert (line.current, line.unshipped) == (2, 1), "what is still to be shipped stays so"
    pulled = await setup.channel.read_order(write_gid("Order", only(setup).index))
    assert pulled is not None
    for order in (pulled, read_payload(render_order(setup.store, only(setup)))):
        assert [(one.quantity, one.unshipped) for one in order.lines] == [(2, 1)]


async def test_money_alone_and_two_returns_of_the_same_amount(setup: Setup) -> None:
    await shipped(setup)
    first, other = refund(setup, units=0), refund(setup, units=0, key=KEY[:-1] + "2")
    receipts = [(await setup.channel.issue_refund(one)).receipt for one in (first, other, first, other)]
    assert receipts[:2] == receipts[2:]
    assert len({*receipts}) == len(only(setup).refunds) == 2


@pytest.mark.parametrize("kind", ["lost_write", "error_after_write"])
async def test_what_was_written_without_an_answer_is_seen(setup: Setup, kind: str) -> None:
    await shipped(setup)
    asked = refund(setup)
    await setup.strike(kind)
    with contextlib.suppress(Fault):
        await setup.channel.issue_refund(asked)
    assert (await setup.open_another().issue_refund(asked)).outcome is WriteOutcome.OK
    assert len(only(setup).refunds) == 1


async def test_a_return_of_the_stores_is_processed_there_without_disposition(setup: Setup) -> None:
    placed = await shipped(setup)
    await setup.tell("return", placed, lines=[{"sku": "TEA-1", "quantity": 2}])
    [known] = only(setup).returns
    asked = refund(setup, "9.00", 2, return_external_id=write_gid("Return", known.index))
    await setup.strike("lost_write")
    with pytest.raises(Fault):
        await setup.channel.issue_refund(asked)
    for _ in range(2):
        assert (await setup.channel.issue_refund(asked)).outcome is WriteOutcome.OK
    [made] = only(setup).refunds
    assert (made.of_return, made.amount, known.status) == (known.index, "9.00", "CLOSED")
    assert setup.shown("TEA-1") == 7


async def test_what_the_merchant_paid_since_is_the_same_money(setup: Setup) -> None:
    placed = await shipped(setup)
    await setup.tell("refund", placed, lines=[{"sku": "TEA-1", "quantity": 1}], restock=True)
    assert (await setup.channel.issue_refund(refund(setup))).outcome is WriteOutcome.OK
    before = refund(setup, since=datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1))
    assert (await setup.channel.issue_refund(before)).outcome is WriteOutcome.OK
    assert len(only(setup).refunds) == 2, "one that was made before we tried is another"


async def test_a_payment_that_is_not_through_is_accepted(setup: Setup) -> None:
    placed = await shipped(setup)
    await setup.strike("refund_pending")
    asked = refund(setup)
    waiting = await setup.channel.issue_refund(asked)
    assert (waiting.outcome, waiting.receipt) == (
        WriteOutcome.ACCEPTED,
        write_gid("Refund", only(setup).refunds[0].index),
    )
    assert isinstance(setup.channel, RefundLookingChannel)
    known = dataclasses.replace(asked, receipt=waiting.receipt)
    assert await setup.channel.look_refund(known) == await setup.channel.look_refund(asked) == waiting
    await setup.tell("settle-refunds", placed)
    for one in (known, asked):
        found = await setup.channel.look_refund(one)
        assert found is not None
        assert (found.outcome, found.receipt) == (WriteOutcome.OK, waiting.receipt)
    assert (await setup.channel.issue_refund(asked)).outcome is WriteOutcome.OK
    assert await setup.channel.look_refund(refund(setup, "2.00", 0, key="other")) is None, "a look pays nothing"
    assert len(only(setup).refunds) == 1
    await setup.strike("refund_failed")
    failed = await setup.channel.issue_refund(refund(setup, "2.00", 0, key="other"))
    assert (failed.outcome, failed.cause) == (WriteOutcome.REFUSED, CauseClass.POLICY)


async def test_what_the_store_will_not_pay_is_said(setup: Setup) -> None:
    await shipped(setup)
    refusals = [
        (refund(setup, "99.00"), CauseClass.POLICY),
        (refund(setup, currency="EUR"), CauseClass.VALIDATION),
        (refund(setup, order_external_id="gid://shopify/Order/1"), CauseClass.MAPPING),
    ]
    for asked, cause in refusals:
        result = await setup.channel.issue_refund(asked)
        assert (result.outcome, result.cause) == (WriteOutcome.REFUSED, cause)
    assert only(setup).refunds == []


async def test_more_units_than_the_store_can_refund_are_left_out(setup: Setup) -> None:
    placed = await shipped(setup, 3)
    await setup.tell("refund", placed, lines=[{"sku": "TEA-1", "quantity": 2}], restock=True)
    since = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    assert (await setup.channel.issue_refund(refund(setup, "4.50", 2, since=since))).outcome is WriteOutcome.OK
    assert [line.quantity for line in only(setup).refunds[-1].lines] == [1]


async def test_without_the_scope_the_connection_is_to_blame() -> None:
    async with open_setup(scopes=ALL_SCOPES - {"write_orders"}) as setup:
        await shipped(setup)
        with pytest.raises(Fault) as raised:
            await setup.channel.issue_refund(refund(setup))
        assert raised.value.cause is CauseClass.AUTH


@pytest.mark.parametrize("fault", ["", "restock_anyway"])
async def test_the_stores_news_of_it_is_about_money_alone_unless_it_restocked(listener: Listener, fault: str) -> None:
    async with open_setup(webhook_url=listener.url) as setup:
        await shipped(setup)
        if fault:
            await setup.strike(fault)
        result = await setup.channel.issue_refund(refund(setup))
        [(_, body)] = await listener.wait("refunds/create", 1)
        _, seen = read_event("refunds/create", body)
        assert isinstance(seen, ReturnSeen)
        assert (seen.notice.refund_id, seen.notice.refund) == (result.receipt, (Decimal("4.50"), "USD"))
        assert (seen.notice.refunded, seen.notice.restocked) == (True, bool(fault))
        assert seen.notice.announces is bool(fault)
        assert setup.shown("TEA-1") == (8 if fault else 7)
