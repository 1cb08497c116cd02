"""A refund is paid once, whatever happens to the replies; the order says when it is through."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.channels.base import WriteOutcome
from adapters.channels.ebay.channel import EbayChannel
from adapters.channels.ebay.issue_refund import split_amount
from adapters.channels.returns import Refund
from adapters.sandbox.ebay.state import Order
from domain.errors import CauseClass, Fault
from tests.adapters.ebay.market import Market, connect, open_market


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with open_market(refund_seconds=0.01) as opened:
        yield opened


def refund(placed: dict[str, Any], amount: str = "4.50", **fields: Any) -> Refund:
    lines = ((placed["lines"][0]["id"], 1),)
    given: dict[str, Any] = {
        "order_external_id": placed["id"],
        "return_external_id": None,
        "lines": lines,
        "amount": Decimal(amount),
        "currency": "USD",
        "key": "one",
        "since": datetime.now(UTC),
        "label": "RT-1",
    }
    return Refund(**{**given, **fields})


def only(market: Market) -> Order:
    [order] = market.account.orders.values()
    return order


async def settled(market: Market) -> None:
    async with asyncio.timeout(5):
        while any(known.status == "PENDING" for known in only(market).refunds):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_it_is_accepted_and_the_order_says_when_it_is_through(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    asked = refund(placed)
    first = await ebay.issue_refund(asked)
    assert (first.outcome, first.receipt) == (WriteOutcome.ACCEPTED, only(market).refunds[0].refund_id)
    await settled(market)
    again = await ebay.issue_refund(asked)
    assert (again.outcome, again.receipt) == (WriteOutcome.OK, first.receipt)
    order = await ebay.read_order(placed["id"])
    assert order is not None
    [shown] = order.refunds
    assert (shown.id, shown.amount, shown.currency, shown.paid) == (first.receipt, Decimal("4.50"), "USD", True)
    assert (shown.at is not None, order.pending) == (True, False)
    assert market.recorder.count("/issue_refund", "POST") == 1


async def test_an_order_is_refunded_when_all_of_its_money_went_back(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    seen = []
    for key in ("one", "two"):
        others = frozenset(known.refund_id for known in only(market).refunds)
        await ebay.issue_refund(refund(placed, key=key, others=others))
        await settled(market)
        after = await ebay.read_order(placed["id"])
        assert after is not None
        seen.append(after.refunded)
        assert (after.cancelled, sum(line.quantity for line in after.lines)) == (False, 2), "its lines go on"
    assert seen == [False, True]


async def test_of_several_lines_each_has_its_share(market: Market, ebay: EbayChannel) -> None:
    cart = [{"sku": "TEA-1", "quantity": 2}, {"sku": "CUP-1", "quantity": 1}]
    placed = (await market.client.post("/buy", json={"lines": cart})).json()
    tea, cup = (line["id"] for line in placed["lines"])
    asked = refund(placed, "16.00", lines=((tea, 1), (cup, 1)))
    assert (await ebay.issue_refund(asked)).outcome is WriteOutcome.ACCEPTED
    await settled(market)
    [made] = only(market).refunds
    assert made.lines == [[tea, "4.36"], [cup, "11.64"]]
    order = await ebay.read_order(placed["id"])
    assert order is not None
    assert [(one.id, one.amount, one.paid) for one in order.refunds] == [(made.refund_id, Decimal("16.00"), True)]
    assert (await ebay.issue_refund(asked)).outcome is WriteOutcome.OK
    assert len(only(market).refunds) == 1


async def test_a_lost_reply_is_resolved_by_looking(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    await market.break_it("lost_reply")
    result = await ebay.issue_refund(refund(placed))
    assert result.receipt == only(market).refunds[0].refund_id
    assert len(only(market).refunds) == 1


async def test_two_returns_of_the_same_amount_are_two_refunds(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    first = await ebay.issue_refund(refund(placed))
    assert first.receipt is not None
    other = refund(placed, key="two", others=frozenset({first.receipt}))
    with contextlib.suppress(Fault):
        waits = await ebay.issue_refund(other)
        assert waits.outcome in (WriteOutcome.TRANSIENT, WriteOutcome.ACCEPTED), "one at a time"
    await settled(market)
    assert (await ebay.issue_refund(other)).receipt not in (None, first.receipt)
    assert len(only(market).refunds) == 2


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"amount": Decimal("99.00")}, CauseClass.VALIDATION),
        ({"currency": "EUR"}, CauseClass.VALIDATION),
        ({"order_external_id": "00-00000-00000"}, CauseClass.MAPPING),
    ],
)
async def test_what_ebay_will_not_pay_is_said(
    market: Market, ebay: EbayChannel, fields: dict[str, Any], cause: CauseClass
) -> None:
    asked = refund(await market.buy("TEA-1", 2), **fields)
    if cause is CauseClass.MAPPING:
        assert (await ebay.issue_refund(asked)).cause is cause
    else:
        with pytest.raises(Fault) as raised:
            await ebay.issue_refund(asked)
        assert (raised.value.transient, raised.value.cause) == (False, cause)
    assert only(market).refunds == []


async def test_a_refund_that_failed_is_tried_again(market: Market, ebay: EbayChannel) -> None:
    placed = await market.buy("TEA-1", 2)
    await market.break_it("refund_failed")
    for _ in range(2):
        assert (await ebay.issue_refund(refund(placed))).outcome is WriteOutcome.ACCEPTED
        await settled(market)
    assert [known.status for known in only(market).refunds] == ["FAILED", "REFUNDED"]


async def test_an_unpaid_order_waits_and_a_missing_permission_is_the_connections() -> None:
    async with open_market(may_refund=False) as market, connect(market) as ebay:
        with pytest.raises(Fault) as raised:
            await ebay.issue_refund(refund(await market.buy("TEA-1", 2)))
        assert raised.value.cause is CauseClass.AUTH
    async with open_market() as market, connect(market) as ebay:
        placed = await market.buy("TEA-1", 2, paid=False)
        assert (await ebay.issue_refund(refund(placed))).outcome is WriteOutcome.TRANSIENT


def test_cents_are_all_given_out() -> None:
    shares = split_amount(Decimal("10.00"), {"a": Decimal(1), "b": Decimal(1), "c": Decimal(1)})
    assert shares == {"a": Decimal("3.33"), "b": Decimal("3.33"), "c": Decimal("3.34")}
    assert sum(split_amount(Decimal("0.05"), {"a": Decimal(0), "b": Decimal(0)}).values()) == Decimal("0.05")
