"""A partial return of a partial shipment, whatever the channel says of restocking: each way with its whole ledger.

Five of a SKU are ordered from BER, which has a hundred. All five are shipped, or three. The customer sends back all
that was shipped, or one. The channel says that it restocked, or does not, before or after the inspection. Each unit
that came gets one of the six dispositions. What the ledger must hold then is written out here by hand.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest

from adapters.channels.news import ReturnNotice
from api.ids import encode_id
from app.returns.notice_return import notice_return
from app.settings import Settings
from tests.floor_company import RETURN, FloorCompany, open_floor_company
from tests.shipped_orders import sell

SHIPPED = {"all": 5, "part": 3}
RETURNED = {"all": None, "one": 1}
FLAGS = ("none", "before", "after")
DISPOSITIONS = ("RESTOCK", "DAMAGED", "QUALITY_CONTROL", "SCRAP", "RETURN_TO_VENDOR", "MISSING")
WAYS = list(itertools.product(SHIPPED, RETURNED, FLAGS, DISPOSITIONS))
# (shipped, returned, disposition): available, damaged, quality control, then the accounts customer, scrap, supplier.
LEDGER: dict[tuple[str, str, str], tuple[int, int, int, int, int, int]] = {
    ("all", "all", "RESTOCK"): (100, 0, 0, 0, 0, -100),
    ("all", "all", "DAMAGED"): (95, 5, 0, 0, 0, -100),
    ("all", "all", "QUALITY_CONTROL"): (95, 0, 5, 0, 0, -100),
    ("all", "all", "SCRAP"): (95, 0, 0, 0, 5, -100),
    ("all", "all", "RETURN_TO_VENDOR"): (95, 0, 0, 0, 0, -95),
    ("all", "all", "MISSING"): (95, 0, 0, 5, 0, -100),
    ("all", "one", "RESTOCK"): (96, 0, 0, 4, 0, -100),
    ("all", "one", "DAMAGED"): (95, 1, 0, 4, 0, -100),
    ("all", "one", "QUALITY_CONTROL"): (95, 0, 1, 4, 0, -100),
    ("all", "one", "SCRAP"): (95, 0, 0, 4, 1, -100),
    ("all", "one", "RETURN_TO_VENDOR"): (95, 0, 0, 4, 0, -99),
    ("all", "one", "MISSING"): (95, 0, 0, 5, 0, -100),
    ("part", "all", "RESTOCK"): (100, 0, 0, 0, 0, -100),
    ("part", "all", "DAMAGED"): (97, 3, 0, 0, 0, -100),
    ("part", "all", "QUALITY_CONTROL"): (97, 0, 3, 0, 0, -100),
    ("part", "all", "SCRAP"): (97, 0, 0, 0, 3, -100),
    ("part", "all", "RETURN_TO_VENDOR"): (97, 0, 0, 0, 0, -97),
    ("part", "all", "MISSING"): (97, 0, 0, 3, 0, -100),
    ("part", "one", "RESTOCK"): (98, 0, 0, 2, 0, -100),
    ("part", "one", "DAMAGED"): (97, 1, 0, 2, 0, -100),
    ("part", "one", "QUALITY_CONTROL"): (97, 0, 1, 2, 0, -100),
    ("part", "one", "SCRAP"): (97, 0, 0, 2, 1, -100),
    ("part", "one", "RETURN_TO_VENDOR"): (97, 0, 0, 2, 0, -99),
    ("part", "one", "MISSING"): (97, 0, 0, 3, 0, -100),
}
_ACCOUNTS = """
SELECT l.available, l.damaged, l.quality_control, l.customer, l.scrap, l.supplier FROM stock_levels l
JOIN skus s ON s.id = l.sku_id JOIN warehouses w ON w.id = l.warehouse_id WHERE s.code = $1 AND w.code = 'BER'
"""


@pytest.fixture(scope="module")
async def company(module_settings: Settings) -> AsyncIterator[FloorCompany]:
    """Each way has a SKU of its own."""
    async with open_floor_company(module_settings, skus=len(WAYS)) as opened:
        yield opened


def test_every_way_has_its_ledger() -> None:
    assert len(WAYS) >= 40
    assert {(shipped, returned, what) for shipped, returned, _, what in WAYS} == set(LEDGER)
    assert all(sum(row) == 0 for row in LEDGER.values())


@pytest.mark.parametrize(("shipped", "returned", "flag", "disposition"), WAYS)
async def test_a_return_has_its_ledger(
    company: FloorCompany, shipped: str, returned: str, flag: str, disposition: str
) -> None:
    number = WAYS.index((shipped, returned, flag, disposition))
    sku, sent = f"SKU-{number}", SHIPPED[shipped]
    back = RETURNED[returned] or sent
    sale = await sell(company.state, {sku: (5, sent)}, external_id=f"order-{number}")
    line = (sale.line_ids[sku], back)
    approved = ReturnNotice(f"RET-{number}", sale.external_id, (line,))
    restocked = ReturnNotice(f"RET-{number}", sale.external_id, (line,), restocked=True)
    await notice_return(company.state, sale.channel_id, approved)
    if flag == "before":
        await notice_return(company.state, sale.channel_id, restocked)
    query = "query($f: ReturnFilter) { returns(filter: $f) { nodes { id } } }"
    (found,) = (await company.client.data(query, f={"order": encode_id("Order", str(sale.id))}))["returns"]["nodes"]
    parcel = [{"sku": sku, "quantity": back}]
    await company.do("returnReceive", RETURN, id=found["id"], lines=parcel)
    fate = [{**parcel[0], "disposition": disposition}]
    await company.do("returnInspect", RETURN, id=found["id"], lines=fate)
    if flag == "after":
        await notice_return(company.state, sale.channel_id, restocked)
    await company.do("returnClose", RETURN, id=found["id"])
    if flag != "none":  # a channel repeats itself, and a second refund of the same units has another name
        await notice_return(company.state, sale.channel_id, restocked)
        again = ReturnNotice(f"REFUND-{number}", sale.external_id, (line,), restocked=True)
        if disposition != "MISSING" and back == sent:
            assert await notice_return(company.state, sale.channel_id, again) is None
    row = await company.state.database.hot.fetchrow(_ACCOUNTS, sku)
    assert tuple(row) == LEDGER[shipped, returned, disposition]
