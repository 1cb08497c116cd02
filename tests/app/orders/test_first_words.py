"""What is known of an order when it is first heard of, and what it learns later: where it goes, what has left."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import orjson
import pytest

from adapters.channels.base import Address, ChannelOrder
from app.fulfillment.change_work import Ask
from app.fulfillment.release_work import release_work
from app.fulfillment.ship_work import Parcel, ship_work
from app.orders.hold_order import hold_order, let_order_go
from app.routing.fill_backorders import fill_backorders
from domain.identity import Principal, Role
from domain.provenance import Provenance
from tests.app.orders.world import (
    ADDRESS,
    advance,
    available,
    cases,
    events_of,
    lines_of,
    order_row,
    say,
    take,
    works_of,
)
from tests.channel_company import ChannelCompany

FLOOR = Principal("floor", "floor", frozenset({Role.WAREHOUSE}))
BOSS = Principal("boss", "boss", frozenset({Role.ADMIN}))
NEW_YORK = Address("Ada Adler", ("1 Broadway",), "New York", "NY", "10004", "US")
PLACES = (("BER", 52.5, 13.4), ("NYC", 40.7, -74.0))


def gone(order: ChannelOrder, **units: int) -> ChannelOrder:
    """The order, so many units of its lines shipped by somebody else."""
    lines = tuple(dataclasses.replace(x, shipped=units.get(str(x.sku).replace("-", "_"), 0)) for x in order.lines)
    return dataclasses.replace(order, lines=lines)


async def locate(company: ChannelCompany) -> None:
    for code, latitude, longitude in PLACES:
        fields: dict[str, Any] = {"warehouse": code, "latitude": latitude, "longitude": longitude}
        assert (await company.admin.mutate("warehouseUpdate", "", **fields))["userErrors"] == []
    company.state.routing.forget()


async def houses(company: ChannelCompany, external_id: str = "o-1") -> list[str]:
    return [work["code"] for work in await works_of(company, external_id) if work["status"] != "CANCELLED"]


async def test_what_somebody_else_had_shipped_is_not_shipped_again(company: ChannelCompany) -> None:
    word = gone(say({"SKU-0": 2, "NONE": 1}, version=1), SKU_0=2, NONE=1)
    for _ in range(2):
        await take(company, word)
    row = await order_row(company)
    assert (row["status"], row["problem"], await available(company)) == ("SHIPPED", None, 20)
    assert await lines_of(company) == {"SKU-0": (2, 0, 2, 0), "NONE": (1, 0, 1, 0)}
    assert (await works_of(company), await cases(company)) == ([], [])
    assert await events_of(company) == ["PLACED", "SHIPPED_ELSEWHERE"]
    shown = 'query { order(channel: "shop", externalId: "o-1") { status lines { shipped shippedElsewhere } } }'
    lines = (await company.admin.data(shown))["order"]["lines"]
    assert lines == [{"shipped": 2, "shippedElsewhere": 2}, {"shipped": 1, "shippedElsewhere": 1}]


async def test_what_is_left_of_a_partly_shipped_order_is_promised_and_shipped(company: ChannelCompany) -> None:
    await take(company, gone(say({"SKU-0": 5}, version=1), SKU_0=2))
    assert await lines_of(company) == {"SKU-0": (5, 3, 2, 0)}
    assert ((await order_row(company))["status"], await available(company)) == ("PARTLY_SHIPPED", 17)
    await take(company, gone(say({"SKU-0": 4}, version=2), SKU_0=2))
    assert await lines_of(company) == {"SKU-0": (5, 2, 2, 1)}
    await advance(company, "ACCEPTED")
    (work,) = await works_of(company)
    await ship_work(company.state, FLOOR, Ask(work["id"], Provenance("floor")), Parcel("DHL", "T-1"))
    await take(company, gone(say({"SKU-0": 4}, version=3), SKU_0=4))
    assert await lines_of(company) == {"SKU-0": (5, 0, 4, 1)}
    assert ((await order_row(company))["status"], await available(company)) == ("SHIPPED", 18)


async def test_what_somebody_else_ships_of_a_known_order_is_given_back(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 23, "SKU-1": 2, "NONE": 1}, version=1))
    assert await lines_of(company) == {"SKU-0": (23, 20, 0, 0), "SKU-1": (2, 2, 0, 0), "NONE": (1, 0, 0, 0)}
    word = gone(say({"SKU-0": 23, "SKU-1": 2, "NONE": 1}, version=2), SKU_0=5, NONE=1)
    for _ in range(2):
        await take(company, word)
        assert await lines_of(company) == {"SKU-0": (23, 18, 5, 0), "SKU-1": (2, 2, 0, 0), "NONE": (1, 0, 1, 0)}
    row = await order_row(company)
    assert (row["status"], row["problem"], await available(company)) == ("PARTLY_SHIPPED", None, 2)
    assert await cases(company) == ["CHANGE_REFUSED", "ORDER_PROBLEM", "OVERSELL"]
    assert (await events_of(company))[-1] == "SHIPPED_ELSEWHERE"
    await take(company, gone(say({"SKU-0": 23, "SKU-1": 2, "NONE": 1}, version=3), SKU_0=23, SKU_1=2, NONE=1))
    assert ((await order_row(company))["status"], await available(company)) == ("SHIPPED", 20)
    assert {work["status"] for work in await works_of(company)} == {"CANCELLED"}


async def test_work_that_was_begun_goes_on_and_people_are_told_once(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}, version=1))
    await advance(company, "PICKING")
    for version in (2, 2, 3):
        await take(company, gone(say({"SKU-0": 3}, version=version), SKU_0=1))
    assert (await lines_of(company), await cases(company)) == ({"SKU-0": (3, 3, 0, 0)}, ["CHANGE_REFUSED"])
    await take(company, gone(say({"SKU-0": 3}, version=4), SKU_0=3))
    assert await company.value("SELECT count FROM exception_cases") == 2
    assert "(line-SKU-0: 3)" in await company.value("SELECT detail FROM exception_cases")
    assert await events_of(company) == ["PLACED", *["BEGUN_SHIPPED_ELSEWHERE"] * 2]
    (work,) = await works_of(company)
    await ship_work(company.state, FLOOR, Ask(work["id"], Provenance("floor")), Parcel("DHL", "T-1"))
    await take(company, gone(say({"SKU-0": 3}, version=5), SKU_0=3))
    assert await company.value("SELECT count FROM exception_cases") == 2


async def test_a_watched_channel_tells_of_nobody_else(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 2}, version=1))
    await company.execute("UPDATE channels SET status = 'SHADOW' WHERE code = 'shop'")
    for version in (2, 2, 3):
        await take(company, gone(say({"SKU-0": 2}, version=version), SKU_0=2))
    assert (await lines_of(company), await cases(company)) == ({"SKU-0": (2, 2, 0, 0)}, [])


async def test_a_parcel_of_ours_is_nobody_elses(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}, version=1))
    await advance(company, "ACCEPTED")
    (work,) = await works_of(company)
    parcel = Parcel("DHL", "T-1", [("SKU-0", 1)])
    await ship_work(company.state, FLOOR, Ask(work["id"], Provenance("floor")), parcel)
    await take(company, gone(say({"SKU-0": 3}, version=2), SKU_0=1))
    assert (await lines_of(company), await cases(company)) == ({"SKU-0": (3, 2, 1, 0)}, [])


async def test_what_a_buyer_types_keeps_no_order_out(company: ChannelCompany) -> None:
    """No database keeps a NUL or half a character; an amount that nothing costs is not known."""
    address = dataclasses.replace(ADDRESS, city="Ber\x00lin", lines=("1 \ud83d Square",))
    word = say({"SKU-0": 1}, version=1, address=address, country_code="DE", total=Decimal("1e12"), currency="VND")
    line = dataclasses.replace(word.lines[0], title="Mug\x00s", sku="SKU-0\x00")
    for version in (1, 1, 2):
        await take(company, dataclasses.replace(word, name="#\x001", lines=(line,), version=version))
    row = await order_row(company)
    assert (row["status"], row["name"], row["total"], row["currency"]) == ("ALLOCATED", "#1", None, "VND")
    assert await company.value("SELECT destination->>'city' FROM orders") == "Berlin"
    assert await company.value("SELECT title FROM order_lines") == "Mugs"
    assert await events_of(company) == ["PLACED"]


async def test_an_order_that_learns_where_it_goes_is_routed_anew(company: ChannelCompany) -> None:
    """As Amazon's do: no address before it is paid."""
    await locate(company)
    await take(company, say({"SKU-0": 2}, version=1, pending=True))
    assert await houses(company) == ["BER"]
    await take(company, say({"SKU-0": 2}, version=2, address=NEW_YORK, country_code="US"))
    assert await houses(company) == ["NYC"]
    assert (await lines_of(company), await available(company)) == ({"SKU-0": (2, 2, 0, 0)}, 18)
    assert await events_of(company) == ["PLACED", "PAID", "ADDRESS_CHANGED", "ALLOCATED"]


