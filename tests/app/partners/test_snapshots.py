"""A partner's stock against the books: work on its way explains what it explains, the rest is adjusted or a case."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.threepl.config import ProviderConfig
from adapters.sandbox.threepl.create_provider import create_provider
from adapters.sandbox.threepl.inject_faults import FaultKind
from app.partners.forget_rows import forget_partner_rows
from app.partners.import_snapshot import import_snapshot, read_snapshot
from app.partners.mind_snapshots import mind_snapshots
from app.partners.plan_events import plan_events
from app.partners.poll_snapshots import poll_snapshot
from app.settings import Settings
from app.stock.verify_ledger import verify_ledger
from domain.errors import Refusal
from domain.identity import Principal, Role
from tests.adapters.ebay.market import serve
from tests.partner_company import PartnerCompany, open_partner_company

SELECTION = "snapshot { applied levels equal differences { sku told least most difference outcome } }"


@pytest.fixture
async def company(settings: Settings) -> AsyncIterator[PartnerCompany]:
    async with open_partner_company(settings) as opened:
        yield opened


async def report(company: PartnerCompany, as_of: datetime.datetime | None = None, **units: int) -> Any:
    lines = [{"sku": sku.replace("_", "-"), "onHand": count} for sku, count in units.items()]
    at = as_of or datetime.datetime.now(datetime.UTC)
    made = await company.admin.mutate(
        "partnerSnapshotReport", SELECTION, warehouse="3PL", asOf=at.isoformat(), lines=lines
    )
    return made["snapshot"] or made["userErrors"][0]["code"]


async def on_hand(company: PartnerCompany, sku: str = "SKU-0") -> int:
    query = (
        "SELECT available + reserved + committed + damaged + quality_control FROM stock_levels l "
        "JOIN skus s ON s.id = l.sku_id JOIN warehouses w ON w.id = l.warehouse_id WHERE s.code = $1 AND w.code = '3PL'"
    )
    return int(await company.value(query, sku))


async def check(company: PartnerCompany) -> None:
    assert (await verify_ledger(company.state.database)).problems == []


async def test_equal_books_change_nothing(company: PartnerCompany) -> None:
    assert await report(company, SKU_0=10, SKU_1=10) == {"applied": True, "levels": 2, "equal": 2, "differences": []}
    assert await company.fetch("SELECT count(*) FROM stock_movements WHERE reason = 'PARTNER_SNAPSHOT'") == [(0,)]


async def test_small_differences_are_adjusted_with_a_reason_and_large_ones_are_cases(company: PartnerCompany) -> None:
    await company.connect(toleranceUnits=2)
    found = await report(company, SKU_0=9, SKU_1=12, SKU_2=4)
    assert [(one["sku"], one["difference"], one["outcome"]) for one in found["differences"]] == [
        ("SKU-0", -1, "ADJUSTED"),
        ("SKU-1", 2, "ADJUSTED"),
        ("SKU-2", -6, "CASE"),
    ]
    assert [await on_hand(company, f"SKU-{n}") for n in range(3)] == [9, 12, 10]
    assert await company.fetch(
        "SELECT reason, document LIKE 'snapshot:%', quantity FROM stock_movements WHERE reason = 'PARTNER_SNAPSHOT' ORDER BY id"
    ) == [("PARTNER_SNAPSHOT", True, 1), ("PARTNER_SNAPSHOT", True, 2)]
    assert [case[:2] for case in await company.cases()] == [("STOCK_DIFFERENCE", "OPEN")]
    assert (await report(company, SKU_0=9, SKU_1=12, SKU_2=4))["equal"] == 2
    assert (await report(company, SKU_2=10))["equal"] == 1
    assert [case[:2] for case in await company.cases()] == [("STOCK_DIFFERENCE", "RESOLVED")]
    await check(company)


async def test_a_parcel_that_was_not_reported_yet_is_no_difference_and_is_not_counted_twice(
    company: PartnerCompany,
) -> None:
    await company.connect(toleranceUnits=5)
    work = await company.place(SKU_0=3)
    found = await report(company, SKU_0=7)  # it has left, we have not been told
    assert (found["equal"], await on_hand(company)) == (1, 10)
    house = await company.value("SELECT id FROM warehouses WHERE code = '3PL'")
    partner = await company.client(Role.PARTNER, warehouse_ids=[house])
    key = (await partner.data("{ fulfillmentOrders { nodes { id } } }"))["fulfillmentOrders"]["nodes"][0]["id"]
    await partner.mutate("fulfillmentOrderAccept", "fulfillmentOrder { id }", id=key)
    shipped = await partner.mutate(
        "fulfillmentOrderShip", "fulfillmentOrder { status }", id=key, carrier="dhl", trackingNumber="T1"
    )
    assert (shipped["userErrors"], shipped["fulfillmentOrder"]) == ([], {"status": "SHIPPED"}), work
    assert (await report(company, SKU_0=7))["equal"] == 1
    assert await on_hand(company) == 7
    await check(company)


async def test_scheduled_work_cannot_have_left(company: PartnerCompany) -> None:
    await company.place(SKU_0=3)
    await company.execute("UPDATE fulfillment_orders SET status = 'SCHEDULED'")
    assert (await report(company, SKU_0=7))["differences"][0]["difference"] == -3


async def test_what_happened_after_the_moment_may_be_in_it_or_not(company: PartnerCompany) -> None:
    before = datetime.datetime.now(datetime.UTC)
    await asyncio.sleep(0.01)
    lines = [{"sku": "SKU-0", "quantity": 5}]
    await company.admin.mutate("stockReceive", "", warehouse="3PL", lines=lines)
    for told, difference in ((10, 0), (15, 0)):
        found = await report(company, before, SKU_0=told)
        assert found["equal"] == 1, (told, difference)
    assert (await report(company, SKU_0=10))["differences"][0]["difference"] == -5


async def test_goods_that_arrived_and_were_not_posted_are_no_difference(company: PartnerCompany) -> None:
    await company.execute(
        "UPDATE stock_levels SET incoming = 4 WHERE warehouse_id = (SELECT id FROM warehouses WHERE code = '3PL')"
    )
    assert (await report(company, SKU_0=14))["equal"] == 1
    assert (await report(company, SKU_0=15))["differences"][0]["difference"] == 1


async def test_an_older_snapshot_is_refused(company: PartnerCompany) -> None:
    now = datetime.datetime.now(datetime.UTC)
    await report(company, now, SKU_0=10)
    assert await report(company, now - datetime.timedelta(minutes=1), SKU_0=10) == "WRONG_STATE"
    assert await report(company, now, SKU_1=10) == {"applied": True, "levels": 1, "equal": 1, "differences": []}
    assert await report(company, now + datetime.timedelta(hours=1), SKU_0=10) == "INVALID_INPUT"
    assert await report(company, SKU_9=10) == "SKU_NOT_FOUND"
    assert await report(company, SKU_0=-1) == "INVALID_QUANTITY"


async def test_what_is_promised_is_never_adjusted_away(company: PartnerCompany) -> None:
    await company.connect(tolerancePercent=100)
    held = [{"sku": "SKU-0", "quantity": 8, "warehouse": "3PL"}]
    await company.admin.mutate("reservationCreate", "", lines=held, expiresInSeconds=600)
    assert (await report(company, SKU_0=7))["differences"][0]["outcome"] == "CASE"
    assert (await report(company, SKU_0=9))["differences"][0]["outcome"] == "ADJUSTED"
    await check(company)


async def test_old_rows_are_forgotten_and_new_ones_are_not(company: PartnerCompany) -> None:
    await company.connect(webhook={"url": "https://acme.example"})
    await company.place()
    await plan_events(company.state, company.now)
    await report(company, SKU_0=9)
    assert await forget_partner_rows(company.state) == 0
    await company.execute("UPDATE partner_deliveries SET state = 'SENT', created_at = now() - interval '31 days'")
    await company.execute("UPDATE partner_snapshots SET created_at = now() - interval '91 days'")
    assert await forget_partner_rows(company.state) == 2


@pytest.mark.parametrize("status", ["ONBOARDING", "SHADOW"])
async def test_a_warehouse_that_is_not_live_is_only_compared(company: PartnerCompany, status: str) -> None:
    await company.connect(toleranceUnits=5)
    await company.execute("UPDATE warehouses SET status = $1 WHERE code = '3PL'", status)
    found = await report(company, SKU_0=9, SKU_1=1)
    assert (found["applied"], [one["outcome"] for one in found["differences"]]) == (False, ["NOTED", "NOTED"])
    assert (await on_hand(company), await company.cases()) == (10, [])


async def test_a_list_of_all_has_nothing_of_what_it_leaves_out(company: PartnerCompany) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat()
    lines = [{"sku": "SKU-0", "onHand": 10}]
    given = {"warehouse": "3PL", "asOf": now, "lines": lines, "complete": True}
    made = await company.admin.mutate("partnerSnapshotReport", SELECTION, **given)
    assert [(one["sku"], one["difference"]) for one in made["snapshot"]["differences"]] == [
        ("SKU-1", -10),
        ("SKU-2", -10),
    ]


async def test_partners_that_are_called_are_asked(company: PartnerCompany) -> None:
    config = ProviderConfig(stock={"SKU-0": 10, "SKU-1": 9, "THEIRS": 4}, clock=lambda: company.now.timestamp())
    app = create_provider(config)
    company.now = datetime.datetime.now(datetime.UTC)
    async with serve(app) as url:
        connect = {"baseUrl": url, "provider": "onhand_sandbox", "apiKey": "sandbox-key"}
        await company.connect(connect=connect, toleranceUnits=1)
        app.state.provider.faults.add(FaultKind.DOWN)
        assert await poll_snapshot(company.state, company.now) == 1
        assert await company.value("SELECT failures FROM partners") == 1
        company.pass_seconds(3_700)
        assert await poll_snapshot(company.state, company.now) == 1
        assert await poll_snapshot(company.state, company.now) == 0
    assert [await on_hand(company, f"SKU-{n}") for n in range(3)] == [10, 9, 10]
    assert await company.fetch("SELECT source, levels, adjusted, cases FROM partner_snapshots") == [("POLL", 3, 1, 1)]
    assert await company.fetch("SELECT title FROM exception_cases") == [("3PL has 0 of SKU-2, our books 10",)]
    await check(company)


@pytest.mark.parametrize(
    ("told", "snapshots"),
    [
        ({"SKU-0": 4, "400000": 6, "SKU-1": 10, "SKU-2": 10}, [("POLL", 3, 0, 0)]),
        ({"THEIRS": 4}, []),
        ({}, []),
    ],
)
async def test_a_whole_list_is_read_by_any_name_and_an_empty_one_proves_nothing(
    company: PartnerCompany, told: dict[str, int], snapshots: list[Any]
) -> None:
    app = create_provider(ProviderConfig(stock=told, clock=lambda: company.now.timestamp()))
    company.now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    async with serve(app) as url:
        await company.connect(connect={"baseUrl": url, "provider": "onhand_sandbox", "apiKey": "sandbox-key"})
        assert await poll_snapshot(company.state, company.now) == 1
    assert await company.fetch("SELECT source, levels, adjusted, cases FROM partner_snapshots") == snapshots
    assert await company.value("SELECT failures FROM partners") == 0
    assert await company.cases() == []


async def test_a_list_comes_as_a_file(company: PartnerCompany, tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text("sku,on_hand\nSKU-0,10\n400001,7\n")
    who = Principal("cli", "cli", frozenset({Role.ADMIN}))
    now = datetime.datetime.now(datetime.UTC)
    (answer,) = await import_snapshot(company.state, who, "3PL", path, now, "cli")
    assert [(line["sku"], line["difference"]) for line in answer["snapshot"]["lines"]] == [("400001", -3)]
    for text in ("sku,units\nSKU-0,1\n", "sku,on_hand\nSKU-0,many\n", "sku,on_hand\nSKU-0,1\nSKU-0 ,2\n"):
        path.write_text(text)
        with pytest.raises(Refusal):
            read_snapshot(path)


async def test_lists_that_stop_are_a_case_until_the_next_one(company: PartnerCompany) -> None:
    """By how they came before: hourly, so more than two and a half hours of silence are too many."""
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    for back in (5, 4, 3):
        assert (await report(company, now - back * hour, SKU_0=10))["equal"] == 1
    assert await mind_snapshots(company.state, now - hour) == 0, "not late yet"
    assert [await mind_snapshots(company.state, now) for _ in range(2)] == [1, 0], "once"
    assert await company.cases() == [("SNAPSHOT_OVERDUE", "OPEN", 1)]
    shown = await company.admin.data("{ exceptionCases(first: 1) { nodes { title owner subjectId } } }")
    (case,) = shown["exceptionCases"]["nodes"]
    assert case["title"].startswith("No stock list of 3PL since"), case
    house = await company.admin.data(
        "query($id: ID!) { node(id: $id) { ... on Warehouse { code } } }", id=case["subjectId"]
    )
    assert house["node"] == {"code": "3PL"}
    await report(company, now, SKU_0=10)
    assert await company.cases() == [("SNAPSHOT_OVERDUE", "RESOLVED", 1)]


async def test_lists_of_a_warehouse_that_is_left_are_not_waited_for(company: PartnerCompany) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for back in (5, 4, 3):
        await report(company, now - datetime.timedelta(hours=back), SKU_0=10)
    assert await mind_snapshots(company.state, now) == 1
    await company.execute("UPDATE warehouses SET status = 'SHADOW' WHERE code = '3PL'")
    assert await mind_snapshots(company.state, now) == 0
    assert await company.cases() == [("SNAPSHOT_OVERDUE", "RESOLVED", 1)]
    assert await mind_snapshots(company.state, now) == 0
