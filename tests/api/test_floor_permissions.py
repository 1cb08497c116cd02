"""Every mutation of the floor, as the schema has it, is refused for the roles and the warehouses that may not do it.

The list comes from the schema: whatever takes `occurredAt` is done on the floor. Each has a scene here in which it
would work; one without a scene fails the test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from graphql import is_input_object_type

from api.floor.batch import OPERATIONS
from api.schema import REQUIREMENTS, core
from app.settings import Settings
from domain.identity import SCOPES, Role
from tests.company import Client, make_secret
from tests.documents import operation_of, root_fields
from tests.floor_company import TRANSFER, FloorCompany, open_floor_company
from tests.work_scenes import make_count, make_work

NOISE = ("feed", "feed_horizon", "idempotency_keys", "relay_positions", "alembic_version", "tokens")
LINES = [{"sku": "SKU-0", "quantity": 1}]
WAY: dict[str, Any] = {"source": "BER", "destination": "NYC", "lines": LINES}
OTHERS = {
    "fulfillmentOrderHold": "a planner's",
    "fulfillmentOrderRelease": "a planner's",
    "fulfillmentOrderMove": "a planner's",
    "fulfillmentOrderSplit": "a planner's",
    "fulfillmentDeliveryNote": "a carrier's word",
}
"""Mutations that take a time and are not recorded by tablets, and why. Their roles are tried like all others'."""
AT_ONCE = {
    "reservationCreate": "promises what is there when it is answered",
    "reservationExtend": "until when, from now on",
    "reservationRelease": "given back when it is answered",
    "countCreate": "a plan of what is to be counted",
    "countReview": "a decision on scans, which have their times",
    "countCancel": "a decision",
    "pickListCreate": "a plan of who goes where",
    "pickListCancel": "a plan of who goes where",
    "replenishmentRequestCreate": "a wish, which somebody approves",
    "partnerSnapshotReport": "has its `asOf`",
    "fulfillmentCorrect": "what is printed on a parcel, not where it is",
    "floorBatch": "each of its operations has its own time",
    "zoneUpsert": "how the house is laid out",
    "binUpsert": "how the house is laid out",
    "binContentsSet": "bins as they are taken over, before anybody works by them",
}
"""Mutations of the warehouse's people that take effect when they are answered, and why; all take a key."""
Scene = Callable[[FloorCompany], Awaitable[dict[str, Any]]]


def takes_time(name: str) -> bool:
    kind = core.get_type(f"{name[0].upper()}{name[1:]}Input")
    return is_input_object_type(kind) and "occurredAt" in kind.fields


TIMED = [name for root, name in root_fields() if root == "Mutation" and takes_time(name)]


async def transfer(company: FloorCompany, *steps: str) -> dict[str, Any]:
    made = await company.do("transferCreate", TRANSFER, **WAY)
    key = {"id": made["transfer"]["id"]}
    for step in steps:
        lines: dict[str, Any] = {"lines": [{"sku": "SKU-0", "received": 1}]} if step == "transferReceive" else {}
        await company.do(step, TRANSFER, **key, **lines)
    return key


async def coming(company: FloorCompany, *steps: str) -> dict[str, Any]:
    made = await company.do("returnAuthorize", "return { id }", warehouse="BER", lines=LINES)
    key = {"id": made["return"]["id"]}
    for step in steps:
        await company.do(step, "return { id }", **key, lines=LINES)
    return key


async def waiting(company: FloorCompany) -> dict[str, Any]:
    await company.do("approvalPolicySet", "policies { kind }", kind="ADJUSTMENT", role="WAREHOUSE", unitsMax=0)
    worker = await company.hire(Role.WAREHOUSE)
    lost: dict[str, Any] = {"warehouse": "BER", "reason": "LOST", "lines": [{"sku": "SKU-0", "delta": -1}]}
    made = await company.do("stockAdjust", "adjustment { id }", client=worker, **lost)
    return {"id": made["adjustment"]["id"]}


async def asked(company: FloorCompany) -> dict[str, Any]:
    await company.do("approvalPolicySet", "policies { kind }", kind="TRANSFER", role="WAREHOUSE", unitsMax=0)
    worker = await company.hire(Role.WAREHOUSE)
    made = await company.do("transferCreate", TRANSFER, client=worker, **WAY)
    return {"id": made["transfer"]["id"]}


