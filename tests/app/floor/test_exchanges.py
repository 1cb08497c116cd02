"""An order that is sent instead of what comes back: linked, promised like any other, and taken off the refund."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from adapters.channels.news import ReturnNotice
from api.ids import encode_id
from app.fulfillment.confirm_shipments import confirm_shipments
from app.orders.take_order import take_order
from app.orders.tell_cancellations import tell_cancellations
from app.returns.note_refunds import take_seen_order
from app.returns.notice_return import notice_return
from app.returns.tell_refunds import tell_refunds
from app.settings import Settings
from domain.identity import Role
from tests.app.orders.world import ADDRESS
from tests.company import Client
from tests.floor import Floor, open_floor

MONEY = {"amount": "20", "currency": "EUR"}
SHOWN = """
  return { id money refundState refund { amount } exchangeAmount { amount } exchangeOrderId }
  order { id name status payment total { amount } lines { sku quantity unitPrice { amount } } exchangeOf { externalId } }
"""
RETURN = "return { id money refundState refund { amount } exchangeAmount { amount } }"
ORDER = (
    """query($id: ID!) { order(id: $id) { status exchangeOf { id } exchanges { id name } timeline { action note } } }"""
)
CONTACT = "query($id: ID!) { orderContact(id: $id) { name city email } }"


@pytest.fixture
async def floor(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    async with open_floor(settings, monkeypatch) as opened:
        yield opened


async def sold(floor: Floor, name: str = "1") -> str:
    """Two of SKU-0 for 10 EUR each, shipped to Berlin; the order's global id."""
    line = ChannelOrderLine(f"{name}-0", "SKU-0", None, 2, Decimal(10))
    now = datetime.datetime.now(datetime.UTC)
    told = ChannelOrder(
        *(name, f"#{name}", now, (line,)), address=ADDRESS, email="ada@example.com", total=Decimal(20), currency="EUR"
    )
    await take_order(floor.state, (await floor.company.channel("shop")).id, told)
    order_id: UUID = await floor.company.value("SELECT id FROM orders WHERE external_id = $1", name)
    work = await floor.release_of(order_id)
    await floor.do("Accept", work)
    await floor.ship(work, f"T-{name}")
    return encode_id("Order", str(order_id))


async def do(floor: Floor, name: str, selection: str = RETURN, **fields: Any) -> Any:
    made = await floor.admin.mutate(name, selection, **fields)
    assert made["userErrors"] == [], made
    return made


async def coming(floor: Floor, order: str, **fields: Any) -> str:
    lines = [{"sku": "SKU-0", "quantity": 2}]
    made = await do(floor, "returnAuthorize", warehouse="BER", order={"id": order}, lines=lines, **fields)
    return str(made["return"]["id"])


async def back(floor: Floor, made: str) -> Any:
    """All of it, sound."""
    line = {"sku": "SKU-0", "quantity": 2}
    await do(floor, "returnReceive", id=made, lines=[line])
    return (await do(floor, "returnInspect", id=made, lines=[{**line, "disposition": "RESTOCK"}]))["return"]


async def exchange(floor: Floor, made: str, client: Client | None = None, **fields: Any) -> Any:
    lines = [{"sku": "SKU-1", "quantity": 1, "unitPrice": {"amount": "15"}}]
    return await (client or floor.admin).mutate("returnExchange", SHOWN, **{"id": made, "lines": lines, **fields})


async def refused(floor: Floor, made: str, client: Client | None = None, **fields: Any) -> str:
    answer = await exchange(floor, made, client, **fields)
    assert (answer["return"], answer["order"]) == (None, None)
    return str(answer["userErrors"][0]["code"])


async def cases(floor: Floor) -> list[str]:
    return [kind for kind, state in await floor.cases() if state == "OPEN"]


async def test_it_is_an_order_like_any_other_and_linked(floor: Floor) -> None:
    order = await sold(floor)
    made = await coming(floor, order, refund=MONEY)
    first, again = [await exchange(floor, made, idempotencyKey="once") for _ in range(2)]
    assert first["userErrors"] == []
    assert first == again
    sent, money = first["order"], first["return"]
    assert (sent["status"], sent["payment"], sent["name"]) == ("ALLOCATED", "PAID", "#1 RT-1")
    assert sent["lines"] == [{"sku": "SKU-1", "quantity": 1, "unitPrice": {"amount": "15.0000"}}]
    assert (sent["exchangeOf"], money["exchangeOrderId"]) == ({"externalId": "1"}, sent["id"])
    amounts = (money["refund"]["amount"], money["exchangeAmount"]["amount"], money["money"])
    assert amounts == ("5.0000", "15.0000", "DUE")
    assert (await floor.level("SKU-1"))["committed"] == 1
    shown = (await floor.admin.data(ORDER, id=order))["order"]
    assert shown["exchanges"] == [{"id": sent["id"], "name": "#1 RT-1"}]
    assert shown["timeline"][-1]["action"] == "EXCHANGED"
    contacts = [(await floor.admin.data(CONTACT, id=one))["orderContact"] for one in (order, sent["id"])]
    assert contacts == [{"name": "Ada Adler", "city": "Berlin", "email": "ada@example.com"}] * 2
    assert await refused(floor, made) == "WRONG_STATE", "one return is exchanged once"
    work = await floor.release_of(await floor.company.value("SELECT id FROM orders WHERE exchange_of IS NOT NULL"))
    await floor.do("Accept", work)
    parcel = (await floor.ship(work, "T-2"))["shipments"][0]
    assert parcel["confirmation"] == "NOT_NEEDED"
    while await confirm_shipments(floor.state):
        pass
    assert [one.order_external_id for one in floor.company.shops["shop"].parcels] == ["1"]
    await back(floor, made)
    assert await tell_refunds(floor.state) == 1
    assert floor.company.shops["shop"].refunds[0].amount == 5


