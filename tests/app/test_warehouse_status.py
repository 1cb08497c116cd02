"""What a warehouse holds is sold while it is LIVE, from the moment at which it is."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.settings import Settings
from tests.floor import Floor, open_floor

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
