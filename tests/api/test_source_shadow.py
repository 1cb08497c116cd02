"""A SHADOW warehouse of a LIVE channel: what it would change is told, and nothing of it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.settings import Settings
from tests.channel_company import ChannelCompany, open_channel_company

REPORT = """{ channel(code: "shop") { status sourceShadow { compared different raised lowered unitsRaised unitsLowered
  listings(first: 2) { wouldShow listing { externalId published acknowledged } } } } }"""


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as opened:
        yield opened


async def set_status(company: ChannelCompany, status: str) -> None:
    houses = [{"warehouse": "BER"}, {"warehouse": "NYC", "status": status}]
    made = await company.admin.mutate("channelUpdate", "", channel="shop", warehouses=houses)
    assert made["userErrors"] == []


async def test_what_a_shadow_warehouse_would_change(company: ChannelCompany) -> None:
    await company.settle("shop")
    assert (await company.admin.data(REPORT))["channel"]["sourceShadow"] is None
    await set_status(company, "SHADOW")
    await company.settle("shop")
    shop = company.shops["shop"]
    assert set(shop.quantities.values()) == {10}
    lines = [{"sku": "SKU-1", "delta": 5}]
    await company.admin.mutate("stockAdjust", "", warehouse="NYC", reason="COUNT", lines=lines)
    sent = len(shop.batches)
    await company.settle("shop")
    found = (await company.admin.data(REPORT))["channel"]
    assert found == {
        "status": "LIVE",
        "sourceShadow": {
            "compared": 3,
            "different": 3,
            "raised": 3,
            "lowered": 0,
            "unitsRaised": 35,
            "unitsLowered": 0,
            "listings": [
                {"wouldShow": 25, "listing": {"externalId": "item-1", "published": 10, "acknowledged": 10}},
                {"wouldShow": 20, "listing": {"externalId": "item-0", "published": 10, "acknowledged": 10}},
            ],
        },
    }
    assert len(shop.batches) == sent, "nothing of it is sent"
    own = {"sku": "SKU-0", "warehouses": ["BER"]}
    await company.admin.mutate("listingPolicySet", "", channel="shop", lines=[own])
    report = (await company.admin.data(REPORT))["channel"]["sourceShadow"]
    assert (report["compared"], report["unitsRaised"]) == (2, 25), "the warehouse is none of that listing's"
    await set_status(company, "LIVE")
    await company.settle("shop")
    assert shop.quantities["item-1", ""] == 25, "as it was told"
    assert (await company.admin.data(REPORT))["channel"]["sourceShadow"] is None