async def test_the_same_thing_again_takes_the_whole_refund(floor: Floor) -> None:
    made = await coming(floor, await sold(floor), refund=MONEY)
    sent = await exchange(floor, made, lines=[{"sku": "SKU-0", "quantity": 2}])
    assert sent["order"]["lines"][0]["unitPrice"] == {"amount": "10.0000"}, "as the order says"
    assert (sent["return"]["money"], sent["return"]["refund"]["amount"]) == ("NONE", "0.0000")
    await back(floor, made)
    assert (await tell_refunds(floor.state), await cases(floor)) == (0, [])


async def test_what_nobody_has_is_backordered_with_its_case(floor: Floor) -> None:
    made = await coming(floor, await sold(floor))
    sent = await exchange(floor, made, lines=[{"sku": "SKU-1", "quantity": 21}])
    assert (sent["order"]["status"], await cases(floor)) == ("PARTLY_ALLOCATED", ["OVERSELL"])


async def test_what_is_refused_writes_nothing(floor: Floor) -> None:
    order = await sold(floor)
    made, paid = await coming(floor, order, refund=MONEY), "SELECT string_agg(money || refund_amount, ' ') FROM returns"
    houses = [row["id"] for row in await floor.state.database.hot.fetch("SELECT id FROM warehouses")]
    market = (await floor.company.channel("market")).id
    limited = await floor.company.client(Role.SUPPORT, warehouse_ids=houses)
    other = await floor.company.client(Role.SUPPORT, channel_ids=[market])
    price = {"sku": "SKU-1", "quantity": 1}
    assert await refused(floor, made, limited) == "NOT_ALLOWED"
    assert await refused(floor, made, other) == "ORDER_NOT_FOUND"
    assert await refused(floor, encode_id("Return", str(UUID(int=7)))) == "RETURN_NOT_FOUND"
    assert await refused(floor, made, lines=[]) == "INVALID_INPUT"
    assert await refused(floor, made, lines=[{"sku": "NOBODY", "quantity": 1}]) == "SKU_NOT_FOUND"
    assert await refused(floor, made, lines=[{"sku": "SKU-0", "quantity": 0}]) == "INVALID_QUANTITY"
    assert await refused(floor, made, lines=[price]) == "INVALID_INPUT", "nobody knows what it takes of the refund"
    assert (
        await refused(floor, made, lines=[{**price, "unitPrice": {"amount": "1", "currency": "USD"}}])
        == "INVALID_INPUT"
    )
    assert await refused(floor, made, lines=[{"sku": "SKU-0", "quantity": 3}]) == "OVER_EXCHANGE"
    stray = (await do(floor, "returnAuthorize", warehouse="BER", lines=[price]))["return"]["id"]
    assert await refused(floor, stray) == "INVALID_INPUT", "nobody knows who it would go to"
    await do(floor, "returnCancel", id=stray)
    assert await floor.company.value("SELECT count(*) FROM orders") == 1
    assert await floor.company.value(paid) == "DUE20.0000"
    await do(floor, "returnRefund", id=made, step="CONFIRMED")
    assert await refused(floor, made) == "WRONG_STATE"
    scoped = await floor.company.client(Role.SUPPORT, scopes=["orders:write", "orders:read"])
    query = "mutation($i: ReturnExchangeInput!) { returnExchange(input: $i) { userErrors { code } } }"
    answer = await scoped.send(query, i={"id": made, "lines": [price]})
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_two_at_once_send_one_order(floor: Floor) -> None:
    made = await coming(floor, await sold(floor), refund=MONEY)
    answers = await asyncio.gather(*(exchange(floor, made) for _ in range(4)))
    assert sorted(len(answer["userErrors"]) for answer in answers) == [0, 1, 1, 1]
    assert await floor.company.value("SELECT count(*) FROM orders WHERE exchange_of IS NOT NULL") == 1
    assert (await floor.level("SKU-1"))["committed"] == 1


