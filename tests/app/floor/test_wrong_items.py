"""A wrong item in a parcel that comes back: an answer by its name, and nothing is corrected on its word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.ids import encode_id
from app.counts.plan_counts import plan_counts
from app.settings import Settings
from tests.floor import Floor, open_floor

RETURN = "return { id money refundState custody lines { sku { code } finding authorized received } }"
LEVELS = """
SELECT s.code, w.code, l.available, l.quality_control, l.customer FROM stock_levels l
JOIN skus s ON s.id = l.sku_id JOIN warehouses w ON w.id = l.warehouse_id ORDER BY 1, 2
"""
DOUBTS = """
SELECT s.code, w.code, x.kind FROM stock_suspicions x JOIN skus s ON s.id = x.sku_id
JOIN warehouses w ON w.id = x.warehouse_id WHERE x.noticed_at = (SELECT max(shipped_at) FROM fulfillments) ORDER BY 1, 2
"""


@pytest.fixture
async def floor(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    whole = settings.model_copy(update={"count_share_percent": 100.0})
    async with open_floor(whole, monkeypatch) as opened:
        yield opened


async def do(floor: Floor, name: str, **fields: Any) -> Any:
    made = await floor.admin.mutate(name, RETURN, **fields)
    assert made["userErrors"] == [], made
    return made["return"]


async def sold(floor: Floor, **units: int) -> str:
    """Shipped from BER; the order's global id."""
    order_id = await floor.order({name.replace("_", "-"): count for name, count in units.items()})
    work = await floor.release_of(order_id)
    await floor.do("Accept", work)
    await floor.ship(work)
    return encode_id("Order", str(order_id))


async def levels(floor: Floor) -> dict[tuple[str, str], tuple[int, ...]]:
    """(available, in quality control, with customers) by SKU and warehouse."""
    return {(row[0], row[1]): tuple(row)[2:] for row in await floor.state.database.hot.fetch(LEVELS)}


async def doubts(floor: Floor) -> list[tuple[str, ...]]:
    """Of the moment when the order was shipped."""
    return [tuple(row) for row in await floor.state.database.hot.fetch(DOUBTS)]


@pytest.mark.parametrize("announced", [True, False])
async def test_what_was_sent_by_mistake_is_taken_in_as_what_it_is_and_counted_first(
    floor: Floor, announced: bool
) -> None:
    order = await sold(floor, SKU_0=1, **({"SKU_1": 1} if announced else {}))
    before = await levels(floor)
    given: dict[str, Any] = {"warehouse": "NYC", "order": {"id": order}}
    if announced:
        lines = [{"sku": "SKU-0", "quantity": 1}]
        made = await do(floor, "returnAuthorize", **given, lines=lines, refund={"amount": "10"})
        given = {"id": made["id"]}
    wrong = [{"sku": "SKU-2", "quantity": 1}]
    made = await do(floor, "returnReceive", **given, lines=wrong)
    strange = {"sku": {"code": "SKU-2"}, "finding": "NOT_SOLD", "authorized": 0, "received": 1}
    assert made["lines"][-1] == strange
    changed = {key: level for key, level in (await levels(floor)).items() if level != before[key]}
    available, _, gone = before["SKU-2", "NYC"]
    assert changed == {("SKU-2", "NYC"): (available, 1, gone - 1)}, "nothing of what should have been sent moves"
    expected = [("SKU-0", "BER", "MISPICK"), ("SKU-2", "BER", "MISPICK")]
    assert await doubts(floor) == expected, "where it was shipped, not where it came; no other SKU of the order"
    assert ("RETURN_MISMATCH", "OPEN") in await floor.cases()
    await do(floor, "returnInspect", id=made["id"], lines=[{**wrong[0], "disposition": "RESTOCK"}])
    assert (await levels(floor))["SKU-2", "NYC"] == (available + 1, 0, gone - 1)
    assert await floor.company.value("SELECT refund_state FROM returns") == "NONE", "no machine pays for it"
    await plan_counts(floor.state)
    query = """SELECT array_agg(s.code ORDER BY s.code) FROM count_lines c JOIN skus s ON s.id = c.sku_id
      JOIN counts h ON h.id = c.count_id JOIN warehouses w ON w.id = h.warehouse_id
      WHERE w.code = 'BER' AND c.cause = 'MISPICK'"""
    assert await floor.company.value(query) == ["SKU-0", "SKU-2"]


async def test_another_item_of_the_order_is_a_wrong_one_and_no_mispick(floor: Floor) -> None:
    order = await sold(floor, SKU_0=1, SKU_1=1)
    lines = [{"sku": "SKU-0", "quantity": 1}]
    made = await do(floor, "returnAuthorize", warehouse="BER", order={"id": order}, lines=lines)
    made = await do(floor, "returnReceive", id=made["id"], lines=[{"sku": "SKU-1", "quantity": 1}])
    assert [line["finding"] for line in made["lines"]] == ["EXPECTED", "WRONG_ITEM"]
    assert (made["custody"], await doubts(floor)) == ("PARTLY_RECEIVED", [])


async def test_one_mistake_is_doubted_once_however_the_parcel_is_taken_in(floor: Floor) -> None:
    order = await sold(floor, SKU_0=2)
    wrong = [{"sku": "SKU-2", "quantity": 1}]
    made = await do(floor, "returnReceive", warehouse="BER", order={"id": order}, lines=wrong)
    await do(floor, "returnReceive", id=made["id"], lines=wrong)
    assert len(await doubts(floor)) == 2
    stranger = await do(floor, "returnReceive", warehouse="BER", lines=wrong)
    assert stranger["lines"][0]["finding"] == "UNANNOUNCED"
    assert len(await doubts(floor)) == 2, "of which order it is nobody knows"
