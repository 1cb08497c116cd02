"""Work is given to its warehouse when it is time, once, within what the warehouse can do in a day."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest

from app.fulfillment.release_work import release_work
from app.state import open_state
from tests.floor import Floor


async def scheduled(floor: Floor) -> int:
    found: int = await floor.company.value("SELECT count(*) FROM fulfillment_orders WHERE status = 'SCHEDULED'")
    return found


@pytest.mark.parametrize(
    "obstacle",
    [
        "UPDATE orders SET payment = 'PENDING'",
        "UPDATE orders SET payment = 'REFUNDED'",
        "UPDATE orders SET hold_reason = 'fraud'",
        "UPDATE orders SET cancel_requested_at = now(), hold_reason = 'CANCEL_REQUESTED'",
        "UPDATE fulfillment_orders SET hold_reason = 'wait'",
        "UPDATE fulfillment_orders SET release_at = now() + interval '1 hour'",
        "UPDATE fulfillment_orders SET cancel_requested_at = now()",
    ],
)
async def test_it_waits_while_something_is_in_the_way(floor: Floor, obstacle: str) -> None:
    await floor.order()
    await floor.company.execute(obstacle)
    assert await release_work(floor.state) == 0
    assert await scheduled(floor) == 1
    await floor.company.execute("UPDATE orders SET payment = 'PAID', hold_reason = NULL, cancel_requested_at = NULL")
    await floor.company.execute(
        "UPDATE fulfillment_orders SET hold_reason = NULL, release_at = NULL, cancel_requested_at = NULL"
    )
    assert await release_work(floor.state) == 1
    assert await scheduled(floor) == 0


async def test_released_work_has_its_day_and_its_time(floor: Floor) -> None:
    await floor.released()
    row = await floor.state.database.hot.fetchrow(
        "SELECT f.day, f.released_at, f.accept_by, d.taken FROM fulfillment_orders f "
        "JOIN warehouse_days d ON d.warehouse_id = f.warehouse_id AND d.day = f.day"
    )
    assert row["taken"] == 1
    left = (row["accept_by"] - row["released_at"]).total_seconds()
    assert left == pytest.approx(floor.state.settings.accept_seconds, abs=1)


async def test_work_without_a_day_gets_one_that_has_room(floor: Floor) -> None:
    await floor.company.execute("UPDATE warehouses SET daily_order_capacity = 2")
    for number in range(5):
        await floor.order({"SKU-0": 1}, "market", str(number))
    await floor.company.execute("UPDATE fulfillment_orders SET day = NULL, release_at = NULL")
    await floor.company.execute("UPDATE warehouse_days SET taken = 0")
    assert await release_work(floor.state) == 5
    rows = await floor.state.database.hot.fetch("SELECT status, day FROM fulfillment_orders ORDER BY id")
    assert [row["status"] for row in rows] == ["RELEASED"] * 2 + ["SCHEDULED"] * 3
    today = rows[0]["day"]
    assert [(row["day"] - today).days for row in rows] == [0, 0, 1, 1, 2]
    assert await release_work(floor.state) == 0
    taken = await floor.state.database.hot.fetch("SELECT taken FROM warehouse_days WHERE taken > 0 ORDER BY day")
    assert [row["taken"] for row in taken] == [2, 2, 1]


async def test_what_must_ship_first_has_the_first_day_with_room(floor: Floor) -> None:
    await floor.company.execute("UPDATE warehouses SET daily_order_capacity = 1")
    now = datetime.datetime.now(datetime.UTC)
    for number, days in enumerate((None, 9, 2)):
        by = None if days is None else now + datetime.timedelta(days=days)
        await floor.order({"SKU-0": 1}, "market", str(number), ship_by=by)
    await floor.company.execute("UPDATE fulfillment_orders SET day = NULL, release_at = NULL, status = 'SCHEDULED'")
    await floor.company.execute("UPDATE warehouse_days SET taken = 0")
    assert await release_work(floor.state) == 3
    query = "SELECT o.external_id FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id ORDER BY f.day"
    assert [row[0] for row in await floor.state.database.hot.fetch(query)] == ["2", "1", "0"]


async def test_after_the_cut_off_it_is_for_tomorrow(floor: Floor) -> None:
    """In the warehouse's own time zone; a place in today that was not used is free again."""
    zone = await _noon_zone(floor)
    await floor.order({"SKU-0": 1}, "market")
    await floor.company.execute("UPDATE warehouses SET cut_off = '13:00'")
    assert await release_work(floor.state) == 1
    assert await scheduled(floor) == 0
    await floor.order({"SKU-0": 1}, "market", "2")
    today = datetime.datetime.now(zone).date()
    await floor.company.execute("UPDATE fulfillment_orders SET day = $1 WHERE status = 'SCHEDULED'", today)
    await floor.company.execute("UPDATE warehouse_days SET taken = 2 WHERE day = $1", today)
    await floor.company.execute("UPDATE warehouses SET cut_off = '11:00'")
    assert await release_work(floor.state) == 1
    row = await floor.state.database.hot.fetchrow(
        "SELECT day, release_at FROM fulfillment_orders WHERE status = 'SCHEDULED'"
    )
    assert row["day"] == today + datetime.timedelta(days=1)
    assert row["release_at"].astimezone(zone).time() == datetime.time()
    taken = await floor.state.database.hot.fetch("SELECT taken FROM warehouse_days WHERE taken > 0 ORDER BY day")
    assert [row["taken"] for row in taken] == [1, 1]


