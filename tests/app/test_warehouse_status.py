"""What a warehouse holds is sold while it is LIVE, from the moment at which it is."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.routing.fill_backorders import fill_backorders
from app.settings import Settings
from tests.floor import Floor, open_floor
from tests.within import within

_SHOWN = """
SELECT l.desired FROM listings l JOIN channels c ON c.id = l.channel_id JOIN skus s ON s.id = l.sku_id
WHERE c.code = $1 AND s.code = 'SKU-0'
"""


@pytest.fixture
async def floor(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    async with open_floor(settings, monkeypatch) as opened:
        yield opened


async def test_its_stock_is_published_when_it_goes_live_and_no_more_when_its_own_system_is_in_charge_again(
    floor: Floor,
) -> None:
    """No movement is needed for it. Channels that do not sell from it show what they did."""

    async def shown() -> tuple[int, int]:
        return await floor.company.value(_SHOWN, "shop"), await floor.company.value(_SHOWN, "market")

    assert await shown() == (20, 10)
    for status, units in (("SHADOW", 10), ("LIVE", 20), ("ONBOARDING", 10), ("LIVE", 20), ("CLOSED", 10)):
        made = await floor.admin.mutate("warehouseUpdate", "warehouse { status }", warehouse="BER", status=status)
        assert made == {"warehouse": {"status": status}, "userErrors": []}
        assert await shown() == (units, 10)


async def report(floor: Floor, units: int) -> tuple[bool, list[tuple[str, int]]]:
    """Whether it was applied, and what differs: outcome and units."""
    told = {"asOf": datetime.datetime.now(datetime.UTC).isoformat(), "lines": [{"sku": "SKU-0", "onHand": units}]}
    selection = "snapshot { applied differences { outcome difference } }"
    found = (await floor.admin.mutate("partnerSnapshotReport", selection, warehouse="OLD", **told))["snapshot"]
    return found["applied"], [(one["outcome"], one["difference"]) for one in found["differences"]]


async def test_a_warehouse_with_a_system_of_its_own_moves_in_step_by_step(floor: Floor) -> None:
    """Before it is LIVE its stock is written down and compared; then it is sold, and differences are for people."""
    made = await floor.admin.mutate(
        "warehouseCreate", "warehouse { status }", code="OLD", name="Old", status="ONBOARDING"
    )
    assert made["warehouse"]["status"] == "ONBOARDING"
    eight: dict[str, Any] = {"warehouse": "OLD", "lines": [{"sku": "SKU-0", "quantity": 8}]}
    assert (await floor.admin.mutate("stockReceive", "levels { available }", **eight))["levels"] == [{"available": 8}]
    sources = [{"warehouse": house} for house in ("BER", "NYC", "OLD")]
    await floor.admin.mutate("channelUpdate", "", channel="shop", warehouses=sources)
    for name, fields in (
        ("reservationCreate", {"lines": [{"sku": "SKU-0", "quantity": 1, "warehouse": "OLD"}]}),
        ("countCreate", {"warehouse": "OLD", "skus": ["SKU-0"]}),
        ("transferCreate", {"source": "BER", "destination": "OLD", "lines": [{"sku": "SKU-0", "quantity": 1}]}),
    ):
        refused = await floor.admin.mutate(name, "", **fields)
        assert [error["code"] for error in refused["userErrors"]] == ["WAREHOUSE_CLOSED"], name
    await floor.admin.mutate("warehouseUpdate", "", warehouse="OLD", status="SHADOW")
    assert await report(floor, 6) == (False, [("NOTED", -2)])
    assert (await floor.level("SKU-0", "OLD"))["available"] == 8
    assert await floor.company.value(_SHOWN, "shop") == 20
    assert await floor.cases() == []
    await floor.admin.mutate("warehouseUpdate", "", warehouse="OLD", status="LIVE")
    assert await floor.company.value(_SHOWN, "shop") == 28
    assert await report(floor, 6) == (True, [("CASE", -2)])
    right = {"warehouse": "OLD", "reason": "COUNTED", "lines": [{"sku": "SKU-0", "quantity": 6}]}
    assert (await floor.admin.mutate("stockSet", "", **right))["userErrors"] == []
    assert await report(floor, 6) == (True, [])
    assert await floor.cases() == [("STOCK_DIFFERENCE", "RESOLVED")]


async def test_a_tenth_warehouse_is_data_in_the_middle_of_traffic(floor: Floor) -> None:
    """Orders go on without a pause; the new house is sold from as soon as it is LIVE, and nothing is promised twice."""
    houses = [row[0] for row in await floor.state.database.hot.fetch("SELECT code FROM warehouses")]
    while len(houses) < 9:
        houses.append(f"W-{len(houses) + 1}")
        await must(floor, "warehouseCreate", code=houses[-1], name=houses[-1])
    await must(floor, "channelUpdate", channel="shop", warehouses=[{"warehouse": house} for house in houses])
    names = (f"o-{number}" for number in range(10_000))
    done, heard, taken = asyncio.Event(), asyncio.Event(), list[str]()

    async def buy() -> None:
        while not done.is_set():
            name = next(names)
            await floor.order({"SKU-0": 1}, name=name)
            taken.append(name)
            heard.set()
            await asyncio.sleep(0.02)

    async def wait_for(more: int) -> None:
        goal = len(taken) + more
        while len(taken) < goal:
            heard.clear()
            await heard.wait()

    buyers = [asyncio.create_task(buy()) for _ in range(4)]
    await within(20, wait_for(4))
    await must(floor, "warehouseCreate", code="TEN", name="The tenth", status="SHADOW")
    sources = [{"warehouse": house} for house in (*houses, "TEN")]
    await must(floor, "stockReceive", warehouse="TEN", lines=[{"sku": "SKU-0", "quantity": 10_000}])
    await must(floor, "channelUpdate", channel="shop", warehouses=sources)
    await within(20, wait_for(4))
    assert (await floor.level("SKU-0", "TEN"))["committed"] == 0
    await must(floor, "warehouseUpdate", warehouse="TEN", status="LIVE")
    while (await floor.level("SKU-0", "TEN"))["committed"] < 8:
        await within(20, wait_for(1))
    done.set()
    await asyncio.gather(*buyers)
    while await fill_backorders(floor.state):
        pass
    waiting = "SELECT count(*) FROM orders WHERE status <> 'ALLOCATED'"
    assert await floor.company.value(waiting) == 0
    assert await floor.company.value("SELECT count(*) FROM orders") == len(taken)
    assert await floor.company.value("SELECT sum(committed) FROM stock_levels") == len(taken)
    await floor.company.relay()
    there = "SELECT sum(available) FROM stock_levels l JOIN skus s ON s.id = l.sku_id WHERE s.code = 'SKU-0'"
    assert await floor.company.value(_SHOWN, "shop") == await floor.company.value(there)


async def must(floor: Floor, mutation: str, /, **fields: Any) -> None:
    made = await floor.admin.mutate(mutation, "", **fields)
    assert made["userErrors"] == [], (mutation, made)
