"""Shelves are counted while tablets pick from them and tell of it later: no unit is missed twice."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from domain.identity import Role
from tests.company import Client, make_secret
from tests.floor import Floor

COUNT = "count { id status lines { expected counted variance posted } }"
TWO = [{"sku": "SKU-0", "quantity": 2}]


async def now(floor: Floor) -> str:
    found: datetime.datetime = await floor.state.database.hot.fetchval("SELECT clock_timestamp()")
    return found.isoformat()


async def begin(floor: Floor, house: str) -> str:
    fields = {"warehouse": house, "skus": ["SKU-0"], "toleranceUnits": 10}
    return str((await floor.admin.mutate("countCreate", COUNT, **fields))["count"]["id"])


async def scan(floor: Floor, count_id: str, found: int, **more: Any) -> Any:
    lines = [{"sku": "SKU-0", "quantity": found, **more}]
    made = await floor.admin.mutate("countSubmit", COUNT, id=count_id, lines=lines)
    assert made["userErrors"] == []
    return made["count"]


async def review(floor: Floor, count_id: str) -> tuple[int, int]:
    """Variance and posted units, after a second person has reviewed it."""
    second = Client(floor.admin.http, await make_secret(floor.state, Role.OPERATIONS))
    made = await second.mutate("countReview", COUNT, id=count_id)
    assert made["userErrors"] == []
    (line,) = made["count"]["lines"]
    return line["variance"], line["posted"]


async def test_a_pick_that_is_told_late_is_no_loss(floor: Floor) -> None:
    work = await floor.picking()
    count_id, picked_at = await begin(floor, await floor.house_of(work)), await now(floor)
    assert (await scan(floor, count_id, 8))["status"] == "REVIEW"
    await floor.do("Pick", work, lines=TWO, occurredAt=picked_at)
    assert await review(floor, count_id) == (0, 0)


async def test_nor_is_a_parcel_of_it_that_is_told_late(floor: Floor) -> None:
    work = await floor.picking()
    count_id, picked_at = await begin(floor, await floor.house_of(work)), await now(floor)
    await scan(floor, count_id, 8)
    await floor.do("Pick", work, lines=TWO, occurredAt=picked_at)
    await floor.ship(work, occurredAt=picked_at)
    assert await review(floor, count_id) == (0, 0)


async def test_what_was_picked_before_a_scan_does_not_leave_the_shelf_again_when_its_parcel_is_told(
    floor: Floor,
) -> None:
    """One unit is lost; the two that stand packed are not on the shelf, whether shipped or not."""
    work = await floor.picking()
    await floor.do("Pick", work, lines=TWO)
    count_id, shipped_at = await begin(floor, await floor.house_of(work)), await now(floor)
    scanned = await scan(floor, count_id, 7)
    assert (scanned["lines"][0]["expected"], scanned["status"]) == (8, "REVIEW")
    await floor.ship(work, occurredAt=shipped_at)
    assert await review(floor, count_id) == (-1, -1)


@pytest.mark.parametrize("ships", [False, True])
async def test_an_offline_scan_does_not_know_the_picks_after_it(floor: Floor, ships: bool) -> None:
    work = await floor.picking()
    count_id, scanned_at = await begin(floor, await floor.house_of(work)), await now(floor)
    await floor.do("Pick", work, lines=TWO)
    if ships:
        await floor.ship(work)
    late = await scan(floor, count_id, 10, occurredAt=scanned_at)
    assert (late["lines"][0]["expected"], late["status"]) == (10, "POSTED")


async def test_a_short_pick_that_is_told_late_is_lost_once(floor: Floor) -> None:
    work = await floor.picking()
    count_id, picked_at = await begin(floor, await floor.house_of(work)), await now(floor)
    await scan(floor, count_id, 8)
    lines = [{"sku": "SKU-0", "quantity": 1, "short": 1}]
    await floor.do("Pick", work, lines=lines, occurredAt=picked_at)
    assert await review(floor, count_id) == (0, 0)


@pytest.mark.parametrize(("found", "posted"), [(9, 0), (7, -2), (12, 2)])
async def test_what_a_picker_misses_after_the_scan_is_not_written_off_twice(
    floor: Floor, found: int, posted: int
) -> None:
    """One unit was gone when the shelf was scanned, and a picker does not find it either."""
    work = await floor.picking()
    house = await floor.house_of(work)
    count_id = await begin(floor, house)
    await scan(floor, count_id, found)
    await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 1, "short": 1}])
    assert await review(floor, count_id) == (found - 10, posted)
    level = await floor.level("SKU-0", house)
    assert level["available"] + level["committed"] == 9 + posted


async def test_what_is_put_back_stands_on_the_shelf_again(floor: Floor) -> None:
    work = await floor.picking()
    house = await floor.house_of(work)
    await floor.do("Pick", work, lines=TWO)
    await floor.do("Reject", work, reason="CANNOT_SHIP")
    scanned = await scan(floor, await begin(floor, house), 10)
    assert (scanned["lines"][0]["expected"], scanned["status"]) == (10, "POSTED")


async def test_units_of_a_cancelled_order_stand_packed_until_its_warehouse_puts_them_back(floor: Floor) -> None:
    """The channel's word takes nothing off the table; the warehouse's does, and says when."""
    work = await floor.picking()
    house = await floor.house_of(work)
    await floor.do("Pick", work, lines=TWO)
    await floor.cancel()
    on_table = await scan(floor, await begin(floor, house), 8)
    assert (on_table["lines"][0]["expected"], on_table["status"]) == (8, "POSTED")
    await floor.do("Cancel", work)
    on_shelf = await scan(floor, await begin(floor, house), 10)
    assert (on_shelf["lines"][0]["expected"], on_shelf["status"]) == (10, "POSTED")


@pytest.mark.parametrize("after", [False, True])
async def test_what_was_put_back_and_is_told_late_counts_from_when_it_stood_there(floor: Floor, after: bool) -> None:
    work = await floor.picking()
    await floor.do("Pick", work, lines=TWO)
    await floor.cancel()
    count_id = await begin(floor, await floor.house_of(work))
    if after:
        await scan(floor, count_id, 7)
        put_back_at = await now(floor)
    else:
        put_back_at = await now(floor)
        await scan(floor, count_id, 9)
    await floor.do("Cancel", work, occurredAt=put_back_at)
    assert await review(floor, count_id) == (-1, -1)
    assert (await floor.level("SKU-0", await floor.house_of(work)))["available"] == 9


async def test_books_that_were_below_zero_at_a_scan_are_put_right_whole(floor: Floor) -> None:
    """Twelve were thrown away of ten in the books and one was left; then five came. All of it is told late."""
    count_id, thrown_at = await begin(floor, "BER"), await now(floor)
    scanned_at = await now(floor)
    five: dict[str, Any] = {"warehouse": "BER", "lines": [{"sku": "SKU-0", "quantity": 5}]}
    await floor.admin.mutate("stockReceive", "", **five)
    thrown = {"warehouse": "BER", "reason": "THROWN_AWAY", "lines": [{"sku": "SKU-0", "delta": -12}]}
    made = await floor.admin.mutate("stockAdjust", "", occurredAt=thrown_at, **thrown)
    assert made["userErrors"] == []
    late = await scan(floor, count_id, 1, occurredAt=scanned_at)
    assert (late["lines"][0]["expected"], late["status"]) == (-2, "REVIEW")
    assert await review(floor, count_id) == (3, 3)
    assert (await floor.level("SKU-0", "BER"))["available"] == 1 + 5