async def broken(company: FloorCompany) -> dict[str, Any]:
    given: dict[str, Any] = {"warehouse": "BER", "origin": "STOCK", "cause": "WATER", "lines": LINES}
    made = await company.do("damageReport", "damages { id }", **given)
    return {"id": made["damages"][0]["id"], "disposal": "SCRAP", "quantity": 1}


def just(**fields: Any) -> Scene:
    async def scene(_: FloorCompany) -> dict[str, Any]:
        return fields

    return scene


def with_lines(scene: Scene, **line: Any) -> Scene:
    async def more(company: FloorCompany) -> dict[str, Any]:
        return {**(await scene(company)), "lines": [{"sku": "SKU-0", **line}]}

    return more


SCENES: dict[str, Scene] = {
    "stockReceive": just(warehouse="BER", lines=LINES),
    "stockAdjust": just(warehouse="BER", reason="LOST", lines=[{"sku": "SKU-0", "delta": -1}]),
    "stockSet": just(warehouse="BER", lines=[{"sku": "SKU-0", "quantity": 900}]),
    "transferCreate": just(**WAY),
    "transferApprove": asked,
    "transferPick": with_lines(transfer, quantity=1),
    "transferShip": transfer,
    "transferReceive": with_lines(lambda c: transfer(c, "transferShip"), received=1),
    "transferClose": lambda c: transfer(c, "transferShip", "transferReceive"),
    "transferCancel": transfer,
    "returnAuthorize": just(warehouse="BER", lines=LINES),
    "returnReceive": with_lines(coming, quantity=1),
    "returnInspect": with_lines(lambda c: coming(c, "returnReceive"), quantity=1, disposition="RESTOCK"),
    "returnClose": coming,
    "returnCancel": coming,
    "returnRefund": lambda c: with_step(c),
    "damageReport": just(warehouse="BER", origin="STOCK", cause="WATER", lines=LINES),
    "damageDispose": broken,
    "adjustmentApprove": waiting,
    "adjustmentReject": waiting,
    "fulfillmentOrderAccept": lambda c: make_work(c, "RELEASED"),
    "fulfillmentOrderReject": lambda c: make_work(c, "RELEASED", reason="NOT_IN_STOCK"),
    "fulfillmentOrderStartPicking": lambda c: make_work(c, "ACCEPTED"),
    "fulfillmentOrderPick": with_lines(lambda c: make_work(c, "PICKING"), quantity=1),
    "fulfillmentOrderPack": lambda c: make_work(c, "PICKED"),
    "fulfillmentOrderShip": lambda c: make_work(c, "PACKED", carrier="DHL", trackingNumber="T-1"),
    "fulfillmentOrderCancel": lambda c: make_work(c, "ASKED"),
    "countCheck": just(warehouse="BER", lines=[{"sku": "SKU-1", "left": 1}]),
    "countSuspect": just(warehouse="BER", lines=[{"sku": "SKU-1", "cause": "SURPLUS"}]),
    "countSubmit": with_lines(make_count, quantity=100),
    "binMove": lambda c: shelve(c),
    "purchaseOrderReceive": lambda c: order_goods(c),
}


async def shelve(company: FloorCompany) -> dict[str, Any]:
    await company.do("zoneUpsert", "", warehouse="BER", lines=[{"code": "Z"}])
    await company.do("binUpsert", "", warehouse="BER", lines=[{"code": "A-1", "zone": "Z"}])
    return {"warehouse": "BER", "lines": [{"sku": "SKU-0", "quantity": 1, "to": "A-1"}]}


async def order_goods(company: FloorCompany) -> dict[str, Any]:
    await company.do("supplierSet", "", code="ACME", name="Acme", leadDays=5)
    made = await company.do(
        "purchaseOrderCreate", "purchaseOrder { id }", supplier="ACME", warehouse="BER", lines=LINES
    )
    return {"id": made["purchaseOrder"]["id"], "lines": LINES}


async def with_step(company: FloorCompany) -> dict[str, Any]:
    return {**(await coming(company)), "step": "DUE"}


@pytest.fixture(scope="module")
async def company(module_settings: Settings) -> AsyncIterator[FloorCompany]:
    async with open_floor_company(module_settings, units=1_000) as opened:
        yield opened


