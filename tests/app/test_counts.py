"""Counts on a real ledger: each scan against the books of its moment, two people, planned within bounds."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from api.ids import encode_id
from app.counts.plan_counts import plan_counts, plan_warehouse
from app.exceptions.open_cases import open_cases
from app.replenishment.relay_demand import relay_demand
from app.settings import Settings
from app.state import State
from app.stock.move_stock import MoveLine, move_stock
from app.stock.verify_ledger import verify_ledger
from domain.accuracy import CountedLine, measure_accuracy
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from domain.identity import Role
from domain.provenance import Provenance, Remarks
from tests.company import Client, make_company, make_secret, running_app
from tests.seed import TESTER

COUNT = (
    "count { id status lines { sku bin status expected counted variance posted unposted scans cause ledgerVersion } }"
)


@dataclass
class Floor:
    """BER and NYC with a hundred of each SKU; two people of BER."""

    state: State
    admin: Client
    anna: Client
    bert: Client

    async def count(self, *skus: str, **more: Any) -> str:
        made = await self.anna.mutate("countCreate", COUNT, warehouse="BER", skus=list(skus), **more)
        assert made["userErrors"] == []
        return str(made["count"]["id"])

    async def scan(self, count_id: str, *lines: dict[str, Any], who: Client | None = None) -> Any:
        made = await (who or self.anna).mutate("countSubmit", COUNT, id=count_id, lines=list(lines))
        assert made["userErrors"] == []
        return made["count"]

    async def adjust(self, sku: str, delta: int, **more: Any) -> Any:
        lines = [{"sku": sku, "delta": delta}]
        return await self.admin.mutate("stockAdjust", "", warehouse="BER", reason="TEST", lines=lines, **more)

    async def available(self, sku: str) -> int:
        query = 'query($s: String!) { stockLevels(filter: {skus: [$s], warehouses: ["BER"]}) { nodes { available } } }'
        return int((await self.admin.data(query, s=sku))["stockLevels"]["nodes"][0]["available"])

    async def relay(self) -> None:
        while (await relay_demand(self.state))[0]:
            pass


@pytest.fixture
async def floor(settings: Settings) -> AsyncIterator[Floor]:
    async with open_floor(settings) as floor:
        yield floor


@asynccontextmanager
async def open_floor(settings: Settings) -> AsyncIterator[Floor]:
    async with running_app(settings) as (app, http):
        state = app._rest.state.onhand
        admin = Client(http, await make_secret(state))
        await make_company(admin)
        house = await state.database.hot.fetchval("SELECT id FROM warehouses WHERE code = 'BER'")
        people = [
            Client(http, await make_secret(state, Role.WAREHOUSE, warehouse_ids=frozenset({house}))) for _ in range(2)
        ]
        yield Floor(state, admin, *people)


async def test_a_difference_is_scanned_again_and_posted_by_somebody_else(floor: Floor) -> None:
    count_id = await floor.count("SKU-0", "SKU-1")
    first = await floor.scan(count_id, {"sku": "SKU-0", "quantity": 97}, {"sku": "SKU-1", "quantity": 100})
    assert (first["status"], [line["status"] for line in first["lines"]]) == ("COUNTING", ["RECOUNT", "COUNTED"])
    assert all(line["expected"] is None for line in first["lines"]), "blind"
    second = await floor.scan(count_id, {"sku": "SKU-0", "quantity": 97})
    assert second["status"] == "REVIEW"
    assert [line["variance"] for line in second["lines"]] == [-3, 0]
    own = await floor.anna.mutate("countReview", COUNT, id=count_id)
    assert [error["code"] for error in own["userErrors"]] == ["NOT_ALLOWED"]
    made = await floor.bert.mutate("countReview", COUNT, id=count_id, note="seen")
    assert (made["count"]["status"], made["count"]["lines"][0]["posted"]) == ("POSTED", -3)
    assert await floor.available("SKU-0") == 97
    query = '{ stockMovements(filter: {sku: "SKU-0", reasons: ["COUNT"]}) { nodes { quantity fromBucket toBucket } } }'
    assert (await floor.admin.data(query))["stockMovements"]["nodes"] == [
        {"quantity": 3, "fromBucket": "AVAILABLE", "toBucket": "ADJUSTMENT"}
    ]
    assert (await verify_ledger(floor.state.database)).problems == []


async def test_what_moves_during_a_count_stays_moved(floor: Floor) -> None:
    """Scanned at 98 of 100, then ten are sold and five received, then reviewed: the two are missing, nothing else."""
    count_id = await floor.count("SKU-0", toleranceUnits=2)
    await floor.scan(count_id, {"sku": "SKU-0", "quantity": 98})
    await floor.adjust("SKU-0", -10)
    await floor.adjust("SKU-0", 5)
    await floor.bert.mutate("countReview", COUNT, id=count_id)
    assert await floor.available("SKU-0") == 93


async def test_an_offline_scan_is_held_against_the_books_of_then(floor: Floor) -> None:
    count_id = await floor.count("SKU-0")
    then = await floor.state.database.hot.fetchval("SELECT clock_timestamp()")
    await floor.adjust("SKU-0", -10)
    late = await floor.scan(count_id, {"sku": "SKU-0", "quantity": 100, "occurredAt": then.isoformat()})
    assert late["status"] == "POSTED"
    assert await floor.available("SKU-0") == 90


async def test_an_older_scan_that_is_told_late_does_not_hide_what_was_seen_after_it(floor: Floor) -> None:
    count_id = await floor.count("SKU-0")
    then = await floor.state.database.hot.fetchval("SELECT clock_timestamp()")
    await floor.scan(count_id, {"sku": "SKU-0", "quantity": 97})
    older = await floor.scan(
        count_id, {"sku": "SKU-0", "quantity": 100, "occurredAt": then.isoformat()}, who=floor.bert
    )
    assert (older["status"], [line["status"] for line in older["lines"]]) == ("COUNTING", ["RECOUNT"])
    again = await floor.scan(count_id, {"sku": "SKU-0", "quantity": 97})
    line = again["lines"][0]
    assert (again["status"], line["scans"], line["counted"], line["variance"]) == ("REVIEW", 3, 97, -3)


async def test_what_another_tablet_tells_late_is_taken_into_account(floor: Floor) -> None:
    """Ten were taken before the scan, and that is only told after it: nothing is missing."""
    count_id = await floor.count("SKU-0", toleranceUnits=10)
    before = await floor.state.database.hot.fetchval("SELECT clock_timestamp()")
    scanned = await floor.scan(count_id, {"sku": "SKU-0", "quantity": 90})
    assert (scanned["status"], scanned["lines"][0]["variance"]) == ("REVIEW", -10)
    await floor.adjust("SKU-0", -10, occurredAt=before.isoformat())
    made = await floor.bert.mutate("countReview", COUNT, id=count_id)
    assert (made["count"]["lines"][0]["variance"], made["count"]["lines"][0]["posted"]) == (0, 0)
    assert await floor.available("SKU-0") == 90


async def test_an_older_scan_that_agrees_leaves_the_newest_on_record(floor: Floor) -> None:
    """Three missing of a hundred, and three of ninety: the same difference twice, and the last look is what is kept."""
    count_id = await floor.count("SKU-0")
    then = await floor.state.database.hot.fetchval("SELECT clock_timestamp()")
    await floor.adjust("SKU-0", -10)
    await floor.scan(count_id, {"sku": "SKU-0", "quantity": 87})
    told = await floor.scan(count_id, {"sku": "SKU-0", "quantity": 97, "occurredAt": then.isoformat()}, who=floor.bert)
    line = told["lines"][0]
    assert (told["status"], line["scans"]) == ("REVIEW", 2)
    assert (line["expected"], line["counted"], line["variance"]) == (90, 87, -3)


async def test_what_waits_for_a_second_person_was_gone_when_it_was_asked_for(floor: Floor) -> None:
    """Thrown away before the scan and approved after it: the count does not take it off once more."""
    limit = await floor.admin.mutate("approvalPolicySet", "", kind="ADJUSTMENT", role="WAREHOUSE", unitsMax=1)
    assert limit["userErrors"] == []
    lines = [{"sku": "SKU-0", "delta": -5}]
    ask = "adjustment { id }"
    held = await floor.anna.mutate("stockAdjust", ask, warehouse="BER", reason="THROWN_AWAY", lines=lines)
    count_id = await floor.count("SKU-0", toleranceUnits=5)
    await floor.scan(count_id, {"sku": "SKU-0", "quantity": 95})
    done = await floor.admin.mutate("adjustmentApprove", "", id=held["adjustment"]["id"])
    assert done["userErrors"] == []
    made = await floor.bert.mutate("countReview", COUNT, id=count_id)
    assert (made["count"]["lines"][0]["variance"], made["count"]["lines"][0]["posted"]) == (0, 0)
    assert await floor.available("SKU-0") == 95


@pytest.mark.parametrize("found_again", [95, 100, "CHECK"])
async def test_promised_units_are_no_loss_to_be_written_off(floor: Floor, found_again: int | str) -> None:
    """Nor are they settled until a count finds enough: what the books have then after all (95), or more; or a picker."""
    before = await floor.state.database.hot.fetchval("SELECT clock_timestamp()")
    lines = [{"sku": "SKU-0", "quantity": 95, "warehouse": "BER"}]
    await floor.admin.mutate("reservationCreate", "", lines=lines, expiresInSeconds=600)
    count_id = await floor.count("SKU-0", toleranceUnits=20)
    await floor.scan(count_id, {"sku": "SKU-0", "quantity": 88})
    made = await floor.bert.mutate("countReview", COUNT, id=count_id)
    assert [(line["posted"], line["unposted"]) for line in made["count"]["lines"]] == [(-5, -7)]
    cases = "{ exceptionCases(filter: {kinds: [COUNT_SHORTAGE]}) { nodes { title state } } }"
    assert (await floor.admin.data(cases))["exceptionCases"]["nodes"] == [
        {"title": "7 of SKU-0 are missing that orders were promised", "state": "OPEN"}
    ]
    books = 95
    if found_again == "CHECK":
        fields: dict[str, Any] = {"warehouse": "BER", "lines": [{"sku": "SKU-0", "left": books}]}
        late = {**fields, "lines": [{"sku": "SKU-0", "left": 100, "occurredAt": before.isoformat()}]}
        assert (await floor.anna.mutate("countCheck", "results", **late))["results"] == ["MATCHES"]
        assert (await floor.admin.data(cases))["exceptionCases"]["nodes"][0]["state"] == "OPEN", "that was before"
        assert (await floor.anna.mutate("countCheck", "results", **fields))["results"] == ["MATCHES"]
    else:
        again = await floor.count("SKU-0")
        for _ in range(1 if found_again == books else 2):
            status = (await floor.scan(again, {"sku": "SKU-0", "quantity": found_again}))["status"]
        if found_again == books:
            assert status == "POSTED", "nobody reviews what is as the books have it"
        else:
            await floor.bert.mutate("countReview", COUNT, id=again)
    assert (await floor.admin.data(cases))["exceptionCases"]["nodes"][0]["state"] == "RESOLVED"


async def test_a_line_is_counted_by_one_count_at_a_time(floor: Floor) -> None:
    count_id = await floor.count("SKU-0")
    taken = await floor.bert.mutate("countCreate", COUNT, warehouse="BER", skus=["SKU-0"])
    assert [error["code"] for error in taken["userErrors"]] == ["ALREADY_EXISTS"]
    await floor.anna.mutate("countCancel", COUNT, id=count_id)
    await floor.count("SKU-0")
    ended = await floor.anna.mutate("countSubmit", COUNT, id=count_id, lines=[{"sku": "SKU-0", "quantity": 1}])
    assert [error["code"] for error in ended["userErrors"]] == ["WRONG_STATE"]


async def test_another_warehouse_is_not_there(floor: Floor) -> None:
    made = await floor.admin.mutate("countCreate", COUNT, warehouse="NYC", skus=["SKU-0"])
    count_id = made["count"]["id"]
    for name in ("countSubmit", "countReview", "countCancel"):
        more = {"lines": [{"sku": "SKU-0", "quantity": 1}]} if name == "countSubmit" else {}
        refused = await floor.anna.mutate(name, COUNT, id=count_id, **more)
        assert [error["code"] for error in refused["userErrors"]] == ["COUNT_NOT_FOUND"], name
    refused = await floor.anna.mutate("countCreate", COUNT, warehouse="NYC", skus=["SKU-1"])
    assert [error["code"] for error in refused["userErrors"]] == ["WAREHOUSE_NOT_FOUND"]
    query = "query($id: ID!) { count(id: $id) { id } node(id: $id) { id } counts { nodes { id } } }"
    assert await floor.anna.data(query, id=count_id) == {"count": None, "node": None, "counts": {"nodes": []}}
    assert (await floor.admin.data(query, id=count_id))["node"] == {"id": count_id}


async def test_a_repeat_gets_the_first_answer(floor: Floor) -> None:
    count_id = await floor.count("SKU-0", toleranceUnits=5)
    given = {"id": count_id, "lines": [{"sku": "SKU-0", "quantity": 98}], "idempotencyKey": "scan-1"}
    first = await floor.anna.mutate("countSubmit", COUNT, **given)
    await floor.bert.mutate("countReview", COUNT, id=count_id)
    assert await floor.anna.mutate("countSubmit", COUNT, **given) == first
    assert await floor.state.database.hot.fetchval("SELECT count(*) FROM count_scans") == 1


async def test_bins_are_counted_and_what_only_moved_is_no_loss(floor: Floor) -> None:
    hot = floor.state.database.hot
    house = await hot.fetchval("SELECT id FROM warehouses WHERE code = 'BER'")
    zone = await hot.fetchval("INSERT INTO zones (warehouse_id, code) VALUES ($1, 'Z') RETURNING id", house)
    sku = await hot.fetchval("SELECT id FROM skus WHERE code = 'SKU-0'")
    for code, held in (("A-1", 60), ("A-2", 40)):
        bin_id = await hot.fetchval(
            "INSERT INTO bins (warehouse_id, zone_id, code) VALUES ($1, $2, $3) RETURNING id", house, zone, code
        )
        await hot.execute("INSERT INTO bin_contents (bin_id, sku_id, quantity) VALUES ($1, $2, $3)", bin_id, sku, held)
    made = await floor.anna.mutate(
        "countCreate", COUNT, warehouse="BER", bins=["A-1", "A-2"], toleranceUnits=10, blind=False
    )
    count_id = made["count"]["id"]
    await floor.scan(
        count_id,
        {"sku": "SKU-0", "bin": "A-1", "quantity": 55},
        {"sku": "SKU-0", "bin": "A-2", "quantity": 44},
        {"sku": "SKU-1", "bin": "A-2", "quantity": 2},
    )
    made = await floor.bert.mutate("countReview", COUNT, id=count_id)
    assert [(x["sku"], x["bin"], x["variance"], x["posted"]) for x in made["count"]["lines"]] == [
        ("SKU-0", "A-1", -5, -1),
        ("SKU-0", "A-2", 4, 0),
        ("SKU-1", "A-2", 2, 0),
    ]
    assert (await floor.available("SKU-0"), await floor.available("SKU-1")) == (99, 100)
    held = await hot.fetch("SELECT b.code, c.sku_id, c.quantity FROM bin_contents c JOIN bins b ON b.id = c.bin_id")
    assert sorted((row[0], row[2]) for row in held) == [("A-1", 55), ("A-2", 2), ("A-2", 44)]


async def test_the_plan_is_bounded_and_made_once_a_day(floor: Floor) -> None:
    """What somebody wanted to take out although the books have too little is counted first."""
    assert (await floor.adjust("SKU-2", -101))["userErrors"][0]["code"] == "INSUFFICIENT_STOCK"
    await floor.relay()
    await plan_counts(floor.state)
    await plan_counts(floor.state)
    query = "{ counts { nodes { warehouse plannedFor createdBy lines { sku cause } } } }"
    (found,) = (await floor.admin.data(query))["counts"]["nodes"]
    assert (found["warehouse"], found["createdBy"]) == ("BER", "system:count plan")
    assert found["lines"] == [{"sku": "SKU-2", "cause": "NEGATIVE"}]
    house = await floor.state.database.hot.fetchval("SELECT id FROM warehouses WHERE code = 'BER'")
    later = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=2)
    assert await plan_warehouse(floor.state, house, later, 5.0) is None, "the line of before takes the whole share"


async def test_a_stock_list_that_differs_is_counted_first_until_somebody_has_counted(floor: Floor) -> None:
    """Before what a channel showed; the plan of a day has one line here."""
    state = floor.state
    hot = state.database.hot
    house = await hot.fetchval("SELECT id FROM warehouses WHERE code = 'BER'")
    drifted = await hot.fetchval("SELECT id FROM skus WHERE code = 'SKU-2'")
    drift = Problem(CaseKind.DRIFT, Severity.LOW, CauseClass.UNKNOWN, "x", "x", sku_id=drifted, warehouse_id=house)
    await open_cases(hot, [drift])
    told = [{"sku": "SKU-1", "onHand": 90}]
    now, today = datetime.datetime.now(datetime.UTC), datetime.datetime.now(datetime.UTC).date()
    made = await floor.admin.mutate(
        "partnerSnapshotReport", "snapshot { levels }", warehouse="BER", asOf=now.isoformat(), lines=told
    )
    assert made["userErrors"] == []
    planned = []
    for days in (1, 3):
        count_id = await plan_warehouse(state, house, today + datetime.timedelta(days=days), 5.0)
        lines = await hot.fetch(
            "SELECT s.code, l.cause FROM count_lines l JOIN skus s ON s.id = l.sku_id WHERE l.count_id = $1", count_id
        )
        planned += [tuple(line) for line in lines]
        await floor.scan(encode_id("Count", str(count_id)), *({"sku": line["code"], "quantity": 100} for line in lines))
    assert planned == [("SKU-1", "SNAPSHOT"), ("SKU-2", "DRIFT")]


async def test_handlings_and_sales_are_noted_exactly_once(floor: Floor) -> None:
    await floor.relay()
    state = floor.state
    for _ in range(3):
        command = [MoveLine("SKU-0", -1)]
        await move_stock(state, TESTER, "adjust", "BER", command, Provenance("t"), Remarks("X"), None)
        await floor.relay()
        await state.database.hot.execute("UPDATE relay_positions SET xid = '0', id = 0 WHERE name = 'demand'")
    await floor.relay()
    rows = await state.database.hot.fetch("SELECT handlings FROM sku_activity ORDER BY handlings DESC")
    assert [row[0] for row in rows] == [4, 1, 1, 1, 1, 1]


async def test_accuracy_is_what_the_counts_found(floor: Floor) -> None:
    await floor.admin.mutate(
        "skuUpsert",
        "",
        lines=[{"code": "SKU-0", "unitCost": {"amount": "2.50"}}, {"code": "SKU-1", "unitCost": {"amount": "4"}}],
    )
    count_id = await floor.count("SKU-0", "SKU-1", "SKU-2", toleranceUnits=50)
    found = {"SKU-0": 96, "SKU-1": 100, "SKU-2": 110}
    await floor.scan(count_id, *({"sku": sku, "quantity": units} for sku, units in found.items()))
    await floor.bert.mutate("countReview", COUNT, id=count_id)
    query = "{ inventoryAccuracy(period: DAY) { warehouse lines linesRight units unitsWrong byLine byUnit byValue } }"
    (row,) = (await floor.anna.data(query))["inventoryAccuracy"]
    costs = {"SKU-0": Decimal("2.50"), "SKU-1": Decimal(4), "SKU-2": Decimal(0)}
    true = measure_accuracy(CountedLine(100, units, costs[sku]) for sku, units in found.items())
    assert row == {
        "warehouse": "BER",
        "lines": 3,
        "linesRight": 1,
        "units": true.units,
        "unitsWrong": true.units_wrong,
        "byLine": true.by_line,
        "byUnit": true.by_unit,
        "byValue": true.by_value,
    }
