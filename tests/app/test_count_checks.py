"""Low-stock checks: what pickers count is a scan, and only two people together make it a difference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.counts.plan_counts import plan_warehouse
from app.settings import Settings
from app.stock.verify_ledger import verify_ledger
from tests.api.count_documents import BIN
from tests.app.test_counts import COUNT, Floor, open_floor

OPEN = "{ counts(filter: {statuses: [COUNTING, REVIEW]}) { nodes { id status lines { sku bin cause scans } } } }"


@pytest.fixture
async def floor(settings: Settings) -> AsyncIterator[Floor]:
    async with open_floor(settings) as floor:
        yield floor


async def check(floor: Floor, who: Any, *lines: dict[str, Any], **more: Any) -> list[str]:
    made = await who.mutate("countCheck", "results", warehouse="BER", lines=list(lines), **more)
    assert made["userErrors"] == [], made
    return list(made["results"])


async def open_counts(floor: Floor) -> list[Any]:
    return list((await floor.admin.data(OPEN))["counts"]["nodes"])


async def test_two_pickers_find_what_a_third_person_decides_on(floor: Floor) -> None:
    looked = await check(floor, floor.anna, {"sku": "SKU-0", "left": 97}, {"sku": "SKU-1", "left": 100})
    assert looked == ["DIFFERS", "MATCHES"]
    assert await check(floor, floor.anna, {"sku": "SKU-0", "left": 97}) == ["COUNTING"]
    (one,) = await open_counts(floor)
    assert (one["status"], one["lines"]) == (
        "COUNTING",
        [{"sku": "SKU-0", "bin": None, "cause": "SHORT_PICK", "scans": 1}],
    ), "the same person twice is no second scan"
    await floor.adjust("SKU-0", -10)
    assert await check(floor, floor.bert, {"sku": "SKU-0", "left": 87}) == ["COUNTING"]
    assert [(one["status"], one["lines"][0]["scans"]) for one in await open_counts(floor)] == [("REVIEW", 2)]
    assert await floor.available("SKU-0") == 90, "nothing is posted before the review"
    own = await floor.bert.mutate("countReview", COUNT, id=one["id"])
    assert [error["code"] for error in own["userErrors"]] == ["NOT_ALLOWED"]
    made = await floor.admin.mutate("countReview", COUNT, id=one["id"])
    assert made["count"]["lines"][0]["posted"] == -3
    assert await floor.available("SKU-0") == 87
    assert (await verify_ledger(floor.state.database)).problems == []


async def test_who_counted_wrong_is_set_right(floor: Floor) -> None:
    await check(floor, floor.anna, {"sku": "SKU-1", "left": 101})
    await check(floor, floor.anna, {"sku": "SKU-1", "left": 100})
    assert await open_counts(floor) == [], "who looked wrong says so"
    await check(floor, floor.anna, {"sku": "SKU-0", "left": 101})
    (one,) = await open_counts(floor)
    assert one["lines"][0]["cause"] == "SURPLUS"
    assert await check(floor, floor.bert, {"sku": "SKU-0", "left": 100}) == ["COUNTING"]
    assert await open_counts(floor) == []
    assert await floor.available("SKU-0") == 100


async def test_a_look_of_before_is_held_against_the_books_of_then(floor: Floor) -> None:
    then = (await floor.state.database.hot.fetchval("SELECT clock_timestamp()")).isoformat()
    await floor.adjust("SKU-0", -10)
    assert await check(floor, floor.anna, {"sku": "SKU-0", "left": 100, "occurredAt": then}) == ["MATCHES"]
    assert await check(floor, floor.anna, {"sku": "SKU-0", "left": 98}, occurredAt=then) == ["DIFFERS"]
    assert await check(floor, floor.bert, {"sku": "SKU-0", "left": 98}, occurredAt=then) == ["COUNTING"]
    (one,) = await open_counts(floor)
    await floor.admin.mutate("countReview", COUNT, id=one["id"])
    assert await floor.available("SKU-0") == 88


async def test_an_open_line_of_a_count_is_scanned_by_a_look(floor: Floor) -> None:
    count_id = await floor.count("SKU-0", "SKU-1")
    assert await check(floor, floor.bert, {"sku": "SKU-0", "left": 100}) == ["COUNTING"]
    shown = await floor.scan(count_id, {"sku": "SKU-1", "quantity": 100})
    assert shown["status"] == "POSTED"


async def test_a_look_that_matches_ends_the_doubt_and_one_that_differs_takes_a_place_in_the_plan(floor: Floor) -> None:
    doubts = [{"sku": f"SKU-{n}", "cause": "SURPLUS"} for n in range(2)]
    await floor.anna.mutate("countSuspect", "lines", warehouse="BER", lines=doubts)
    house, day = await floor.state.database.hot.fetchrow("SELECT id, current_date FROM warehouses WHERE code = 'BER'")
    await check(floor, floor.anna, {"sku": "SKU-0", "left": 100})
    planned = await plan_warehouse(floor.state, house, day, 1)
    lines = "SELECT s.code FROM count_lines l JOIN skus s ON s.id = l.sku_id WHERE l.count_id = $1"
    assert [row["code"] for row in await floor.state.database.hot.fetch(lines, planned)] == ["SKU-1"]
    await floor.state.database.hot.execute("UPDATE counts SET planned_for = planned_for - 1")
    await check(floor, floor.anna, {"sku": "SKU-0", "left": 99})
    await floor.anna.mutate(
        "countSubmit", "", id=await _id_of(floor, planned), lines=[{"sku": "SKU-1", "quantity": 100}]
    )
    assert await plan_warehouse(floor.state, house, day, 1) is None, (
        "one line a day, and SKU-0 waits for its second scan"
    )


async def test_a_doubt_from_before_the_shelf_was_looked_at_is_settled(floor: Floor) -> None:
    """Told from a queue when somebody else has looked meanwhile."""
    then = (await floor.state.database.hot.fetchval("SELECT clock_timestamp()")).isoformat()
    await check(floor, floor.bert, {"sku": "SKU-0", "left": 100})
    for n, at in ((0, {"occurredAt": then}), (1, {})):
        seen = {"warehouse": "BER", "lines": [{"sku": f"SKU-{n}", "cause": "SURPLUS"}], "idempotencyKey": f"d-{n}"} | at
        made = await floor.anna.mutate("floorBatch", "results { status }", operations=[{"countSuspect": seen}])
        assert made["results"] == [{"status": "APPLIED"}]
    house, day = await floor.state.database.hot.fetchrow("SELECT id, current_date FROM warehouses WHERE code = 'BER'")
    planned = await plan_warehouse(floor.state, house, day, 20)
    causes = "SELECT s.code, l.cause FROM count_lines l JOIN skus s ON s.id = l.sku_id WHERE l.count_id = $1"
    found = dict(await floor.state.database.hot.fetch(causes, planned))
    assert (found.get("SKU-0"), found["SKU-1"]) == (None, "SURPLUS")


async def _id_of(floor: Floor, count_id: Any) -> str:
    nodes = (await floor.admin.data("{ counts(filter: {statuses: [PLANNED]}) { nodes { id } } }"))["counts"]["nodes"]
    assert len(nodes) == 1, count_id
    return str(nodes[0]["id"])


async def test_what_cannot_be_is_refused_and_leaves_no_count(floor: Floor) -> None:
    """Nothing of the line beside it is taken either."""
    refused = {
        "SKU_NOT_FOUND": {"sku": "NONE", "left": 1},
        "INVALID_QUANTITY": {"sku": "SKU-1", "left": -1},
        "BIN_NOT_FOUND": {"sku": "SKU-1", "left": 1, "bin": "NONE"},
        "INVALID_INPUT": {"sku": "SKU-1", "left": 1, "occurredAt": "2020-01-01T00:00:00Z"},
        "DUPLICATE_LINE": {"sku": "SKU-0", "left": 2},
    }
    for code, line in refused.items():
        lines = [{"sku": "SKU-0", "left": 1}, line]
        made = await floor.anna.mutate("countCheck", "results", warehouse="BER", lines=lines)
        assert [(error["code"], error["path"][:2]) for error in made["userErrors"]] == [(code, ["lines", "1"])]
    assert await open_counts(floor) == []


async def test_a_bin_is_looked_at_by_itself_and_from_a_queue(floor: Floor) -> None:
    """By `floorBatch`, sent twice: once."""
    await floor.state.database.hot.execute(BIN)
    await floor.admin.mutate("binMove", "", warehouse="BER", lines=[{"sku": "SKU-0", "quantity": 3, "to": "A-1"}])
    looked = {"warehouse": "BER", "lines": [{"sku": "SKU-0", "left": 2, "bin": "A-1"}], "idempotencyKey": "look-1"}
    for status in ("APPLIED", "ALREADY_APPLIED"):
        made = await floor.anna.mutate("floorBatch", "results { status }", operations=[{"countCheck": looked}])
        assert made["results"] == [{"status": status}]
    counts = await open_counts(floor)
    assert [one["lines"] for one in counts] == [[{"sku": "SKU-0", "bin": "A-1", "cause": "SHORT_PICK", "scans": 1}]]