async def digest(company: FloorCompany) -> dict[str, str]:
    """A fingerprint of everything that a mutation could change."""
    tables = await company.state.database.hot.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = {}
    for (table,) in tables:
        if table not in NOISE:
            rows = "(SELECT * FROM stock_levels WHERE version > 0)" if table == "stock_levels" else table
            found[table] = await company.value(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {rows} t"
            )
    return found


async def send(client: Client, name: str, given: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Codes of the errors, and of the payload's refusals."""
    answer = await client.send(operation_of("Mutation", name, "userErrors { code }"), input=given)
    payload = (answer.get("data") or {}).get(name) or {"userErrors": []}
    errors = {error["extensions"]["code"] for error in answer.get("errors", ())}
    return errors, {error["code"] for error in payload["userErrors"]}


async def send_in_batch(client: Client, name: str, given: dict[str, Any], key: str) -> dict[str, Any]:
    query = "mutation($i: FloorBatchInput!) { floorBatch(input: $i) { results { status advice error { code } } } }"
    operation = {name: {**given, "idempotencyKey": key}}
    (result,) = (await client.data(query, i={"operations": [operation]}))["floorBatch"]["results"]
    return dict(result)


def test_the_schema_has_no_floor_mutation_without_a_scene() -> None:
    assert set(SCENES) == set(OPERATIONS)
    assert set(TIMED) - set(SCENES) - set(OTHERS) == set()
    for name in SCENES:
        kind = core.get_type(f"{name[0].upper()}{name[1:]}Input")
        assert is_input_object_type(kind)
        assert {"occurredAt", "idempotencyKey"} <= kind.fields.keys(), name


def test_whatever_warehouse_people_may_do_takes_a_time_or_says_why_not() -> None:
    names = {
        name
        for root, name in root_fields()
        if root == "Mutation" and Role.WAREHOUSE in REQUIREMENTS["Mutation", name].roles
    }
    assert names - set(TIMED) == set(AT_ONCE)
    for name in names:
        kind = core.get_type(f"{name[0].upper()}{name[1:]}Input")
        assert is_input_object_type(kind), name
        assert "idempotencyKey" in kind.fields, name


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_a_queue_may_do_is_what_the_mutation_prints(name: str) -> None:
    printed, held = REQUIREMENTS["Mutation", name], OPERATIONS[name]
    assert (set(printed.roles), printed.scope) == (set(held.roles), held.scope)


@pytest.mark.parametrize("name", SCENES)
async def test_whoever_may_not_changes_nothing(company: FloorCompany, name: str) -> None:
    given = await SCENES[name](company)
    requirement = REQUIREMENTS["Mutation", name]
    before = await digest(company)
    for role in Role:
        if role not in requirement.roles:
            client = await company.hire(role)
            assert await send(client, name, given) == ({"FORBIDDEN"}, set()), role
    others = [scope for scope in SCOPES if scope != requirement.scope]
    secret = await make_secret(company.state, *requirement.roles, scopes=others)
    assert await send(Client(company.http, secret), name, given) == ({"FORBIDDEN"}, set())
    held = [role for role in OPERATIONS["stockAdjust"].roles if role not in requirement.roles] or [Role.SUPPORT]
    if held[0] not in requirement.roles:
        refused = await send_in_batch(await company.hire(held[0]), name, given, f"role-{name}")
        assert (refused["status"], refused["error"]["code"], refused["advice"]) == ("REFUSED", "NOT_ALLOWED", "ASK")
    secret = await make_secret(company.state, *requirement.roles, scopes=others)
    refused = await send_in_batch(Client(company.http, secret), name, given, f"scope-{name}")
    assert (refused["status"], refused["error"]["code"]) == ("REFUSED", "NOT_ALLOWED")
    away = await company.hire(*Role, houses=("SYD",))
    errors, refusals = await send(away, name, given)
    assert not errors
    (code,) = refusals
    assert code.endswith("_NOT_FOUND"), code
    refused = await send_in_batch(away, name, given, f"house-{name}")
    assert (refused["status"], refused["error"]["code"]) == ("REFUSED", code)
    assert await digest(company) == before
    boss = await company.hire(*requirement.roles)
    assert await send(boss, name, given) == (set(), set()), "the scene must work for whoever may"
    assert await digest(company) != before
