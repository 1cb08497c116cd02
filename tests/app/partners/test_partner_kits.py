"""Kits at a partner: what it gives up takes the rest of its kit along, and what it says has left has left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.channels.threepl.memory import MemoryPartner
from app.partners.delegate_work import delegate_work
from app.partners.open_partner import OPENERS
from app.partners.plan_events import plan_events
from app.partners.poll_changes import poll_changes
from app.settings import Settings
from app.stock.verify_ledger import verify_ledger
from domain.identity import Role
from tests.partner_company import PartnerCompany, open_partner_company

LINES = """
SELECT s.code, l.quantity, l.shipped, l.cancelled, l.short FROM fulfillment_order_lines l JOIN skus s ON s.id = l.sku_id
ORDER BY l.fulfillment_order_id, l.line
"""
WANTED = "SELECT sku_code, quantity - allocated - shipped - cancelled FROM order_lines ORDER BY line"


@pytest.fixture
async def company(settings: Settings) -> AsyncIterator[PartnerCompany]:
    """SET is a SKU-0 and a SKU-1."""
    async with open_partner_company(settings) as opened:
        await opened.admin.mutate("skuUpsert", "", lines=[{"code": "SET", "title": "Set"}])
        parts = [{"sku": "SKU-0", "quantity": 1}, {"sku": "SKU-1", "quantity": 1}]
        assert (await opened.admin.mutate("kitSet", "", sku="SET", components=parts))["userErrors"] == []
        yield opened
        assert (await verify_ledger(opened.state.database)).problems == []


@pytest.fixture
async def partner(company: PartnerCompany, monkeypatch: pytest.MonkeyPatch) -> MemoryPartner:
    """Called, and given three kits."""
    opened = MemoryPartner()
    monkeypatch.setitem(OPENERS, "CONNECT", lambda _h, _c, _s: opened)
    await company.connect(connect={"baseUrl": "http://partner.test", "provider": "p", "apiKey": "k"})
    await company.place(SET=3)
    await hear(company)
    return opened


async def hear(company: PartnerCompany) -> None:
    """A minute later, what the partner says is known."""
    company.pass_seconds(60)
    await plan_events(company.state, company.now)
    for loop in (delegate_work, poll_changes):
        for _ in range(20):
            if not await loop(company.state, company.now):
                break


async def test_the_rest_of_a_kit_goes_with_what_was_refused_of_it(
    company: PartnerCompany, partner: MemoryPartner
) -> None:
    partner.ship("P-1", {"0": 1, "1": 1}, company.now)
    await hear(company)
    known = partner.orders["P-1"]
    partner.refuse("P-1", known.status, "out of stock", {"1": 1})  # type: ignore[arg-type]
    for _ in range(2):
        await hear(company)
        assert await company.fetch(LINES) == [("SKU-0", 3, 1, 1, 0), ("SKU-1", 3, 1, 0, 1)], "one kit is still to come"
        assert await company.fetch(WANTED) == [("SKU-0", 1), ("SKU-1", 1)]
    levels = "SELECT available, committed, adjustment FROM stock_levels l JOIN skus s ON s.id = sku_id"
    by_sku = f"{levels} WHERE s.code = ANY('{{SKU-0,SKU-1}}') AND l.customer > 0 ORDER BY s.code"
    assert await company.fetch(by_sku) == [(8, 1, 0), (7, 1, 1)], "what was missing left the books"
    partner.ship("P-1", {"0": 1, "1": 1}, company.now, "T2")
    await hear(company)
    assert await company.value("SELECT status FROM fulfillment_orders") == "SHIPPED"


async def test_a_parcel_with_part_of_a_kit_that_a_partner_tells_of_has_left(
    company: PartnerCompany, partner: MemoryPartner
) -> None:
    partner.ship("P-1", {"0": 2}, None)  # type: ignore[arg-type]
    await hear(company)
    assert await company.fetch(LINES) == [("SKU-0", 3, 2, 0, 0), ("SKU-1", 3, 0, 0, 0)]
    assert await company.cases() == []


async def test_so_it_has_by_its_own_token_and_not_by_ours(company: PartnerCompany) -> None:
    made = await company.connect()
    assert made["userErrors"] == []
    await company.place(SET=1)
    await hear(company)
    house = await company.value("SELECT id FROM warehouses WHERE code = '3PL'")
    theirs = await company.client(Role.PARTNER, warehouse_ids=[house])
    (work,) = (await theirs.data("{ fulfillmentOrders { nodes { id } } }"))["fulfillmentOrders"]["nodes"]
    await theirs.mutate("fulfillmentOrderAccept", "", id=work["id"])
    parcel = {"carrier": "DHL", "trackingNumber": "T1", "lines": [{"sku": "SKU-0", "quantity": 1}]}
    ours = await company.admin.mutate("fulfillmentOrderShip", "", id=work["id"], **parcel)
    assert ours["userErrors"][0]["code"] == "INVALID_QUANTITY"
    assert (await theirs.mutate("fulfillmentOrderShip", "", id=work["id"], **parcel))["userErrors"] == []
    assert await company.fetch(LINES) == [("SKU-0", 1, 1, 0, 0), ("SKU-1", 1, 0, 0, 0)]