async def test_no_work_is_given_to_a_warehouse_on_a_day_on_which_it_does_not_work(floor: Floor) -> None:
    """Its day begins when it opens, and the time to take work on with it."""
    zone = await _noon_zone(floor)
    today = datetime.datetime.now(zone).date()
    one = datetime.timedelta(days=1)
    work_days = sorted({1, 2, 3, 4, 5, 6, 7} - {(today + one).isoweekday()})
    calendar = {"workingDays": work_days, "closedOn": [str(today)], "openFrom": "07:30", "cutOff": "18:00"}
    for house in ("BER", "NYC"):
        selection = "warehouse { workingDays closedOn openFrom cutOff }"
        made = await floor.admin.mutate("warehouseUpdate", selection, warehouse=house, **calendar)
        assert made == {"warehouse": calendar, "userErrors": []}
    floor.state.routing.forget()
    begins = datetime.datetime.combine(today + 2 * one, datetime.time(7, 30), zone)
    await floor.order({"SKU-0": 1}, "market")
    shown = "SELECT day, release_at, status FROM fulfillment_orders"
    row = await floor.state.database.hot.fetchrow(shown)
    assert (row["day"], row["release_at"]) == (today + 2 * one, begins), "as it is routed"
    await floor.company.execute("UPDATE fulfillment_orders SET day = $1, release_at = now()", today)
    assert await release_work(floor.state) == 1
    row = await floor.state.database.hot.fetchrow(shown)
    assert (row["day"], row["release_at"], row["status"]) == (today + 2 * one, begins, "SCHEDULED")
    await floor.company.execute("UPDATE warehouses SET closed_on = '{}', open_from = '14:00'")
    await floor.company.execute("UPDATE fulfillment_orders SET day = $1, release_at = now()", today)
    assert await release_work(floor.state) == 1
    opens = datetime.datetime.combine(today, datetime.time(14), zone)
    due = opens + datetime.timedelta(seconds=floor.state.settings.accept_seconds)
    assert await floor.company.value("SELECT accept_by FROM fulfillment_orders WHERE status = 'RELEASED'") == due


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"workingDays": []}, "workingDays"),
        ({"workingDays": [0, 1]}, "workingDays"),
        ({"workingDays": None}, "workingDays"),
        ({"closedOn": ["25.12.2026"]}, "closedOn"),
        ({"closedOn": ["2026-01-01"] * 367}, "closedOn"),
        ({"openFrom": "7"}, "openFrom"),
        ({"openFrom": "16:00", "cutOff": "15:00"}, "openFrom"),
    ],
)
async def test_what_is_no_calendar(floor: Floor, given: dict[str, Any], field: str) -> None:
    made = await floor.admin.mutate("warehouseUpdate", "", warehouse="BER", **given)
    assert [(error["code"], error["path"]) for error in made["userErrors"]] == [("INVALID_INPUT", [field])]


async def _noon_zone(floor: Floor) -> datetime.tzinfo:
    """Put the warehouses where it is between noon and one o'clock."""
    from zoneinfo import ZoneInfo

    hours = 12 - datetime.datetime.now(datetime.UTC).hour
    name = f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"
    await floor.company.execute("UPDATE warehouses SET time_zone = $1", name)
    return ZoneInfo(name)


async def test_many_workers_release_each_once(floor: Floor) -> None:
    await floor.company.execute("UPDATE warehouses SET daily_order_capacity = 7")
    for number in range(20):
        await floor.order({f"SKU-{number % 3}": 1}, ("shop", "market")[number % 2], str(number))

    async def work(_: int) -> int:
        async with open_state(floor.state.settings, "worker") as state:
            return sum([await release_work(state) for _ in range(3)])

    counts: list[Any] = await asyncio.gather(*(work(n) for n in range(4)))
    while await release_work(floor.state):
        counts.append(1)
    told = await floor.company.value("SELECT count(*) FROM order_events WHERE action = 'RELEASED'")
    released = await floor.company.value("SELECT count(*) FROM fulfillment_orders WHERE status = 'RELEASED'")
    assert released == told > 0
    assert await floor.company.value("SELECT max(taken) FROM warehouse_days") <= 7
    taken = await floor.company.value("SELECT sum(taken) FROM warehouse_days")
    planned = await floor.company.value("SELECT count(*) FROM fulfillment_orders WHERE day IS NOT NULL")
    assert taken == planned == 20
