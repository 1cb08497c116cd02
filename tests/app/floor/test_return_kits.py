"""A kit comes back whole or in parts: its components are what is counted, inspected and sold again."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.channels.news import ReturnNotice
from app.returns.notice_return import notice_return
from app.settings import Settings
from tests.floor_company import RETURN, FloorCompany, open_floor_company
from tests.shipped_orders import Sale, sell

MUGS, TRAYS = 2, 1
"""In one set."""
SOLD = 3
NOTICES = ("line", "sku", "support", "dock")
PARTS = {"whole": (2, 1), "without its tray": (2, 0), "half": (1, 0)}
DISPOSITIONS = ("RESTOCK", "DAMAGED", "SCRAP")
WAYS = list(itertools.product(NOTICES, PARTS, DISPOSITIONS))
LANDS = {"RESTOCK": "available", "DAMAGED": "damaged", "SCRAP": "scrap"}
_LEVEL = """
SELECT l.available, l.damaged, l.quality_control, l.scrap, l.customer FROM stock_levels l JOIN skus s ON s.id = l.sku_id
JOIN warehouses w ON w.id = l.warehouse_id WHERE s.code = $1 AND w.code = 'BER'
"""


@pytest.fixture(scope="module")
async def company(module_settings: Settings) -> AsyncIterator[FloorCompany]:
    """Each way has a set of its own: `SET-n` is two of SKU-2n and one of SKU-2n+1."""
    async with open_floor_company(module_settings, skus=2 * len(WAYS)) as opened:
        for number in range(len(WAYS)):
            await opened.do("skuUpsert", "", lines=[{"code": f"SET-{number}", "title": "A set"}])
            mug, tray = pair(number)
            parts = [{"sku": mug, "quantity": MUGS}, {"sku": tray, "quantity": TRAYS}]
            await opened.do("kitSet", "", sku=f"SET-{number}", components=parts)
        yield opened


def pair(number: int) -> tuple[str, str]:
    return f"SKU-{2 * number}", f"SKU-{2 * number + 1}"


async def sell_sets(company: FloorCompany, number: int) -> Sale:
    """Shipped in parts, under the names that the order's lines of a kit have."""
    mug, tray = pair(number)
    wanted = {mug: (MUGS * SOLD, MUGS * SOLD), tray: (TRAYS * SOLD, TRAYS * SOLD)}
    sale = await sell(company.state, wanted, external_id=f"order-{number}")
    for code in (mug, tray):
        await company.state.database.hot.execute(
            "UPDATE order_lines SET external_id = $3 WHERE order_id = $1 AND sku_code = $2",
            *(sale.id, code, f"line-{number}#SET-{number}#{code}"),
        )
    return sale


async def announce(company: FloorCompany, sale: Sale, number: int, notice: str) -> str | None:
    """One set is to come back; None when nobody says so."""
    if notice == "dock":
        return None
    if notice == "support":
        order = {"channel": "direct", "externalId": sale.external_id}
        lines = [{"sku": f"SET-{number}", "quantity": 1}]
        made = await company.do("returnAuthorize", RETURN, warehouse="BER", order=order, lines=lines)
        return str(made["return"]["label"])
    named: dict[str, Any] = {"lines": ((f"line-{number}", 1),)}
    if notice == "sku":
        named = {"items": ((f"SET-{number}", 1),)}
    found = await notice_return(
        company.state, sale.channel_id, ReturnNotice(f"RET-{number}", sale.external_id, **named)
    )
    label = await company.value("SELECT 'RT-' || number FROM returns WHERE id = $1", found)
    return str(label)


@pytest.mark.parametrize(("notice", "parts", "disposition"), WAYS)
async def test_a_kit_comes_back_as_its_components(
    company: FloorCompany, notice: str, parts: str, disposition: str
) -> None:
    number = WAYS.index((notice, parts, disposition))
    sale, (mug, tray) = await sell_sets(company, number), pair(number)
    label = await announce(company, sale, number, notice)
    back = {mug: PARTS[parts][0], tray: PARTS[parts][1]}
    came = [{"sku": code, "quantity": units} for code, units in back.items() if units]
    if parts == "whole":
        came = [{"sku": f"SET-{number}", "quantity": 1}]
    place: dict[str, Any] = {"warehouse": "BER", "order": {"channel": "direct", "externalId": sale.external_id}}
    made = (await company.do("returnReceive", RETURN, lines=came, **({"id": label} if label else place)))["return"]
    shown = {line["sku"]["code"]: (line["authorized"], line["received"]) for line in made["lines"]}
    announced = {mug: MUGS, tray: TRAYS} if label else {}
    assert shown == {code: (announced.get(code, 0), back[code]) for code in back if code in announced or back[code]}
    fate = [{**line, "disposition": disposition} for line in came]
    made = (await company.do("returnInspect", RETURN, id=made["id"], lines=fate))["return"]
    assert made["condition"] == "INSPECTED"
    await company.do("returnClose", RETURN, id=made["id"])
    for code, per_set in ((mug, MUGS), (tray, TRAYS)):
        row = dict(await company.state.database.hot.fetchrow(_LEVEL, code))
        expected = dict.fromkeys(row, 0) | {"available": 100 - per_set * SOLD, "customer": per_set * SOLD - back[code]}
        expected[LANDS[disposition]] += back[code]
        assert row == expected


async def test_more_sets_than_were_sold_do_not_come_back(company: FloorCompany) -> None:
    """The last way's order: three sets, less what has come back of it."""
    order = {"channel": "direct", "externalId": f"order-{len(WAYS) - 1}"}
    lines = [{"sku": f"SET-{len(WAYS) - 1}", "quantity": SOLD + 1}]
    given: dict[str, Any] = {"warehouse": "BER", "order": order}
    assert await company.refuse("returnAuthorize", RETURN, lines=lines, **given) == "OVER_RETURN"
    lines = [{"sku": "SET-0", "quantity": 1}]
    assert await company.refuse("returnAuthorize", RETURN, lines=lines, **given) == "NOT_SOLD"
    lines = [{"sku": "SET-0", "quantity": 2_000_000_000}]
    assert await company.refuse("returnAuthorize", RETURN, lines=lines, **given) == "INVALID_QUANTITY"
