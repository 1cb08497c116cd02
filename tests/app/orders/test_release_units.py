"""The door by which promised units are given back: which work gives first, what becomes of capacity and requests."""

from __future__ import annotations

from typing import Any

import pytest

from app.orders.ask_cancellation import accept_cancellation
from app.orders.change_order import drop_units
from app.orders.lock_order import OrderNow
from app.orders.release_units import Released, release_units
from app.orders.write_state import write_state
from domain.errors import Refusal, RefusalCode
from domain.provenance import Provenance
from tests.app.orders.world import advance, available, lines_of, locked, order_row, say, take, works_of
from tests.channel_company import ChannelCompany

WHO = Provenance("tests")


async def release(company: ChannelCompany, units: dict[int, int], **how: Any) -> Released:
    async with company.state.database.hot.acquire() as connection, connection.transaction():
        now = await locked(connection)
        released = await release_units(connection, now, units, "TEST", WHO, **how)
        await write_state(connection, now, {}, [], "tests")
        return released


async def split(company: ChannelCompany) -> None:
    """Twelve units of one line: ten from one warehouse, two from the other."""
    await take(company, say({"SKU-0": 8}, version=1))
    await take(company, say({"SKU-0": 20}, version=2))
    assert [work["lines"]["0"][0] for work in await works_of(company)] == [10, 10]


async def set_status(company: ChannelCompany, number: int, status: str) -> None:
    work = (await works_of(company))[number]
    await company.execute("UPDATE fulfillment_orders SET status = $2 WHERE id = $1", work["id"], status)


@pytest.mark.parametrize(
    ("first", "second", "gives"),
    [
        ("SCHEDULED", "RELEASED", 0),
        ("RELEASED", "SCHEDULED", 1),
        ("ACCEPTED", "RELEASED", 1),
        ("PICKING", "ACCEPTED", 1),
    ],
)
async def test_the_least_advanced_work_gives_first(
    company: ChannelCompany, first: str, second: str, gives: int
) -> None:
    await split(company)
    await set_status(company, 0, first)
    await set_status(company, 1, second)
    released = await release(company, {0: 4})
    assert released.units == {0: 4}
    works = await works_of(company)
    assert [work["lines"]["0"][2] for work in works] == ([4, 0] if gives == 0 else [0, 4])
    assert await lines_of(company) == {"SKU-0": (20, 16, 0, 0)}
    assert (await order_row(company))["status"] == "PARTLY_ALLOCATED", "given back is not cancelled"


async def test_begun_work_gives_only_when_its_warehouse_gives_it_up(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}))
    await advance(company, "PICKED")
    assert (await release(company, {0: 3})).units == {}
    (work,) = await works_of(company)
    released = await release(company, {0: 3}, works={work["id"]}, started=True)
    assert released.ended == [work["id"]]
    assert await available(company) == 20
    assert (await order_row(company))["status"] == "BACKORDERED"


async def test_a_partner_keeps_what_it_was_told_of(company: ChannelCompany) -> None:
    await company.execute("UPDATE warehouses SET kind = 'THIRD_PARTY'")
    await take(company, say({"SKU-0": 3}, version=1))
    await advance(company, "RELEASED")
    await take(company, say({"SKU-0": 1}, version=2))
    (work,) = await works_of(company)
    assert work["lines"]["0"] == [3, 0, 0, 2]
    assert work["cancel_requested_at"] is not None


async def test_units_that_were_asked_for_are_cancelled_first(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 5}, version=1))
    await advance(company, "PACKED")
    await take(company, say({"SKU-0": 3}, version=2))
    (work,) = await works_of(company)
    released = await release(company, {0: 3}, works={work["id"]}, started=True, short=True)
    assert (released.units, released.cancelled) == ({0: 3}, {0: 2})
    assert await lines_of(company) == {"SKU-0": (5, 2, 0, 2)}, "one of three is to be promised anew"


async def test_a_warehouse_accepts_a_cancellation(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 5}, version=1))
    await advance(company, "PACKED")
    await take(company, say({"SKU-0": 5}, version=2, cancelled=True))
    assert (await order_row(company))["status"] == "ALLOCATED", "not cancelled before the warehouse says so"
    async with company.state.database.hot.acquire() as connection, connection.transaction():
        now = await locked(connection)
        await accept_cancellation(connection, now, now.works[0].id, WHO)
        await write_state(connection, now, {}, [], "tests")
    assert (await order_row(company))["status"] == "CANCELLED"
    assert await available(company) == 20


async def test_a_day_gets_its_place_back_with_the_last_unit(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 5}))
    (work,) = await works_of(company)
    assert await company.value("SELECT day FROM warehouse_days WHERE taken = 1") == work["day"]
    await release(company, {0: 2})
    assert await company.value("SELECT taken FROM warehouse_days") == 1
    await release(company, {0: 3})
    assert await company.value("SELECT taken FROM warehouse_days") == 0


async def test_what_does_not_exist_is_not_given_back(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 5}))
    assert (await release(company, {0: 50})).units == {0: 5}
    assert (await release(company, {0: 50})).units == {}


async def test_an_order_that_is_cancelled_stays_so(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 5}))
    async with company.state.database.hot.acquire() as connection, connection.transaction():
        now: OrderNow = await locked(connection)
        await drop_units(connection, now, {0: 5}, "ORDER_CANCELLED", WHO)
        await write_state(connection, now, {}, [], "tests")
        now.lines[0].counts = now.lines[0].counts._replace(quantity=6)
        with pytest.raises(Refusal) as refused:
            await write_state(connection, now, {}, [], "tests")
    assert refused.value.code is RefusalCode.WRONG_STATE
