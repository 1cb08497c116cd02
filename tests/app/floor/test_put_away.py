"""Put-away: units come into bins or stand on the floor, bins never hold more than the ledger, and know what they held."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.settings import Settings
from app.stock.verify_ledger import verify_ledger
from domain.identity import Role
from tests.floor_company import RETURN, TRANSFER, FloorCompany, open_floor_company

TASKS = "query($w: String!) { putAwayTasks(warehouse: $w) { sku quantity left places { bin quantity why } } }"
COUNT = "count { id status lines { sku bin expected counted variance posted } }"
BATCH = "results { status error { code } documentId }"


@dataclass
class Store:
    """BER with a hundred of each SKU, a litre each, and bins of forty litres for picking and of a hundred in bulk."""

    company: FloorCompany

    async def do(self, name: str, selection: str = "", /, **fields: Any) -> Any:
        return await self.company.do(name, selection, **fields)

    async def move(self, sku: str, units: int, source: str | None = None, target: str | None = None) -> Any:
        return await self.do(
            "binMove", warehouse="BER", lines=[{"sku": sku, "quantity": units, "from": source, "to": target}]
        )

    async def held(self, sku: str = "SKU-0") -> dict[str, int]:
        query = '{ bins(warehouse: "BER") { nodes { code contents { sku quantity } } } }'
        nodes = (await self.company.client.data(query))["bins"]["nodes"]
        return {n["code"]: c["quantity"] for n in nodes for c in n["contents"] if c["sku"] == sku}

    async def now(self) -> str:
        at: datetime.datetime = await self.company.value("SELECT clock_timestamp()")
        return at.isoformat()

    async def suspected(self) -> list[str]:
        rows = await self.company.state.database.hot.fetch(
            "SELECT s.code FROM stock_suspicions JOIN skus s ON s.id = sku_id WHERE kind = 'NEGATIVE' ORDER BY 1"
        )
        return [row[0] for row in rows]


@pytest.fixture
async def company(settings: Settings) -> AsyncIterator[FloorCompany]:
    async with open_floor_company(settings) as opened:
        yield opened


@pytest.fixture
async def store(company: FloorCompany) -> Store:
    await company.do("skuUpsert", "", lines=[{"code": f"SKU-{n}", "volumeMl": 1_000} for n in range(3)])
    zones = [{"code": "P", "kind": "PICK", "sequence": 1}, {"code": "B", "kind": "BULK", "sequence": 2}]
    await company.do("zoneUpsert", "", warehouse="BER", lines=zones)
    bins = [("P-1", "P", 1, 40), ("P-2", "P", 2, 40), ("B-1", "B", 1, 100)]
    lines = [{"code": c, "zone": z, "sequence": n, "capacityMl": v * 1_000} for c, z, n, v in bins]
    await company.do("binUpsert", "", warehouse="BER", lines=lines)
    return Store(company)


async def test_a_receipt_names_its_bins_or_waits_on_the_floor(store: Store) -> None:
    lines = [
        {"sku": "SKU-0", "quantity": 5, "bin": "P-1"},
        {"sku": "SKU-0", "quantity": 3, "bin": "P-2"},
        {"sku": "SKU-0", "quantity": 2},
    ]
    await store.do("stockReceive", warehouse="BER", lines=lines)
    assert await store.held() == {"P-1": 5, "P-2": 3}
    assert await store.company.some("SKU-0", "BER", "available") == (110,)
    found = {task["sku"]: task for task in (await store.company.client.data(TASKS, w="BER"))["putAwayTasks"]}
    assert {sku: task["quantity"] for sku, task in found.items()} == {"SKU-0": 102, "SKU-1": 100, "SKU-2": 100}
    assert (await store.company.client.data(TASKS, w="NYC"))["putAwayTasks"] == [], "a warehouse without bins"
    places = [place for task in found.values() for place in task["places"]]
    assert {place["bin"] for place in places} == {"P-1", "P-2", "B-1"}
    assert sum(place["quantity"] for place in places) == 172, "all the room that is left"
    for code, line in (
        ("BIN_NOT_FOUND", {"sku": "SKU-0", "quantity": 1, "bin": "X"}),
        ("BIN_FULL", {"sku": "SKU-0", "quantity": 36, "bin": "P-1"}),
        ("INVALID_INPUT", {"sku": "SKU-0", "quantity": 1, "bin": "P-1", "bucket": "DAMAGED"}),
    ):
        assert await store.company.refuse("stockReceive", "", warehouse="BER", lines=[line]) == code
    assert await store.company.some("SKU-0", "BER", "available") == (110,), "a receipt that is refused moved nothing"


async def test_a_purchase_a_transfer_and_a_restocked_return_go_into_bins(store: Store) -> None:
    await store.do("supplierSet", code="ACME", name="Acme", leadDays=5)
    order = await store.do(
        "purchaseOrderCreate",
        "purchaseOrder { id }",
        supplier="ACME",
        warehouse="BER",
        lines=[{"sku": "SKU-0", "quantity": 9}],
    )
    parts = [{"sku": "SKU-0", "quantity": 9, "damaged": 2, "bin": "P-1"}]
    await store.do("purchaseOrderReceive", id=order["purchaseOrder"]["id"], lines=parts)
    assert await store.held() == {"P-1": 7}
    lines = [{"sku": "SKU-0", "quantity": 4}]
    made = await store.do("transferCreate", TRANSFER, source="NYC", destination="BER", lines=lines)
    await store.do("transferShip", id=made["transfer"]["id"])
    arrived = [{"sku": "SKU-0", "received": 3, "damaged": 1, "bin": "P-2"}]
    await store.do("transferReceive", id=made["transfer"]["id"], lines=arrived)
    assert await store.held() == {"P-1": 7, "P-2": 3}
    back = await store.do("returnReceive", RETURN, warehouse="BER", lines=[{"sku": "SKU-0", "quantity": 3}])
    assert await store.held() == {"P-1": 7, "P-2": 3}, "what waits for its inspection is in no bin"
    ref = {"id": back["return"]["id"]}
    wrong = [{"sku": "SKU-0", "quantity": 1, "disposition": "SCRAP", "bin": "B-1"}]
    assert await store.company.refuse("returnInspect", RETURN, **ref, lines=wrong) == "INVALID_INPUT"
    await store.do(
        "returnInspect", **ref, lines=[{"sku": "SKU-0", "quantity": 2, "disposition": "RESTOCK", "bin": "B-1"}]
    )
    assert await store.held() == {"P-1": 7, "P-2": 3, "B-1": 2}


async def test_what_leaves_without_a_bin_leaves_the_floor_first_then_bins_as_they_are_walked(store: Store) -> None:
    await store.move("SKU-0", 30, target="P-1")
    await store.move("SKU-0", 20, target="P-2")
    await store.move("SKU-0", 45, target="B-1")
    await store.do("stockAdjust", warehouse="BER", reason="LOST", lines=[{"sku": "SKU-0", "delta": -5}])
    assert await store.held() == {"P-1": 30, "P-2": 20, "B-1": 45}
    broken: dict[str, Any] = {"warehouse": "BER", "origin": "STOCK", "cause": "DROPPED"}
    await store.do("damageReport", **broken, lines=[{"sku": "SKU-0", "quantity": 32}])
    assert await store.held() == {"P-2": 18, "B-1": 45}
    await store.do("damageReport", **broken, lines=[{"sku": "SKU-0", "quantity": 3, "bin": "B-1"}])
    assert await store.held() == {"P-2": 18, "B-1": 42}
    lines = [{"sku": "SKU-0", "quantity": 10}]
    made = await store.do("transferCreate", TRANSFER, source="BER", destination="NYC", lines=lines)
    assert await store.held() == {"P-2": 18, "B-1": 42}, "what is promised stands where it stood"
    await store.do("transferPick", id=made["transfer"]["id"], lines=lines)
    assert await store.held() == {"P-2": 8, "B-1": 42}
    await store.do("transferShip", id=made["transfer"]["id"])
    assert await store.held() == {"P-2": 8, "B-1": 42}, "it had left the shelf already"
    await store.do("stockSet", warehouse="BER", lines=[{"sku": "SKU-0", "quantity": 1}])
    assert await store.held() == {"B-1": 1}


async def test_a_change_that_waits_for_a_second_person_keeps_its_bin(store: Store) -> None:
    await store.move("SKU-0", 30, target="P-1")
    await store.move("SKU-0", 30, target="B-1")
    await store.do("approvalPolicySet", kind="ADJUSTMENT", role="WAREHOUSE", unitsMax=2)
    worker = await store.company.hire(Role.WAREHOUSE)
    lost = [{"sku": "SKU-0", "delta": -5, "bin": "B-1"}, {"sku": "SKU-1", "delta": 4, "bin": "P-1"}]
    made = await store.company.do(
        "stockAdjust", "adjustment { id }", worker, warehouse="BER", reason="RECOUNTED", lines=lost
    )
    assert await store.held() == {"P-1": 30, "B-1": 30}
    await store.do("adjustmentApprove", id=made["adjustment"]["id"])
    assert (await store.held(), await store.held("SKU-1")) == ({"P-1": 30, "B-1": 25}, {"P-1": 4})


async def test_what_is_repaired_goes_into_a_bin_also_by_a_second_person(store: Store) -> None:
    company = store.company
    broken = [{"sku": "SKU-0", "quantity": 9}]
    made = await store.do("damageReport", "damages { id }", warehouse="BER", origin="STOCK", cause="DROP", lines=broken)
    ref: dict[str, Any] = {"id": made["damages"][0]["id"]}
    await store.do("damageDispose", **ref, disposal="REPAIR", quantity=2, bin="P-1")
    assert (await store.held(), await company.some("SKU-0", "BER", "available", "damaged")) == ({"P-1": 2}, (93, 7))
    for fields, code, path in (
        ({"disposal": "SCRAP", "bin": "P-1"}, "INVALID_INPUT", ["bin"]),
        ({"disposal": "REPAIR", "bin": "P-9"}, "BIN_NOT_FOUND", ["bin"]),
    ):
        refused = await company.client.mutate("damageDispose", "", **ref, quantity=1, **fields)
        assert (refused["userErrors"][0]["code"], refused["userErrors"][0]["path"]) == (code, path)
    await store.do("approvalPolicySet", kind="DISPOSAL", role="WAREHOUSE", unitsMax=2)
    worker = await company.hire(Role.WAREHOUSE)
    given = {**ref, "disposal": "REPAIR", "quantity": 5}
    assert await company.refuse("damageDispose", "", worker, **given, bin="P-9") == "BIN_NOT_FOUND"
    asked = await company.do("damageDispose", "adjustment { id }", worker, **given, bin="P-2")
    assert await store.held() == {"P-1": 2}
    await store.do("adjustmentApprove", id=asked["adjustment"]["id"])
    assert (await store.held(), await company.some("SKU-0", "BER", "available", "damaged")) == (
        {"P-1": 2, "P-2": 5},
        (98, 2),
    )


async def test_bins_are_told_from_a_queue_once_and_take_what_is_there_already(store: Store) -> None:
    """A bin that is full by the books took it nevertheless: it stands there."""
    then = await store.now()
    operations = [
        {"binMove": {"warehouse": "BER", "lines": [{"sku": "SKU-1", "quantity": 38, "to": "P-1"}]}},
        {"stockReceive": {"warehouse": "BER", "lines": [{"sku": "SKU-0", "quantity": 4, "bin": "P-1"}]}},
    ]
    queue = [
        {name: {**given, "occurredAt": then, "idempotencyKey": f"put-{name}"}}
        for one in operations
        for name, given in one.items()
    ]
    for status in ("APPLIED", "ALREADY_APPLIED"):
        made = await store.do("floorBatch", BATCH, operations=queue)
        assert [one["status"] for one in made["results"]] == [status] * 2
    assert (await store.held(), await store.held("SKU-1")) == ({"P-1": 4}, {"P-1": 38})
    late = await store.company.value("SELECT count(*) FROM bin_records WHERE occurred_at = $1", at(then))
    assert late == 2


def at(moment: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(moment)


async def test_a_bin_that_was_scanned_offline_is_held_against_what_it_held_then(store: Store) -> None:
    await store.move("SKU-0", 30, target="P-1")
    count = (await store.do("countCreate", COUNT, warehouse="BER", bins=["P-1"], toleranceUnits=40))["count"]
    before = await store.now()
    scanned = await store.now()
    await store.move("SKU-0", 10, "P-1", "P-2")
    lines = [{"sku": "SKU-0", "bin": "P-1", "quantity": 28, "occurredAt": scanned}]
    made = (await store.do("countSubmit", COUNT, id=count["id"], lines=lines))["count"]
    assert made["lines"][0]["variance"] == -2, "ten were moved after it was scanned"
    told = {"warehouse": "BER", "lines": [{"sku": "SKU-0", "quantity": 2, "from": "P-1", "to": "P-2"}]}
    await store.do("binMove", **told, occurredAt=before)
    other = await store.company.hire(Role.WAREHOUSE)
    made = (await store.company.do("countReview", COUNT, other, id=count["id"]))["count"]
    assert (made["lines"][0]["variance"], made["lines"][0]["posted"]) == (0, 0), "two were moved before it"
    assert await store.held() == {"P-1": 18, "P-2": 12}


async def test_who_holds_more_than_the_books_have_makes_the_line_be_counted(store: Store) -> None:
    broken: dict[str, Any] = {"warehouse": "BER", "origin": "STOCK", "cause": "DROPPED"}
    wanted = [{"sku": "SKU-0", "quantity": 101}]
    for _ in range(2):
        assert await store.company.refuse("damageReport", "", **broken, lines=wanted) == "INSUFFICIENT_STOCK"
    assert await store.suspected() == ["SKU-0"], "once, however often a tablet sends it"
    await store.move("SKU-1", 3, target="P-1")
    line = {"sku": "SKU-1", "quantity": 4, "from": "P-1", "to": "P-2"}
    assert await store.company.refuse("binMove", "", warehouse="BER", lines=[line]) == "INSUFFICIENT_STOCK"
    assert await store.suspected() == ["SKU-0", "SKU-1"]
    await store.do("damageReport", **broken, lines=[{"sku": "SKU-2", "quantity": 1, "bin": "P-2"}])
    assert await store.suspected() == ["SKU-0", "SKU-1", "SKU-2"], "taken from a bin that has none by the books"
    lines = [{"sku": "SKU-0", "quantity": 500}]
    wish: dict[str, Any] = {"source": "BER", "destination": "NYC", "lines": lines}
    assert await store.company.refuse("transferCreate", TRANSFER, **wish) == "INSUFFICIENT_STOCK"
    assert await store.suspected() == ["SKU-0", "SKU-1", "SKU-2"], "a wish is no doubt"


async def test_bins_and_ledger_agree_whoever_comes_first(store: Store) -> None:
    """Put away and taken away at once, on many connections."""
    moves = [store.company.client.mutate("binMove", "", warehouse="BER", lines=[line]) for line in _lines(12)]
    taken = [
        store.company.client.mutate(
            "stockAdjust", "", warehouse="BER", reason="LOST", lines=[{"sku": "SKU-0", "delta": -6}]
        )
        for _ in range(12)
    ]
    made = await asyncio.gather(*(one for pair in zip(moves, taken, strict=True) for one in pair))
    done = [not one["userErrors"] for one in made]
    assert all(done[1::2]), "units are taken wherever they stand"
    assert await store.company.some("SKU-0", "BER", "available") == (28,)
    assert sum((await store.held()).values()) <= 28
    assert (await verify_ledger(store.company.state.database)).problems == []


def _lines(count: int) -> list[dict[str, Any]]:
    return [{"sku": "SKU-0", "quantity": 7, "to": "P-1" if n % 2 else "B-1"} for n in range(count)]


async def test_verify_sees_bins_that_hold_more_than_there_is(store: Store) -> None:
    await store.move("SKU-0", 30, target="P-1")
    hot = store.company.state.database.hot
    await hot.execute("UPDATE bin_contents SET quantity = 101")
    (problem,) = (await verify_ledger(store.company.state.database)).problems
    assert problem.endswith("bins hold 101, 100 stand there by the ledger.")
    await hot.execute("UPDATE bin_contents SET quantity = 30")
