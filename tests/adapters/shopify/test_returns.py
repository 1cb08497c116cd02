"""What a store's words about returns mean, and what they never mean."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from adapters.channels.base import Shipment
from adapters.channels.news import OrderToPull, ReturnNotice, ReturnSeen, ReturnToPull
from adapters.channels.returns import ReturnReadingChannel
from adapters.channels.shopify.read_event import read_event
from adapters.sandbox.shopify.ids import write_gid
from domain.errors import Fault
from tests.adapters.shopify.conftest import Setup

ORDER = "gid://shopify/Order/7"
PULL = ReturnToPull("gid://shopify/Return/5")


def refund(*lines: tuple[int, str], **fields: Any) -> bytes:
    """(units, restock type) of each line."""
    money = {"shop_money": {"amount": "10.50", "currency_code": "EUR"}}
    rendered = [
        {
            "line_item_id": number,
            "quantity": units,
            "restock_type": kind,
            "subtotal_set": money,
            "total_tax_set": {"shop_money": {"amount": "2.00", "currency_code": "EUR"}},
            "line_item": {"admin_graphql_api_id": f"gid://shopify/LineItem/{number}", "sku": "SKU-0"},
        }
        for number, (units, kind) in enumerate(lines, 1)
    ]
    head = {"admin_graphql_api_id": "gid://shopify/Refund/9", "order_id": 7, "refund_line_items": rendered}
    return orjson.dumps({**head, "return": None, "transactions": [], "note": None, **fields})


def test_units_that_were_never_shipped_are_the_orders_business() -> None:
    assert read_event("refunds/create", refund((2, "cancel"), (1, "no_restock"))) == [OrderToPull(ORDER)]
    assert read_event("refunds/create", refund()) == [OrderToPull(ORDER)]


def test_a_restocked_return_is_a_return_and_its_flag() -> None:
    body = refund((2, "return"), (1, "cancel"), note="too small")
    expected = ReturnNotice(
        "gid://shopify/Refund/9",
        ORDER,
        (("gid://shopify/LineItem/1", 2),),
        restocked=True,
        refund=(Decimal("12.50"), "EUR"),
        refunded=False,
        reason="too small",
        refund_id="gid://shopify/Refund/9",
    )
    assert read_event("refunds/create", body) == [OrderToPull(ORDER), ReturnSeen(expected)]


@pytest.mark.parametrize(
    ("kind", "status", "paid"), [("refund", "success", True), ("refund", "pending", False), ("sale", "success", False)]
)
def test_money_is_told_by_its_transactions(kind: str, status: str, paid: bool) -> None:
    body = refund((1, "return"), transactions=[{"kind": kind, "status": status}])
    _, seen = read_event("refunds/create", body)
    assert isinstance(seen, ReturnSeen)
    assert seen.notice.refunded is paid


def test_a_refund_that_puts_nothing_back_is_money_alone() -> None:
    paid = {"kind": "refund", "status": "success", "amount": "5.00", "currency": "EUR"}
    failed = {**paid, "status": "failure"}
    body = refund((1, "no_restock"), transactions=[paid, failed])
    money = ReturnNotice(
        *("gid://shopify/Refund/9", ORDER),
        refund=(Decimal("5.00"), "EUR"),
        refunded=True,
        announces=False,
        refund_id="gid://shopify/Refund/9",
    )
    assert read_event("refunds/create", body) == [OrderToPull(ORDER), ReturnSeen(money)]
    for transactions in ([failed], [{**paid, "currency": None}]):
        assert read_event("refunds/create", refund(transactions=transactions)) == [OrderToPull(ORDER)]
    assert read_event("refunds/create", refund((1, "cancel"), transactions=[paid])) == [OrderToPull(ORDER)]


def test_a_refund_that_names_its_return_is_known_by_it() -> None:
    body = refund((1, "no_restock"), **{"return": {"admin_graphql_api_id": "gid://shopify/Return/5"}})
    _, seen = read_event("refunds/create", body)
    assert isinstance(seen, ReturnSeen)
    assert (seen.notice.external_id, seen.notice.restocked) == ("gid://shopify/Return/5", False)


@pytest.mark.parametrize("topic", ["returns/approve", "returns/cancel", "returns/process"])
def test_a_return_that_changed_is_read(topic: str) -> None:
    assert read_event(topic, b'{"whatever": {"admin_graphql_api_id": "gid://shopify/Return/5"}}') == [PULL]
    with pytest.raises(Fault):
        read_event(topic, b"{}")
    assert read_event("returns/request", b"{}") == (), "it is only asked for"


async def test_what_is_sent_instead_is_read_once_it_is_a_line_of_the_order(setup: Setup) -> None:
    placed = await setup.buy(("TEA-1", 2))
    [order] = setup.store.orders.values()
    line = write_gid("LineItem", order.lines[0].index)
    now = datetime.datetime.now(datetime.UTC)
    await setup.channel.confirm_shipment(Shipment(placed, ((line, 2),), "DHL", "1Z", now, "parcel"))
    given: dict[str, Any] = {"lines": [{"sku": "TEA-1", "quantity": 2}], "exchanges": [{"sku": "CUP-1", "quantity": 1}]}
    await setup.tell("return", placed, **given)
    known = write_gid("Return", order.returns[0].index)
    assert isinstance(setup.channel, ReturnReadingChannel)
    words = "1 lines of the same order, added by the store"
    approved = ReturnNotice(known, placed, ((line, 2),), exchange=words)
    assert await setup.channel.read_return(known) == approved
    await setup.tell("process-return", placed)
    added = write_gid("LineItem", order.lines[1].index)
    assert await setup.channel.read_return(known) == dataclasses.replace(approved, exchange_lines=(added,))
    pulled = await setup.channel.read_order(placed)
    assert pulled is not None
    assert [(one.external_id, one.sku, one.quantity, one.unshipped) for one in pulled.lines] == [
        (line, "TEA-1", 2, 0),
        (added, "CUP-1", 1, 1),
    ]
    assert setup.shown("CUP-1") == 2, "the store has sold it"
    assert order.returns[0].status == "CLOSED"
    assert await setup.channel.read_return("gid://shopify/Return/99") is None


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"order_id": 7, "refund_line_items": [{}]}', b"nonsense"])
def test_what_cannot_be_read_is_said(body: bytes) -> None:
    with pytest.raises(Fault):
        read_event("refunds/create", body)