async def test_what_a_warehouse_was_told_of_stays_there_when_the_address_changes(company: ChannelCompany) -> None:
    await locate(company)
    await take(company, say({"SKU-0": 2}, version=1, address=ADDRESS, country_code="DE"))
    await advance(company, "RELEASED")
    await take(company, say({"SKU-0": 2}, version=2, address=NEW_YORK, country_code="US"))
    assert await houses(company) == ["BER"]


async def test_an_address_that_people_change_routes_it_anew(company: ChannelCompany) -> None:
    await locate(company)
    await take(company, say({"SKU-0": 2}, version=1, address=ADDRESS, country_code="DE"))
    found = (await company.admin.data('{ order(channel: "shop", externalId: "o-1") { id } }'))["order"]
    address = {"name": "Ada Adler", "lines": ["1 Broadway"], "city": "New York", "region": "NY", "countryCode": "US"}
    selection = "order { lines { allocations { warehouse } } }"
    made = await company.admin.mutate("orderAddressUpdate", selection, id=found["id"], address=address)
    assert made == {"order": {"lines": [{"allocations": [{"warehouse": "NYC"}]}]}, "userErrors": []}


async def test_a_parcel_that_is_packed_for_another_address_is_a_case(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 2}, version=1, address=ADDRESS, country_code="DE"))
    await advance(company, "PACKED")
    (work,) = await works_of(company)
    same = dataclasses.replace(ADDRESS, name="Ada Adler")
    await take(company, say({"SKU-0": 2}, version=2, address=same, country_code="DE", phone="+49 30 2"))
    assert await cases(company) == [], "its label says the same"
    moved = dataclasses.replace(ADDRESS, lines=("2 Market Square",))
    for _ in range(2):
        await take(company, say({"SKU-0": 2}, version=3, address=moved, country_code="DE"))
    assert await cases(company) == ["CHANGE_REFUSED"]
    title = await company.value("SELECT title || ': ' || detail FROM exception_cases")
    assert "another address" in title
    assert "BER (PACKED)" in title
    assert "Market" not in title
    assert (await works_of(company))[0]["version"] > work["version"], "whoever shows it shows it anew"


