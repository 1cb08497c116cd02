"""Returns: three tracks, each answer by its name, and clocks."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from adapters.channels.news import ReturnNotice
from app.floor.run_clocks import run_clocks
from app.returns.notice_return import notice_return
from app.settings import Settings
from domain.identity import Role
from tests.floor_company import RETURN, FloorCompany, open_floor_company
from tests.shipped_orders import Sale, sell


@pytest.fixture
async def company(settings: Settings) -> AsyncIterator[FloorCompany]:
    async with open_floor_company(settings) as opened:
        yield opened


@pytest.fixture
async def sale(company: FloorCompany) -> Sale:
    """Five of SKU-0, of which three are shipped, and two of SKU-1, shipped; from BER."""
    return await sell(company.state, {"SKU-0": (5, 3), "SKU-1": (2, 2)})


def lines(**units: int) -> list[dict[str, Any]]:
    return [{"sku": name.replace("_", "-"), "quantity": count} for name, count in units.items()]


async def authorize(company: FloorCompany, sale: Sale | None, wanted: Any, **fields: Any) -> dict[str, Any]:
    order: dict[str, Any] = {} if sale is None else {"order": {"channel": "direct", "externalId": sale.external_id}}
    made = await company.do("returnAuthorize", RETURN, warehouse="BER", lines=wanted, **order, **fields)
    return dict(made["return"])


async def receive(company: FloorCompany, **fields: Any) -> dict[str, Any]:
    return dict((await company.do("returnReceive", RETURN, **fields))["return"])


async def inspect(company: FloorCompany, made: dict[str, Any], *found: tuple[str, int, str]) -> dict[str, Any]:
    given = [{"sku": sku, "quantity": units, "disposition": what} for sku, units, what in found]
    return dict((await company.do("returnInspect", RETURN, id=made["id"], lines=given))["return"])


def tracks(made: dict[str, Any]) -> tuple[str, str, str]:
    return made["custody"], made["condition"], made["money"]


async def test_three_tracks_go_each_their_own_way(company: FloorCompany, sale: Sale) -> None:
    made = await authorize(company, sale, lines(SKU_0=2), refund={"amount": "10", "currency": "EUR"})
    assert tracks(made) == ("EXPECTED", "UNINSPECTED", "DUE")
    made = await receive(company, id=made["id"], lines=lines(SKU_0=1))
    assert tracks(made) == ("PARTLY_RECEIVED", "UNINSPECTED", "DUE")
    assert await company.some("SKU-0", "BER", "available", "qualityControl") == (97, 1)
    made = await inspect(company, made, ("SKU-0", 1, "RESTOCK"))
    assert tracks(made) == ("PARTLY_RECEIVED", "INSPECTED", "DUE")
    assert await company.some("SKU-0", "BER", "available", "qualityControl") == (98, 0)
    made = await receive(company, id=made["id"], lines=lines(SKU_0=1))
    assert tracks(made) == ("RECEIVED", "PARTLY_INSPECTED", "DUE")
    assert await company.refuse("returnClose", RETURN, id=made["id"]) == "WRONG_STATE"
    assert await company.refuse("returnCancel", RETURN, id=made["id"]) == "WRONG_STATE"
    made = await inspect(company, made, ("SKU-0", 1, "DAMAGED"))
    assert tracks(made) == ("RECEIVED", "INSPECTED", "DUE")
    assert await company.some("SKU-0", "BER", "available", "damaged", "qualityControl") == (98, 1, 0)
    closed = (await company.do("returnClose", RETURN, id=made["id"]))["return"]
    assert closed["state"] == "CLOSED"
    told = await company.do("returnRefund", RETURN, id=made["id"], step="TOLD")
    assert told["return"]["money"] == "TOLD"
    assert await company.refuse("returnRefund", RETURN, id=made["id"], step="DUE") == "WRONG_STATE"
    paid = await company.do("returnRefund", RETURN, id=made["id"], step="CONFIRMED", refund={"amount": "9.50"})
    assert (paid["return"]["money"], paid["return"]["refund"]["amount"]) == ("CONFIRMED", "9.5000")


async def test_only_what_was_shipped_and_is_not_coming_back_can_be_authorised(
    company: FloorCompany, sale: Sale
) -> None:
    order: dict[str, Any] = {"channel": "direct", "externalId": sale.external_id}
    given: dict[str, Any] = {"warehouse": "BER", "order": order}
    assert await company.refuse("returnAuthorize", RETURN, lines=lines(SKU_0=4), **given) == "OVER_RETURN"
    assert await company.refuse("returnAuthorize", RETURN, lines=lines(SKU_2=1), **given) == "NOT_SOLD"
    first = await authorize(company, sale, lines(SKU_0=2))
    assert await company.refuse("returnAuthorize", RETURN, lines=lines(SKU_0=2), **given) == "OVER_RETURN"
    await company.do("returnCancel", RETURN, id=first["id"])
    second = await authorize(company, sale, lines(SKU_0=3))
    await receive(company, id=second["id"], lines=lines(SKU_0=1))
    await inspect(company, second, ("SKU-0", 1, "RESTOCK"))
    await company.do("returnClose", RETURN, id=second["id"])  # two never came: they may come another time
    await authorize(company, sale, lines(SKU_0=2))
    assert await company.refuse("returnAuthorize", RETURN, lines=lines(SKU_0=1), **given) == "OVER_RETURN"
    unknown: dict[str, Any] = {"channel": "direct", "externalId": "nobody"}
    refused = await company.refuse("returnAuthorize", RETURN, warehouse="BER", lines=lines(SKU_0=1), order=unknown)
    assert refused == "ORDER_NOT_FOUND"


async def test_two_returns_never_share_a_unit(company: FloorCompany, sale: Sale) -> None:
    order: dict[str, Any] = {"channel": "direct", "externalId": sale.external_id}
    both = await asyncio.gather(
        *(
            company.client.mutate("returnAuthorize", RETURN, warehouse="BER", lines=lines(SKU_0=2), order=order)
            for _ in range(4)
        )
    )
    assert sorted(len(one["userErrors"]) for one in both) == [0, 1, 1, 1]


async def test_a_wrong_item_and_an_over_return_are_taken_in_with_a_case(company: FloorCompany, sale: Sale) -> None:
    made = await authorize(company, sale, lines(SKU_0=1))
    found = await receive(
        company, id=made["id"], lines=[*lines(SKU_0=2, SKU_1=1, SKU_2=1), {"quantity": 1, "unknownItem": "a toaster"}]
    )
    assert [line["finding"] for line in found["lines"]] == ["EXPECTED", "WRONG_ITEM", "NOT_SOLD", "UNKNOWN_ITEM"]
    assert [line["received"] for line in found["lines"]] == [2, 1, 1, 1]
    (case,) = await company.cases("RETURN_MISMATCH")
    for words in (
        "over-return: 2 of SKU-0 came, 1 were announced",
        "wrong item: 1 of SKU-1",
        "never sold",
        "a toaster",
    ):
        assert words in case["detail"]
    assert case["subjectId"] == made["id"]
    assert await company.some("SKU-2", "BER", "available", "qualityControl") == (100, 1)
    given: dict[str, Any] = {"sku": "SKU-2", "quantity": 2, "disposition": "RESTOCK"}
    assert await company.refuse("returnInspect", RETURN, id=made["id"], lines=[given]) == "INVALID_QUANTITY"


async def test_out_of_the_blue_at_the_dock(company: FloorCompany, sale: Sale) -> None:
    order: dict[str, Any] = {"channel": "direct", "externalId": sale.external_id}
    known = await receive(company, warehouse="NYC", order=order, lines=lines(SKU_0=4, SKU_2=1))
    assert (known["custody"], [line["finding"] for line in known["lines"]]) == ("RECEIVED", ["UNANNOUNCED", "NOT_SOLD"])
    assert "4 of SKU-0 came, 3 can come back" in (await company.cases("RETURN_MISMATCH"))[0]["detail"]
    plain = await receive(company, warehouse="NYC", lines=lines(SKU_1=2))
    assert plain["lines"][0]["finding"] == "UNANNOUNCED"
    assert len(await company.cases("RETURN_MISMATCH")) == 1
    assert await company.refuse("returnReceive", RETURN, lines=lines(SKU_1=2)) == "INVALID_INPUT"
    nothing = [{"quantity": 1}]
    assert await company.refuse("returnReceive", RETURN, warehouse="NYC", lines=nothing) == "INVALID_INPUT"
    stranger = [{"quantity": 1, "sku": "NOBODY"}]
    assert await company.refuse("returnReceive", RETURN, warehouse="NYC", lines=stranger) == "SKU_NOT_FOUND"


async def test_an_exchange_is_linked(company: FloorCompany, sale: Sale) -> None:
    other = await sell(company.state, {"SKU-2": (1, 1)}, external_id="exchange")
    exchange = {"channel": "direct", "externalId": other.external_id}
    made = await company.do(
        "returnAuthorize",
        "return { exchangeOrderId orderId }",
        warehouse="BER",
        lines=lines(SKU_0=1),
        order={"channel": "direct", "externalId": sale.external_id},
        exchangeOrder=exchange,
    )
    found = await company.client.data(
        "query($i: ID!) { node(id: $i) { ... on Order { externalId } } }", i=made["return"]["exchangeOrderId"]
    )
    assert found["node"] == {"externalId": "exchange"}


async def test_the_clocks_make_cases_and_end_them(company: FloorCompany, sale: Sale) -> None:
    made = await authorize(company, sale, lines(SKU_0=2))
    now = datetime.datetime.now(datetime.UTC)
    assert await run_clocks(company.state, now + datetime.timedelta(days=29)) == 0
    assert await run_clocks(company.state, now + datetime.timedelta(days=31)) == 1
    assert await run_clocks(company.state, now + datetime.timedelta(days=32)) == 0
    (case,) = await company.cases("RETURN_OVERDUE")
    assert case["subjectId"] == made["id"]
    query = "query($i: ID!) { node(id: $i) { ... on Return { custody } } }"
    assert (await company.client.data(query, i=made["id"]))["node"]["custody"] == "OVERDUE"
    await receive(company, id=made["id"], lines=lines(SKU_0=1))
    assert await company.cases("RETURN_OVERDUE") == []
    assert await run_clocks(company.state, now + datetime.timedelta(hours=47)) == 0
    assert await run_clocks(company.state, now + datetime.timedelta(hours=49)) == 1
    assert len(await company.cases("RETURN_UNINSPECTED")) == 1
    await inspect(company, made, ("SKU-0", 1, "SCRAP"))
    assert await company.cases("RETURN_UNINSPECTED") == []
    assert await company.some("SKU-0", "BER", "available", "qualityControl", "damaged") == (97, 0, 0)


def notice(sale: Sale, units: int = 2, **fields: Any) -> ReturnNotice:
    given: dict[str, Any] = {"external_id": "R-1", "lines": ((sale.line_ids["SKU-0"], units),), **fields}
    return ReturnNotice(order_external_id=sale.external_id, **given)


async def test_a_channels_notice_is_expected_once_and_counts_nothing(company: FloorCompany, sale: Sale) -> None:
    before = await company.level("SKU-0", "BER")
    for _ in range(2):
        await notice_return(company.state, sale.channel_id, notice(sale))
    restocked = notice(sale, restocked=True, refund=(Decimal(20), "EUR"), refunded=True)
    await notice_return(company.state, sale.channel_id, restocked)
    (made,) = (await company.client.data(f"{{ returns {{ nodes {{ {RETURN[9:-2]} }} }} }}"))["returns"]["nodes"]
    assert tracks(made) == ("EXPECTED", "UNINSPECTED", "CONFIRMED")
    assert (made["channelRestocked"], made["lines"][0]["authorized"]) == (True, 2)
    assert await company.level("SKU-0", "BER") == before
    await receive(company, id=made["id"], lines=lines(SKU_0=2))
    await inspect(company, made, ("SKU-0", 2, "RESTOCK"))
    assert await company.some("SKU-0", "BER", "available", "onHand") == (99, 99)


async def test_a_refund_after_the_goods_are_back_expects_nothing_more(company: FloorCompany, sale: Sale) -> None:
    made = await authorize(company, sale, lines(SKU_0=3))
    await receive(company, id=made["id"], lines=lines(SKU_0=3))
    await inspect(company, made, ("SKU-0", 3, "RESTOCK"))
    await company.do("returnClose", RETURN, id=made["id"])
    await notice_return(company.state, sale.channel_id, notice(sale, 3, restocked=True))
    await notice_return(company.state, sale.channel_id, notice(sale, 3, restocked=True, external_id="R-2"))
    found = (await company.client.data("{ returns { nodes { id channelRestocked state } } }"))["returns"]["nodes"]
    assert found == [{"id": made["id"], "channelRestocked": True, "state": "CLOSED"}]
    assert await company.some("SKU-0", "BER", "available") == (100,)
    assert await notice_return(company.state, sale.channel_id, ReturnNotice("R-9", "nobody")) is None


async def test_a_return_of_a_channel_is_not_shown_to_others(company: FloorCompany, sale: Sale) -> None:
    await notice_return(company.state, sale.channel_id, notice(sale))
    away = await company.hire(Role.WAREHOUSE, houses=("NYC",))
    assert (await away.data("{ returns { nodes { id } } }"))["returns"]["nodes"] == []
