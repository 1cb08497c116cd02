"""Damage and its disposal; what waits for a second person."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.floor.run_clocks import run_clocks
from app.settings import Settings
from domain.identity import Role
from tests.floor_company import TRANSFER, FloorCompany, open_floor_company

DAMAGE = "quantity repaired scrapped sentBack waiting origin cause evidence"
REPORT = f"damages {{ id label {DAMAGE} }} levels {{ available damaged }}"
DISPOSE = f"damage {{ {DAMAGE} }} adjustment {{ id state kind units }} levels {{ available damaged }}"
ADJUST = "levels { available } movements { quantity } adjustment { id label state units moves { quantity fromBucket toBucket } }"
DECIDE = "adjustment { state requestedBy decidedBy } levels { available damaged } movements { quantity reason actor }"
TWO = [{"sku": "SKU-0", "quantity": 2}]


@pytest.fixture
async def company(settings: Settings) -> AsyncIterator[FloorCompany]:
    async with open_floor_company(settings) as opened:
        yield opened


async def limit(company: FloorCompany, kind: str, **limits: Any) -> None:
    await company.do("approvalPolicySet", "policies { kind role unitsMax valueMax }", kind=kind, **limits)


async def report(company: FloorCompany, origin: str = "STOCK", **fields: Any) -> dict[str, Any]:
    given = {"warehouse": "BER", "origin": origin, "cause": "WATER", "lines": TWO, "evidence": "photo-7", **fields}
    return dict((await company.do("damageReport", REPORT, **given))["damages"][0])


@pytest.mark.parametrize(("origin", "left"), [("STOCK", 98), ("PICKING", 98), ("RECEIVING", 100)])
async def test_damaged_units_leave_what_is_for_sale_at_once(company: FloorCompany, origin: str, left: int) -> None:
    made = await report(company, origin)
    assert (made["origin"], made["cause"], made["evidence"], made["label"][:3]) == (origin, "WATER", "photo-7", "DM-")
    assert await company.some("SKU-0", "BER", "available", "damaged") == (left, 2)


async def test_damage_on_the_way_is_received_with_its_transfer(company: FloorCompany) -> None:
    given: dict[str, Any] = {"source": "NYC", "destination": "BER", "lines": TWO}
    transfer = (await company.do("transferCreate", TRANSFER, **given))["transfer"]["id"]
    await company.do("transferShip", TRANSFER, id=transfer)
    made = await report(company, "TRANSIT", transfer=transfer)
    assert (made["origin"], made["cause"]) == ("TRANSIT", "WATER")
    assert await company.some("SKU-0", "BER", "available", "damaged", "inTransit") == (100, 2, 0)
    found = await company.client.data(
        "query($i: ID!) { node(id: $i) { ... on Transfer { state lines { damaged } } } }", i=transfer
    )
    assert found["node"] == {"state": "RECEIVED", "lines": [{"damaged": 2}]}
    refused: dict[str, Any] = {"warehouse": "BER", "cause": "WATER", "lines": TWO}
    assert await company.refuse("damageReport", REPORT, origin="TRANSIT", **refused) == "INVALID_INPUT"
    assert await company.refuse("damageReport", REPORT, origin="RETURN", **refused) == "INVALID_INPUT"


@pytest.mark.parametrize(
    ("how", "column", "after"),
    [("REPAIR", "repaired", (99, 1)), ("SCRAP", "scrapped", (98, 1)), ("RETURN_TO_VENDOR", "sentBack", (98, 1))],
)
async def test_a_disposal_has_its_ledger(company: FloorCompany, how: str, column: str, after: tuple[int, int]) -> None:
    made = await report(company)
    done = await company.do("damageDispose", DISPOSE, id=made["label"], disposal=how, quantity=1)
    assert (done["damage"][column], done["adjustment"]) == (1, None)
    assert await company.some("SKU-0", "BER", "available", "damaged") == after
    given: dict[str, Any] = {"id": made["id"], "disposal": how}
    assert await company.refuse("damageDispose", DISPOSE, quantity=2, **given) == "INVALID_QUANTITY"


async def test_a_disposal_above_the_limit_waits_and_its_units_with_it(company: FloorCompany) -> None:
    lines = [{"code": "SKU-0", "unitCost": {"amount": "30"}}]
    await company.do("skuUpsert", "skus { code }", lines=lines)
    await limit(company, "DISPOSAL", valueMax="50")
    worker, boss = await company.hire(Role.WAREHOUSE), await company.hire(Role.OPERATIONS)
    made = await report(company)
    small = await company.do("damageDispose", DISPOSE, client=worker, id=made["id"], disposal="SCRAP", quantity=1)
    assert small["adjustment"] is None
    other = await report(company)
    asked = await company.do("damageDispose", DISPOSE, client=worker, id=other["id"], disposal="SCRAP", quantity=2)
    assert asked["adjustment"]["state"] == "PENDING"
    value = "query($i: ID!) { node(id: $i) { ... on Adjustment { value } } }"
    assert (await boss.data(value, i=asked["adjustment"]["id"]))["node"]["value"] == "60.0000"
    assert asked["damage"]["waiting"] == 2
    assert await company.some("SKU-0", "BER", "damaged") == (3,)
    again: dict[str, Any] = {"id": other["id"], "disposal": "REPAIR", "quantity": 1}
    assert await company.refuse("damageDispose", DISPOSE, **again) == "INVALID_QUANTITY"
    await company.do("adjustmentReject", "adjustment { state }", client=boss, id=asked["adjustment"]["id"])
    asked = await company.do("damageDispose", DISPOSE, client=worker, id=other["id"], disposal="SCRAP", quantity=2)
    await company.do("adjustmentApprove", DECIDE, client=boss, id=asked["adjustment"]["id"])
    assert await company.some("SKU-0", "BER", "damaged") == (1,)
    assert await happened(company) == "DECIDED", "it was thrown away then"
    found = await company.client.data(
        "query($i: ID!) { node(id: $i) { ... on Damage { scrapped waiting } } }", i=other["id"]
    )
    assert found["node"] == {"scrapped": 2, "waiting": 0}


async def test_what_is_disposed_of_by_inspecting_a_return_takes_a_second_person_too(company: FloorCompany) -> None:
    await limit(company, "DISPOSAL", role="WAREHOUSE", unitsMax=1)
    worker, boss = await company.hire(Role.WAREHOUSE), await company.hire(Role.OPERATIONS)
    four = [{"sku": "SKU-0", "quantity": 4}]
    made = await company.do("returnAuthorize", "return { id }", warehouse="BER", lines=four)
    back = made["return"]["id"]
    await company.do("returnReceive", "return { id }", id=back, lines=four)
    selection = "return { lines { inspected } }"

    def fate(*lines: tuple[str, int]) -> list[dict[str, Any]]:
        return [{"sku": "SKU-0", "quantity": units, "disposition": name} for name, units in lines]

    for lines in (fate(("SCRAP", 2)), fate(("SCRAP", 1), ("RETURN_TO_VENDOR", 1))):
        made = await worker.mutate("returnInspect", selection, id=back, lines=lines)
        assert [(one["code"], "damageDispose" in one["message"]) for one in made["userErrors"]] == [
            ("NOT_ALLOWED", True)
        ]
    mixed = fate(("SCRAP", 1), ("DAMAGED", 2))
    done = await company.do("returnInspect", selection, client=worker, id=back, lines=mixed)
    assert done["return"]["lines"] == [{"inspected": 3}]
    await company.do("returnInspect", selection, client=boss, id=back, lines=fate(("RETURN_TO_VENDOR", 1)))
    assert await company.some("SKU-0", "BER", "damaged") == (2,)


async def happened(company: FloorCompany) -> str:
    """When the movements of the newest approved adjustment were: as it was asked for, or as it was decided."""
    query = """SELECT CASE WHEN m.effective_at = a.requested_at THEN 'ASKED' WHEN m.effective_at >= a.decided_at
      THEN 'DECIDED' ELSE 'ELSEWHEN' END
      FROM adjustments a JOIN stock_movements m ON m.document IN ('adjustment:' || a.id, 'damage:' || a.damage_id)
      WHERE a.state = 'APPROVED' ORDER BY a.decided_at DESC, m.id DESC LIMIT 1"""
    return str(await company.state.database.hot.fetchval(query))


async def test_no_limit_no_second_person(company: FloorCompany) -> None:
    lines = [{"sku": "SKU-0", "delta": -60}]
    done = await company.do("stockAdjust", ADJUST, warehouse="BER", reason="LOST", lines=lines)
    assert (done["adjustment"], done["levels"]) == (None, [{"available": 40}])


async def test_an_adjustment_above_the_limit_waits_for_a_second_person(company: FloorCompany) -> None:
    await limit(company, "ADJUSTMENT", role="WAREHOUSE", unitsMax=5)
    worker, boss = await company.hire(Role.WAREHOUSE), await company.hire(Role.OPERATIONS)
    given: dict[str, Any] = {"warehouse": "BER", "reason": "LOST"}
    five = await company.do("stockAdjust", ADJUST, client=worker, lines=[{"sku": "SKU-0", "delta": -5}], **given)
    assert five["adjustment"] is None
    lines = [{"sku": "SKU-0", "delta": -4}, {"sku": "SKU-1", "delta": 2}]
    asked = await company.do("stockAdjust", ADJUST, client=worker, lines=lines, idempotencyKey="k", **given)
    assert (asked["movements"], asked["adjustment"]["units"]) == ([], 6)
    assert asked == await company.do("stockAdjust", ADJUST, client=worker, lines=lines, idempotencyKey="k", **given)
    assert await company.some("SKU-0", "BER", "available") == (95,)
    six = [{"sku": "SKU-0", "delta": -6}]
    assert (await company.do("stockAdjust", ADJUST, client=boss, lines=six, **given))["adjustment"] is None
    pending = await boss.data("{ adjustments(filter: {states: [PENDING]}) { nodes { label reason requestedBy } } }")
    assert pending["adjustments"]["nodes"] == [
        {"label": asked["adjustment"]["label"], "reason": "LOST", "requestedBy": "test"}
    ]
    done = await company.do("adjustmentApprove", DECIDE, client=boss, id=asked["adjustment"]["label"])
    assert (done["adjustment"]["state"], len(done["movements"])) == ("APPROVED", 2)
    assert done["movements"][0]["actor"] == "test for test"
    assert await happened(company) == "ASKED", "it was missing then"
    assert await company.some("SKU-0", "BER", "available") == (85,)
    refused = await company.refuse("adjustmentApprove", DECIDE, client=boss, id=asked["adjustment"]["id"])
    assert refused == "WRONG_STATE"


async def test_never_by_the_same_person(company: FloorCompany) -> None:
    await limit(company, "ADJUSTMENT", unitsMax=0)
    boss, other = await company.hire(Role.OPERATIONS), await company.hire(Role.OPERATIONS)
    lines = [{"sku": "SKU-0", "delta": -1}]
    given: dict[str, Any] = {"warehouse": "BER", "reason": "LOST", "lines": lines}
    asked = (await company.do("stockAdjust", ADJUST, client=boss, **given))["adjustment"]
    assert await company.refuse("adjustmentApprove", DECIDE, client=boss, id=asked["id"]) == "SAME_PERSON"
    away = await company.hire(Role.OPERATIONS, houses=("NYC",))
    assert await company.refuse("adjustmentApprove", DECIDE, client=away, id=asked["id"]) == "ADJUSTMENT_NOT_FOUND"
    worker = await company.hire(Role.WAREHOUSE)
    query = "mutation($i: AdjustmentApproveInput!) { adjustmentApprove(input: $i) { userErrors { code } } }"
    answer = await worker.send(query, i={"id": asked["id"]})
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    taken_back = await company.do("adjustmentReject", DECIDE_BACK, client=boss, id=asked["id"], note="counted again")
    assert taken_back["adjustment"] == {
        "state": "REJECTED",
        "decidedBy": "test",
        "decisionNote": "Taken back. counted again",
    }
    asked = (await company.do("stockAdjust", ADJUST, client=boss, **given))["adjustment"]
    both = await asyncio.gather(
        *(other.mutate("adjustmentApprove", DECIDE, id=asked["id"]) for _ in range(4)),
    )
    assert sorted(len(one["userErrors"]) for one in both) == [0, 1, 1, 1]
    assert await company.some("SKU-0", "BER", "available") == (99,)


DECIDE_BACK = "adjustment { state decidedBy decisionNote }"


async def test_a_setting_that_waits_undoes_nothing_that_moves_meanwhile(company: FloorCompany) -> None:
    await limit(company, "ADJUSTMENT", role="WAREHOUSE", unitsMax=5)
    worker, boss = await company.hire(Role.WAREHOUSE), await company.hire(Role.OPERATIONS)
    lines = [{"sku": "SKU-0", "quantity": 80}]
    asked = (await company.do("stockSet", ADJUST, client=worker, warehouse="BER", lines=lines))["adjustment"]
    assert asked["moves"] == [{"quantity": 20, "fromBucket": "AVAILABLE", "toBucket": "ADJUSTMENT"}]
    sold = [{"sku": "SKU-0", "quantity": 30, "warehouse": "BER"}]
    await company.do("reservationCreate", "reservation { id }", lines=sold)
    await company.do("adjustmentApprove", DECIDE, client=boss, id=asked["id"])
    assert await company.some("SKU-0", "BER", "available", "onHand") == (50, 80)


async def test_what_is_no_longer_there_is_refused_and_waits_on(company: FloorCompany) -> None:
    await limit(company, "ADJUSTMENT", role="WAREHOUSE", unitsMax=5)
    worker, boss = await company.hire(Role.WAREHOUSE), await company.hire(Role.OPERATIONS)
    lines = [{"sku": "SKU-0", "delta": -80}]
    given: dict[str, Any] = {"warehouse": "BER", "reason": "LOST", "lines": lines}
    asked = (await company.do("stockAdjust", ADJUST, client=worker, **given))["adjustment"]
    sold = [{"sku": "SKU-0", "quantity": 30, "warehouse": "BER"}]
    held = await company.do("reservationCreate", "reservation { id }", lines=sold)
    assert await company.refuse("adjustmentApprove", DECIDE, client=boss, id=asked["id"]) == "INSUFFICIENT_STOCK"
    await company.do("reservationRelease", "reservation { id }", id=held["reservation"]["id"])
    await company.do("adjustmentApprove", DECIDE, client=boss, id=asked["id"])
    assert await company.some("SKU-0", "BER", "available") == (20,)


async def test_the_most_generous_of_several_roles_holds_and_a_limit_can_be_taken_away(company: FloorCompany) -> None:
    await limit(company, "ADJUSTMENT", role="WAREHOUSE", unitsMax=5)
    await limit(company, "ADJUSTMENT", role="OPERATIONS", unitsMax=50)
    both = await company.hire(Role.WAREHOUSE, Role.OPERATIONS)
    given: dict[str, Any] = {"warehouse": "BER", "reason": "LOST"}
    asked = []
    for delta in (-6, -51):
        lines = [{"sku": "SKU-0", "delta": delta}]
        asked.append((await company.do("stockAdjust", ADJUST, client=both, lines=lines, **given))["adjustment"])
    assert [one is None for one in asked] == [True, False]
    await limit(company, "ADJUSTMENT", role="OPERATIONS")
    lines = [{"sku": "SKU-0", "delta": -51}]
    assert (await company.do("stockAdjust", ADJUST, client=both, lines=lines, **given))["adjustment"] is None
    policies = await company.client.data("{ approvalPolicies { kind role unitsMax valueMax } }")
    assert policies["approvalPolicies"] == [
        {"kind": "ADJUSTMENT", "role": "WAREHOUSE", "unitsMax": 5, "valueMax": None}
    ]


async def test_what_waits_too_long_is_a_case_until_it_is_decided(company: FloorCompany) -> None:
    await limit(company, "ADJUSTMENT", unitsMax=0)
    await limit(company, "TRANSFER", unitsMax=0)
    worker, boss = await company.hire(Role.WAREHOUSE), await company.hire(Role.OPERATIONS)
    lines = [{"sku": "SKU-0", "delta": -1}]
    given: dict[str, Any] = {"warehouse": "BER", "reason": "LOST", "lines": lines}
    asked = (await company.do("stockAdjust", ADJUST, client=worker, **given))["adjustment"]
    way: dict[str, Any] = {"source": "NYC", "destination": "BER", "lines": TWO}
    transfer = (await company.do("transferCreate", TRANSFER, client=worker, **way))["transfer"]["id"]
    now = datetime.datetime.now(datetime.UTC)
    assert await run_clocks(company.state, now + datetime.timedelta(hours=3)) == 0
    assert await run_clocks(company.state, now + datetime.timedelta(hours=5)) == 2
    assert await run_clocks(company.state, now + datetime.timedelta(hours=6)) == 0
    assert {case["subjectId"] for case in await company.cases("APPROVAL_WAITING")} == {asked["id"], transfer}
    await company.do("adjustmentApprove", DECIDE, client=boss, id=asked["id"])
    await company.do("transferApprove", TRANSFER, client=boss, id=transfer)
    assert await company.cases("APPROVAL_WAITING") == []
    await company.do("transferShip", TRANSFER, id=transfer, expectedAt=(now + datetime.timedelta(days=2)).isoformat())
    assert await run_clocks(company.state, now + datetime.timedelta(days=3)) == 1
    assert len(await company.cases("TRANSFER_OVERDUE")) == 1
    await company.do("transferReceive", TRANSFER, id=transfer, lines=[{"sku": "SKU-0", "received": 2}])
    assert await company.cases("TRANSFER_OVERDUE") == []