async def test_a_request_to_cancel_holds_an_order_once_until_the_channel_ends_it(company: ChannelCompany) -> None:
    word = say({"SKU-0": 1}, version=1, cancel_requested=True)
    await take(company, word)
    row = await order_row(company)
    assert await release_work(company.state) == 0
    await let_order_go(company.state, BOSS, row["id"], "settled by phone", Provenance("boss"), None)
    for version in (1, 2):
        await take(company, dataclasses.replace(word, version=version))
        assert (await order_row(company))["hold_reason"] is None, "that he asked was answered"
    assert await release_work(company.state) == 1
    await take(company, say({"SKU-0": 1}, version=3))
    assert (await order_row(company))["cancel_requested_at"] is None
    await take(company, say({"SKU-0": 1}, version=4, cancel_requested=True))
    assert (await order_row(company))["hold_reason"] == "CANCEL_REQUESTED", "another request"


@pytest.mark.parametrize("known", [False, True])
async def test_a_policy_of_tariffs_by_country_holds_stock_for_what_has_no_address_yet(
    company: ChannelCompany, known: bool
) -> None:
    bands = [{"perParcel": "4"}]
    tariffs = [{"warehouses": ["BER"], "destinations": ["DE"], "bands": bands}]
    document = {"name": "home", "tariffs": tariffs, "rules": [{"name": "any"}]}
    saved = await company.admin.mutate("routingPolicySave", "policy { version }", document=document)
    version = saved["policy"]["version"]
    assert (await company.admin.mutate("routingPolicyPublish", "", version=version))["userErrors"] == []
    await take(company, say({"SKU-0": 2}, version=1, pending=True))
    assert ((await order_row(company))["status"], await cases(company)) == ("ALLOCATED", [])
    address = ADDRESS if known else NEW_YORK
    await take(company, say({"SKU-0": 2}, version=2, address=address, country_code=address.country_code))
    assert (await order_row(company))["status"] == "ALLOCATED", "nobody takes it away for want of a better one"
    seen = await company.value("SELECT outcome::text FROM routing_decisions ORDER BY id LIMIT 1")
    assert orjson.loads(seen)["waiting"] == {}


async def test_what_comes_for_an_order_that_is_held_goes_with_its_parcel(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 25}, version=1))
    row = await order_row(company)
    await hold_order(company.state, BOSS, row["id"], "fraud check", None, Provenance("boss"), None)
    await company.admin.mutate("stockReceive", "", warehouse="BER", lines=[{"sku": "SKU-0", "quantity": 5}])
    while await fill_backorders(company.state):
        pass
    assert await lines_of(company) == {"SKU-0": (25, 25, 0, 0)}
    assert sorted(await houses(company)) == ["BER", "NYC"], "one parcel of each"
    assert await release_work(company.state) == 0
    await let_order_go(company.state, BOSS, row["id"], None, Provenance("boss"), None)
    assert await release_work(company.state) == 2