async def test_one_that_is_cancelled_leaves_the_refund_due_for_a_person_to_decide(floor: Floor) -> None:
    made = await coming(floor, await sold(floor), refund=MONEY)
    sent = (await exchange(floor, made))["order"]["id"]
    refusal = await floor.admin.mutate("returnCancel", RETURN, id=made)
    assert refusal["userErrors"][0]["code"] == "WRONG_STATE", "something is sent instead of it"
    await do(floor, "orderCancel", "order { id }", id=sent)
    assert await tell_cancellations(floor.state) == 0, "its channel does not know the order"
    found = await back(floor, made)
    assert (found["money"], found["refund"]["amount"], found["exchangeAmount"]) == ("DUE", "20.0000", None)
    assert (await tell_refunds(floor.state), await cases(floor)) == (0, ["REFUND_WAITING"])
    second = (await exchange(floor, made))["return"]
    assert (second["refund"]["amount"], second["refundState"], await cases(floor)) == ("5.0000", "PENDING", [])


async def test_one_that_is_cancelled_after_the_rest_was_paid_is_a_case(floor: Floor) -> None:
    made = await coming(floor, await sold(floor), refund=MONEY)
    sent = (await exchange(floor, made))["order"]["id"]
    await back(floor, made)
    assert await tell_refunds(floor.state) == 1
    await do(floor, "orderCancel", "order { id }", id=sent)
    assert await cases(floor) == ["RETURN_MISMATCH"]
    detail = await floor.company.value("SELECT detail FROM exception_cases WHERE kind = 'RETURN_MISMATCH'")
    assert detail == "#1 RT-1, which was to be sent instead, is cancelled, and 15.0000 of its refund with it"


async def test_who_it_is_for_is_erased_with_the_order_that_it_is_sent_instead_of(floor: Floor) -> None:
    order = await sold(floor)
    made = await coming(floor, order)
    sent = (await exchange(floor, made))["order"]["id"]
    erasing = await floor.admin.mutate("orderErase", "order { id }", id=order)
    assert erasing["userErrors"][0]["code"] == "WRONG_STATE", "the exchange is still to be shipped"
    await do(floor, "orderCancel", "order { id }", id=sent)
    await do(floor, "orderErase", "order { id }", id=order)
    assert await floor.company.value("SELECT bool_and(sealed IS NULL) FROM order_contacts")
    assert not await floor.company.value("SELECT bool_or(destination::text LIKE '%Berlin%') FROM orders")
    assert await refused(floor, made) == "INVALID_INPUT", "nobody knows who it would go to"
    goal = {"countryCode": "DE", "city": "Hamburg", "name": "Ada Adler"}
    other = (await exchange(floor, made, address=goal))["order"]["id"]
    assert (await floor.admin.data(CONTACT, id=other))["orderContact"] == {
        "name": "Ada Adler",
        "city": "Hamburg",
        "email": None,
    }


async def test_what_the_channel_sends_instead_is_linked_whichever_word_comes_first(floor: Floor) -> None:
    channel = (await floor.company.channel("shop")).id
    line = ChannelOrderLine("x-0", "SKU-1", None, 1, Decimal(0))
    for name, first in (("1", "order"), ("2", "return")):
        order = await sold(floor, name)
        told = ChannelOrder(f"x-{name}", None, datetime.datetime.now(datetime.UTC), (line,), exchange_of=name)
        notice = ReturnNotice(f"r-{name}", name, items=(("SKU-0", 1),), exchange="sent instead")
        for word in ("order", "return") if first == "order" else ("return", "order", "return", "order"):
            if word == "order":
                await take_seen_order(floor.state, channel, told)
            else:
                await notice_return(floor.state, channel, notice)
        (sent,) = (await floor.admin.data(ORDER, id=order))["order"]["exchanges"]
        query = "SELECT exchange_order_id::text FROM returns WHERE external_id = $1"
        assert sent["id"] == encode_id("Order", await floor.company.value(query, f"r-{name}"))
        made = encode_id(
            "Return", await floor.company.value("SELECT id::text FROM returns WHERE external_id = $1", f"r-{name}")
        )
        assert await refused(floor, made) == "WRONG_STATE", "something is sent instead already"
        await do(floor, "returnRefund", id=made, step="DUE", refund=MONEY)


async def test_what_the_channel_sends_instead_is_taken_off_the_refund_by_a_person(floor: Floor) -> None:
    made = await coming(floor, await sold(floor), refund=MONEY)
    channel = (await floor.company.channel("shop")).id
    await notice_return(floor.state, channel, ReturnNotice("r-1", "1", items=(("SKU-0", 2),), exchange="another size"))
    found = await back(floor, made)
    assert (found["money"], found["refundState"], await cases(floor)) == ("DUE", "NONE", ["REFUND_WAITING"])
    asked = await do(floor, "returnRefund", id=made, step="DUE", refund={"amount": "5", "currency": "EUR"})
    assert (asked["return"]["refundState"], await cases(floor)) == ("PENDING", [])
