"""Every change a channel can send, however often and in whatever order: one state, and its stock with it."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal

import pytest

from adapters.channels.base import ChannelOrder
from app.fulfillment.change_work import Ask
from app.fulfillment.ship_work import Parcel, ship_work
from domain.identity import Principal, Role
from domain.provenance import Provenance
from tests.app.orders.world import (
    ADDRESS,
    PLACED,
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


async def test_a_new_order_keeps_all_that_the_channel_said(company: ChannelCompany) -> None:
    ship_by = PLACED + datetime.timedelta(days=2)
    order = say(
        {"SKU-0": 2}, address=ADDRESS, country_code="DE", ship_by=ship_by, total=Decimal("19.90"), currency="EUR"
    )
    await take(company, dataclasses.replace(order, version=7, phone="+49 30 1"))
    row = await order_row(company)
    assert (row["status"], row["payment"], row["version"]) == ("ALLOCATED", "PAID", 1)
    assert (row["ship_by"], row["total"], row["currency"]) == (ship_by, Decimal("19.90"), "EUR")
    assert row["channel_version"] == 7
    assert row["destination"] == ('{"country":"DE","region":"BE","city":"Berlin","postal_code":"10115"}')
    sealed = await company.value("SELECT sealed FROM order_contacts")
    assert b"Ada" not in sealed
    assert await events_of(company) == ["PLACED"]


async def test_an_edit_takes_back_adds_and_brings_new_lines(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 5, "SKU-1": 2}, version=1))
    await take(company, say({"SKU-0": 3, "SKU-1": 4, "SKU-2": 1}, version=2))
    assert await lines_of(company) == {"SKU-0": (5, 3, 0, 2), "SKU-1": (4, 4, 0, 0), "SKU-2": (1, 1, 0, 0)}
    assert [await available(company, f"SKU-{n}") for n in range(3)] == [17, 16, 19]
    row = await order_row(company)
    assert (row["status"], row["problem"]) == ("ALLOCATED", None)
    assert await events_of(company) == ["PLACED", "EDITED", "ALLOCATED"]


async def test_the_same_word_again_changes_nothing(company: ChannelCompany) -> None:
    word = say({"SKU-0": 3}, version=2, address=ADDRESS, email="ada@example.com")
    await take(company, say({"SKU-0": 5}, version=1))
    await take(company, word)
    before = await order_row(company)
    for _ in range(3):
        await take(company, word)
    assert await order_row(company) == before
    assert await company.value("SELECT count(*) FROM stock_movements WHERE reason = 'ORDER_EDITED'") == 1


async def test_a_late_word_of_an_old_version_changes_nothing(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 2}, version=9))
    before = await order_row(company)
    await take(company, say({"SKU-0": 8, "SKU-1": 1}, version=3, cancelled=True))
    assert await order_row(company) == before
    assert await available(company) == 18


async def test_what_was_heard_and_changed_nothing_still_makes_older_words_late(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 2}, version=1))
    await take(company, say({"SKU-0": 2}, version=5))
    await take(company, say({"SKU-0": 6}, version=3))
    assert await lines_of(company) == {"SKU-0": (2, 2, 0, 0)}


async def test_what_has_no_version_is_compared_by_content(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 2}))
    await take(company, say({"SKU-0": 2}))
    assert await events_of(company) == ["PLACED"]
    await take(company, say({"SKU-0": 1}))
    assert await lines_of(company) == {"SKU-0": (2, 1, 0, 1)}


@pytest.mark.parametrize("status", ["SCHEDULED", "RELEASED", "ACCEPTED"])
async def test_a_full_cancel_gives_all_back_while_nobody_has_begun(company: ChannelCompany, status: str) -> None:
    await take(company, say({"SKU-0": 4, "SKU-1": 1}, version=1))
    await advance(company, status)
    await take(company, say({"SKU-0": 4, "SKU-1": 1}, version=2, cancelled=True))
    assert (await order_row(company))["status"] == "CANCELLED"
    assert {work["status"] for work in await works_of(company)} == {"CANCELLED"}
    assert [await available(company, sku) for sku in ("SKU-0", "SKU-1")] == [20, 20]
    await take(company, say({"SKU-0": 4, "SKU-1": 1}, version=2, cancelled=True))
    assert await events_of(company) == ["PLACED", "CANCELLED"]


async def test_a_cancelled_order_is_not_revived(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 1}, version=2, cancelled=True))
    await take(company, say({"SKU-0": 1}, version=1))
    assert (await order_row(company))["status"] == "CANCELLED"
    assert await cases(company) == []
    await take(company, say({"SKU-0": 1}, version=3))
    assert (await order_row(company))["status"] == "CANCELLED"
    assert await cases(company) == ["CHANGE_REFUSED"], "somebody must order it anew"


async def test_backordered_units_are_cancelled_before_promised_ones(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 4}, version=1))
    await take(company, say({"SKU-0": 23}, version=2))
    assert await lines_of(company) == {"SKU-0": (23, 20, 0, 0)}
    assert await cases(company) == ["OVERSELL"]
    await take(company, say({"SKU-0": 19}, version=3))
    assert await lines_of(company) == {"SKU-0": (23, 19, 0, 4)}
    row = await order_row(company)
    assert (row["status"], row["problem"]) == ("ALLOCATED", None)


@pytest.mark.parametrize("status", ["PICKING", "PICKED", "PACKED"])
async def test_a_warehouse_that_has_begun_is_asked(company: ChannelCompany, status: str) -> None:
    await take(company, say({"SKU-0": 5}, version=1))
    await advance(company, status)
    await take(company, say({"SKU-0": 3}, version=2))
    (work,) = await works_of(company)
    assert work["cancel_requested_at"] is not None
    assert work["lines"]["0"] == [5, 0, 0, 2]
    assert await lines_of(company) == {"SKU-0": (5, 5, 0, 0)}
    await take(company, say({"SKU-0": 3}, version=2))
    assert await events_of(company) == ["PLACED", "EDITED"]
    await take(company, say({"SKU-0": 6}, version=3))
    (work, *_) = await works_of(company)
    assert work["cancel_requested_at"] is None
    assert (await lines_of(company))["SKU-0"] == (6, 6, 0, 0)


async def test_a_payment_comes_and_does_not_go(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 1}, version=1, pending=True))
    assert (await order_row(company))["payment"] == "PENDING"
    assert await available(company) == 19
    await take(company, say({"SKU-0": 1}, version=2))
    await take(company, say({"SKU-0": 1}, version=3, pending=True))
    assert (await order_row(company))["payment"] == "PAID"
    assert await events_of(company) == ["PLACED", "PAID"]


async def test_a_buyer_who_asks_to_cancel_holds_the_order(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 1}, version=1))
    await take(company, say({"SKU-0": 1}, version=2, cancel_requested=True))
    row = await order_row(company)
    assert row["hold_reason"] == "CANCEL_REQUESTED"
    assert row["cancel_requested_at"] is not None
    await take(company, say({"SKU-0": 1}, version=3, cancel_requested=None))
    assert (await order_row(company))["hold_reason"] == "CANCEL_REQUESTED", "this word does not say"
    await take(company, say({"SKU-0": 1}, version=4))
    row = await order_row(company)
    assert (row["hold_reason"], row["cancel_requested_at"]) == (None, None)


async def test_an_address_and_a_promise_change(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 1}, version=1, address=ADDRESS, latitude=52.5, longitude=13.4))
    await take(company, say({"SKU-0": 1}, version=2, address=ADDRESS))
    assert '"latitude":52.5' in (await order_row(company))["destination"], "the same place is where it was"
    moved = dataclasses.replace(ADDRESS, city="Hamburg", postal_code="20095", region="HH")
    later = PLACED + datetime.timedelta(days=9)
    await take(company, say({"SKU-0": 1}, version=3, address=moved, ship_by=later))
    row = await order_row(company)
    assert row["destination"] == '{"country":"DE","region":"HH","city":"Hamburg","postal_code":"20095"}'
    assert row["ship_by"] == later
    assert await events_of(company) == ["PLACED", "SHIP_BY_CHANGED", "ADDRESS_CHANGED"]


async def test_lines_of_one_id_are_one_line(company: ChannelCompany) -> None:
    word = say({"SKU-0": 1}, version=1)
    doubled = ChannelOrder("o-1", "#o-1", PLACED, word.lines * 3, version=1)
    await take(company, doubled)
    await take(company, doubled)
    assert await lines_of(company) == {"SKU-0": (3, 3, 0, 0)}


async def test_a_refund_before_shipment_cancels_what_is_not_shipped(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 23, "SKU-1": 2}, version=1))
    assert await lines_of(company) == {"SKU-0": (23, 20, 0, 0), "SKU-1": (2, 2, 0, 0)}
    word = say({"SKU-0": 23, "SKU-1": 2}, version=2, refunded=True)
    await take(company, word)
    row = await order_row(company)
    assert (row["status"], row["payment"], row["problem"]) == ("CANCELLED", "REFUNDED", None)
    assert await lines_of(company) == {"SKU-0": (23, 0, 0, 23), "SKU-1": (2, 0, 0, 2)}
    assert [await available(company, sku) for sku in ("SKU-0", "SKU-1")] == [20, 20]
    assert (await events_of(company))[-2:] == ["REFUNDED", "CANCELLED"]
    await take(company, word)
    assert await order_row(company) == row
    for version, refunded, pending in ((3, True, False), (4, False, False), (5, False, True)):
        later = say({"SKU-0": 23, "SKU-1": 2}, version=version, refunded=refunded, pending=pending)
        await take(company, later)
    row = await order_row(company)
    assert (row["status"], row["payment"]) == ("CANCELLED", "REFUNDED"), "for good, whatever the channel goes on naming"
    assert "CHANGE_REFUSED" not in await cases(company), "that it goes on naming the units is no wish for them"


async def test_a_refund_asks_who_has_begun_and_leaves_what_is_shipped(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 4}, version=1))
    await advance(company, "PICKED")
    await take(company, say({"SKU-0": 4}, version=2, refunded=True))
    (work,) = await works_of(company)
    assert (work["lines"]["0"], work["cancel_requested_at"] is None) == ([4, 0, 0, 4], False)
    await take(company, say({"SKU-0": 4}, version=3))
    assert (await works_of(company))[0]["lines"]["0"] == [4, 0, 0, 4], "it is not wanted after all"
    await take(company, say({"SKU-1": 2}, "o-2", version=1))
    await advance(company, "ACCEPTED", "o-2")
    (work,) = await works_of(company, "o-2")
    await ship_work(company.state, FLOOR, Ask(work["id"], Provenance("floor")), Parcel("DHL", "T-1"))
    await take(company, say({"SKU-1": 2}, "o-2", version=2, refunded=True))
    row = await order_row(company, "o-2")
    assert (row["status"], row["payment"]) == ("SHIPPED", "REFUNDED")
    assert await events_of(company, "o-2") == ["PLACED", "SHIPPED", "REFUNDED"]
    assert await cases(company) == [], "what comes back is a return"


async def test_who_wants_what_was_shipped_after_all_needs_nobody_any_more(company: ChannelCompany) -> None:
    """The case ends with its proof, and another change of mind opens another one."""
    await take(company, say({"SKU-0": 3}, version=1))
    await advance(company, "ACCEPTED")
    (work,) = await works_of(company)
    await ship_work(company.state, FLOOR, Ask(work["id"], Provenance("floor")), Parcel("DHL", "T-1"))
    for version, units, opened, resolved in ((2, 2, 1, 0), (3, 3, 0, 1), (4, 3, 0, 1), (5, 1, 1, 1), (6, 4, 0, 2)):
        await take(company, say({"SKU-0": units}, version=version))
        found = [await cases(company, state) for state in ("OPEN", "RESOLVED")]
        assert found == [["CHANGE_REFUSED"] * opened, ["CHANGE_REFUSED"] * resolved], version
    assert await company.value("SELECT proof->>'wantedAfterAll' FROM exception_cases ORDER BY id DESC LIMIT 1")
    await take(company, say({"SKU-0": 2}, version=7))
    await take(company, say({"SKU-0": 4}, version=8, refunded=True))
    assert await cases(company) == ["CHANGE_REFUSED"], "the money back is no wish for the goods"


async def test_an_order_first_heard_of_refunded_is_kept_and_binds_nothing(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 2}, version=2, refunded=True))
    await take(company, say({"SKU-0": 2}, version=1))
    row = await order_row(company)
    assert (row["status"], row["payment"], await available(company)) == ("CANCELLED", "REFUNDED", 20)
    assert await events_of(company) == ["REFUNDED", "CANCELLED"]


async def test_a_cancelled_order_that_is_paid_back_says_so(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 2}, version=1))
    await take(company, say({"SKU-0": 2}, version=2, cancelled=True))
    await take(company, say({"SKU-0": 2}, version=3, cancelled=True, refunded=True))
    assert (await order_row(company))["payment"] == "REFUNDED"
    assert await events_of(company) == ["PLACED", "CANCELLED", "REFUNDED"]


async def test_an_order_of_which_nothing_is_left_is_kept_so_that_a_late_word_brings_nothing_back(
    company: ChannelCompany,
) -> None:
    await take(company, say({}, version=2))
    await take(company, say({"SKU-0": 3}, version=1))
    assert ((await order_row(company))["status"], await lines_of(company)) == ("CANCELLED", {})
    assert await available(company) == 20
