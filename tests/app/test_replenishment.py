"""Replenishment on a real ledger: policies evaluated from the feed, proposals, purchase orders in parts, alerts."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.replenishment.relay_demand import relay_demand
from app.replenishment.sweep_policies import sweep_policies
from app.settings import Settings
from app.state import State
from app.stock.verify_ledger import verify_ledger
from domain.identity import Role
from tests.company import Client, make_company, make_secret, running_app
from tests.sockets import open_socket

POLICY = "policy { position plan { reorderPoint orderUpTo safetyStock formula inputs { name value } } }"
REQUEST = "request { id status source sourceWarehouse supplier quantity document note }"
ORDER = "purchaseOrder { id status lines { sku quantity received } }"
MIN_MAX = {"sku": "SKU-0", "warehouse": "BER", "kind": "MIN_MAX", "minimum": 40, "maximum": 90, "supplier": "ACME"}
LEVEL = """query($s: String!, $w: String!) { stockLevels(filter: {skus: [$s], warehouses: [$w]}) { nodes {
  available damaged incoming expected { quantity expectedAt document } } } }"""


@dataclass
class Shop:
    """BER and NYC with a hundred of each SKU, and a supplier that sells SKU-0 and SKU-1 by the dozen."""

    app: Any
    state: State
    admin: Client

    async def do(self, name: str, selection: str, /, **fields: Any) -> Any:
        made = await self.admin.mutate(name, selection, **fields)
        assert made["userErrors"] == [], made
        return made

    async def refused(self, name: str, selection: str, /, **fields: Any) -> list[str]:
        return [error["code"] for error in (await self.admin.mutate(name, selection, **fields))["userErrors"]]

    async def sell(self, sku: str, units: int, warehouse: str = "BER") -> None:
        lines = [{"sku": sku, "delta": -units}]
        await self.do("stockAdjust", "", warehouse=warehouse, reason="SOLD", lines=lines)
        await self.relay()

    async def relay(self) -> None:
        while (await relay_demand(self.state))[0]:
            pass

    async def level(self, sku: str, warehouse: str = "BER") -> Any:
        return (await self.admin.data(LEVEL, s=sku, w=warehouse))["stockLevels"]["nodes"][0]

    async def requests(self) -> Any:
        query = (
            "{ replenishmentRequests { nodes { id sku warehouse status source sourceWarehouse supplier quantity } } }"
        )
        return (await self.admin.data(query))["replenishmentRequests"]["nodes"]

    async def alerts(self) -> list[str]:
        query = "SELECT kind FROM warehouse_alerts WHERE ended_at IS NULL ORDER BY kind"
        return [row[0] for row in await self.state.database.hot.fetch(query)]

    async def buy(self, quantity: int = 24) -> str:
        lines = [{"sku": "SKU-0", "quantity": quantity}]
        made = await self.do("purchaseOrderCreate", ORDER, supplier="ACME", warehouse="BER", lines=lines)
        return str(made["purchaseOrder"]["id"])


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    async with running_app(settings) as (app, http):
        state = app._rest.state.onhand
        shop = Shop(app, state, Client(http, await make_secret(state)))
        await make_company(shop.admin)
        lines = [{"sku": sku, "packSize": 12, "minimum": 24} for sku in ("SKU-0", "SKU-1")]
        await shop.do("supplierSet", "supplier { code }", code="ACME", name="Acme", leadDays=5, lines=lines)
        await shop.do("replenishmentPolicySet", "", **{**MIN_MAX, "warehouse": "NYC", "minimum": 50, "maximum": 100})
        await shop.relay()
        yield shop


async def test_a_sale_below_the_minimum_proposes_whole_packs_and_tells_the_warehouse(shop: Shop) -> None:
    await shop.do("replenishmentPolicySet", POLICY, **MIN_MAX)
    await shop.sell("SKU-0", 59)
    assert await shop.requests() == []
    await shop.sell("SKU-0", 1)
    (found,) = await shop.requests()
    assert (found["source"], found["supplier"], found["quantity"], found["status"]) == (
        *("PURCHASE", "ACME", 60, "PROPOSED"),
    )
    assert await shop.alerts() == ["BELOW_REORDER_POINT"]
    await shop.sell("SKU-0", 40)
    (found,) = await shop.requests()
    assert found["quantity"] == 96, "the one that is open follows what is wanted"
    assert await shop.alerts() == ["BELOW_REORDER_POINT", "OUT_OF_STOCK"]


async def test_what_is_not_needed_any_more_is_withdrawn(shop: Shop) -> None:
    await shop.do("replenishmentPolicySet", POLICY, **MIN_MAX)
    await shop.sell("SKU-0", 70)
    await shop.do("stockReceive", "", warehouse="BER", lines=[{"sku": "SKU-0", "quantity": 60}])
    await shop.relay()
    (found,) = await shop.requests()
    assert found["status"] == "REJECTED"
    assert await shop.alerts() == []


async def test_an_approved_purchase_is_expected_and_not_proposed_twice(shop: Shop) -> None:
    await shop.do("replenishmentPolicySet", POLICY, **MIN_MAX)
    await shop.sell("SKU-0", 70)
    (found,) = await shop.requests()
    made = await shop.do("replenishmentRequestApprove", REQUEST, id=found["id"])
    assert made["request"]["document"].startswith("purchase:")
    level = await shop.level("SKU-0")
    assert (level["incoming"], level["expected"][0]["quantity"]) == (60, 60)
    assert level["expected"][0]["document"] == made["request"]["document"]
    await shop.relay()
    assert [one["status"] for one in await shop.requests()] == ["APPROVED"]
    assert await shop.refused("replenishmentRequestApprove", REQUEST, id=found["id"]) == ["WRONG_STATE"]


async def test_a_warehouse_with_a_surplus_goes_before_the_supplier(shop: Shop) -> None:
    await shop.do("stockReceive", "", warehouse="NYC", lines=[{"sku": "SKU-0", "quantity": 400}])
    await shop.do("replenishmentPolicySet", POLICY, **MIN_MAX)
    await shop.sell("SKU-0", 60)
    (found,) = await shop.requests()
    assert (found["source"], found["sourceWarehouse"], found["supplier"]) == ("TRANSFER", "NYC", None)
    made = await shop.do("replenishmentRequestApprove", REQUEST, id=found["id"])
    level = await shop.level("SKU-0")
    assert (level["incoming"], level["expected"]) == (
        60,
        [{"quantity": 60, "expectedAt": None, "document": made["request"]["document"]}],
    )
    assert (await shop.admin.data("{ transfers { nodes { state } } }"))["transfers"]["nodes"] == [{"state": "APPROVED"}]


async def test_a_purchase_order_comes_in_parts(shop: Shop) -> None:
    order_id = await shop.buy(24)
    assert (await shop.level("SKU-0"))["incoming"] == 24
    lines = [{"sku": "SKU-0", "quantity": 10, "damaged": 2, "cause": "WATER", "evidence": "photo-1"}]
    made = await shop.do("purchaseOrderReceive", ORDER, id=order_id, lines=lines)
    assert made["purchaseOrder"]["status"] == "PARTLY_RECEIVED"
    level = await shop.level("SKU-0")
    assert (level["available"], level["damaged"], level["incoming"]) == (108, 2, 14)
    found = await shop.admin.data("{ damages { nodes { id origin cause evidence quantity sku { code } } } }")
    (damage,) = found["damages"]["nodes"]
    key = damage.pop("id")
    assert damage == {
        "origin": "RECEIVING",
        "cause": "WATER",
        "evidence": "photo-1",
        "quantity": 2,
        "sku": {"code": "SKU-0"},
    }
    sent = await shop.do("damageDispose", "damage { sentBack }", id=key, disposal="RETURN_TO_VENDOR", quantity=2)
    assert sent["damage"] == {"sentBack": 2}
    made = await shop.do("purchaseOrderReceive", ORDER, id=order_id, lines=[{"sku": "SKU-0", "quantity": 14}])
    assert made["purchaseOrder"]["status"] == "RECEIVED"
    assert (await shop.level("SKU-0"))["incoming"] == 0
    assert await shop.refused("purchaseOrderClose", ORDER, id=order_id) == ["WRONG_STATE"]
    assert (await verify_ledger(shop.state.database)).problems == []


async def test_more_than_was_ordered_is_refused_until_it_is_wanted(shop: Shop) -> None:
    order_id = await shop.buy(24)
    lines = [{"sku": "SKU-0", "quantity": 30}]
    assert await shop.refused("purchaseOrderReceive", ORDER, id=order_id, lines=lines) == ["OVER_DELIVERY"]
    made = await shop.do("purchaseOrderReceive", ORDER, id=order_id, lines=lines, allowOver=True)
    assert made["purchaseOrder"]["lines"] == [{"sku": "SKU-0", "quantity": 24, "received": 30}]
    level = await shop.level("SKU-0")
    assert (level["available"], level["incoming"]) == (130, 0)
    kinds = await shop.state.database.hot.fetch("SELECT kind, ended_at IS NULL FROM warehouse_alerts")
    assert [tuple(row) for row in kinds] == [("OVER_DELIVERY", False)]


async def test_what_does_not_come_is_expected_no_more(shop: Shop) -> None:
    order_id = await shop.buy(24)
    await shop.do("purchaseOrderReceive", ORDER, id=order_id, lines=[{"sku": "SKU-0", "quantity": 4}])
    made = await shop.do("purchaseOrderClose", ORDER, id=order_id)
    assert made["purchaseOrder"]["status"] == "CLOSED"
    assert (await shop.level("SKU-0"))["incoming"] == 0
    assert await shop.state.database.hot.fetchval("SELECT kind FROM warehouse_alerts") == "UNDER_DELIVERY"


async def test_a_late_order_is_told_once_and_until_it_ends(shop: Shop) -> None:
    order_id = await shop.buy(24)
    await shop.state.database.hot.execute("UPDATE purchase_orders SET expected_at = now() - interval '1 hour'")
    for _ in range(2):
        await sweep_policies(shop.state)
    assert await shop.alerts() == ["PURCHASE_OVERDUE"]
    await shop.do("purchaseOrderClose", ORDER, id=order_id)
    assert await shop.alerts() == []


async def test_a_computed_plan_shows_its_formula_and_what_went_into_it(shop: Shop) -> None:
    hot = shop.state.database.hot
    sku, house = await hot.fetchrow(
        "SELECT s.id, w.id FROM skus s, warehouses w WHERE s.code = 'SKU-0' AND w.code = 'BER'"
    )
    today = datetime.datetime.now(datetime.UTC).date()
    for back in range(1, 57):
        day = today - datetime.timedelta(days=back)
        sold = 0 if day.weekday() == 6 else 10 + 4 * (day.weekday() == 0)
        await hot.execute("INSERT INTO demand_days VALUES ($1, $2, $3, $4)", sku, house, day, sold)
    fields = {"kind": "COMPUTED", "serviceLevel": 0.95, "coverDays": 14, "supplier": "ACME"}
    made = await shop.do("replenishmentPolicySet", POLICY, sku="SKU-0", warehouse="BER", **fields)
    plan = made["policy"]["plan"]
    inputs = {one["name"]: one["value"] for one in plan["inputs"]}
    assert (inputs["leadDays"], inputs["historyDays"], inputs["method"]) == ("5", "48", "SMOOTHED")
    assert "shortage(r)" in plan["formula"]
    assert float(inputs["unitsVariance"]) > 0
    assert 40 < float(inputs["unitsProtected"]) < 65
    assert plan["reorderPoint"] > float(inputs["unitsProtected"])
    assert plan["safetyStock"] > 0
    assert plan["orderUpTo"] > plan["reorderPoint"] + 100
    assert float(inputs["weekdays"].strip("[]").split(",")[6]) == 0.0, "closed on Sundays"


async def test_policies_take_what_belongs_to_their_kind(shop: Shop) -> None:
    for wrong in (
        {"kind": "MIN_MAX", "minimum": 5},
        {"kind": "MIN_MAX", "minimum": 5, "maximum": 5},
        {"kind": "REORDER_POINT", "reorderPoint": 5, "orderQuantity": 0},
        {"kind": "COMPUTED", "serviceLevel": 1.0, "coverDays": 5},
        {"kind": "COMPUTED", "serviceLevel": 0.9, "coverDays": 5, "minimum": 1},
    ):
        assert await shop.refused("replenishmentPolicySet", POLICY, sku="SKU-0", warehouse="BER", **wrong) == [
            "INVALID_INPUT"
        ]


async def test_people_ask_and_decide(shop: Shop) -> None:
    asked = {"sku": "SKU-1", "warehouse": "BER", "quantity": 7}
    assert await shop.refused("replenishmentRequestCreate", REQUEST, **{**asked, "quantity": 700}) == [
        "SUPPLIER_NOT_FOUND"
    ]
    made = await shop.do("replenishmentRequestCreate", REQUEST, **asked, supplier="ACME")
    assert await shop.refused("replenishmentRequestCreate", REQUEST, **asked) == ["ALREADY_EXISTS"]
    made = await shop.do("replenishmentRequestReject", REQUEST, id=made["request"]["id"], note="not now")
    assert (made["request"]["status"], made["request"]["note"]) == ("REJECTED", "not now")


async def test_another_warehouse_is_not_there(shop: Shop) -> None:
    order_id = await shop.buy()
    await shop.do("replenishmentPolicySet", POLICY, **MIN_MAX)
    await shop.sell("SKU-0", 90)
    house = await shop.state.database.hot.fetchval("SELECT id FROM warehouses WHERE code = 'NYC'")
    secret = await make_secret(shop.state, Role.OPERATIONS, warehouse_ids=frozenset({house}))
    there = Client(shop.admin.http, secret)
    (request,) = await shop.requests()
    for name, selection, fields, code in (
        ("purchaseOrderReceive", ORDER, {"id": order_id, "lines": [{"sku": "SKU-0", "quantity": 1}]}, "PURCHASE_ORDER"),
        ("purchaseOrderClose", ORDER, {"id": order_id}, "PURCHASE_ORDER"),
        ("replenishmentRequestApprove", REQUEST, {"id": request["id"]}, "REQUEST"),
        ("replenishmentPolicySet", POLICY, MIN_MAX, "WAREHOUSE"),
    ):
        refused = (await there.mutate(name, selection, **fields))["userErrors"]
        assert [error["code"] for error in refused] == [f"{code}_NOT_FOUND"]
    query = "{ purchaseOrders { nodes { id } } replenishmentRequests { nodes { id } } }"
    assert all(not found["nodes"] for found in (await there.data(query)).values())
    policies = "{ replenishmentPolicies { nodes { warehouse } } }"
    assert (await there.data(policies))["replenishmentPolicies"]["nodes"] == [{"warehouse": "NYC"}]
    subscription = "subscription { alertRaised { kind alert { kind } } }"
    async with open_socket(shop.app, secret) as socket:
        message = await socket.ask(subscription, {})
        assert message["payload"]["data"]["alertRaised"]["kind"] == "READY"
    async with open_socket(shop.app, shop.admin.secret) as socket:
        message = await socket.ask(subscription, {})
        assert message["payload"]["data"]["alertRaised"]["alert"]["kind"] == "BELOW_REORDER_POINT"


@pytest.mark.parametrize("comes", [True, False])
async def test_a_request_follows_its_transfer_to_the_end(shop: Shop, comes: bool) -> None:
    await shop.do("stockReceive", "", warehouse="NYC", lines=[{"sku": "SKU-0", "quantity": 400}])
    await shop.do("replenishmentPolicySet", POLICY, **MIN_MAX)
    await shop.sell("SKU-0", 60)
    (found,) = await shop.requests()
    made = await shop.do("replenishmentRequestApprove", REQUEST, id=found["id"])
    transfer = (await shop.admin.data("{ transfers { nodes { id } } }"))["transfers"]["nodes"][0]
    assert (made["request"]["status"], made["request"]["document"][:9]) == ("APPROVED", "transfer:")
    if not comes:
        await shop.do("transferCancel", "", **transfer)
        assert [one["status"] for one in await shop.requests()] == ["CANCELLED"]
        await shop.relay()
        assert {one["status"] for one in await shop.requests()} == {"PROPOSED", "CANCELLED"}, "it is wanted still"
        return
    await shop.do("transferShip", "", **transfer)
    await shop.do("transferReceive", "", **transfer, lines=[{"sku": "SKU-0", "received": 20}])
    assert [one["status"] for one in await shop.requests()] == ["APPROVED"], "a part of it"
    await shop.do("transferReceive", "", **transfer, lines=[{"sku": "SKU-0", "received": 39, "missing": 1}])
    assert [one["status"] for one in await shop.requests()] == ["DONE"]


@pytest.mark.parametrize(("came", "status"), [(0, "CANCELLED"), (12, "DONE")])
async def test_a_request_follows_its_purchase_order_to_the_end(shop: Shop, came: int, status: str) -> None:
    await shop.do("replenishmentPolicySet", POLICY, **MIN_MAX)
    await shop.sell("SKU-0", 70)
    (found,) = await shop.requests()
    await shop.do("replenishmentRequestApprove", REQUEST, id=found["id"])
    order = (await shop.admin.data("{ purchaseOrders { nodes { id } } }"))["purchaseOrders"]["nodes"][0]
    if came:
        await shop.do("purchaseOrderReceive", "", **order, lines=[{"sku": "SKU-0", "quantity": came}])
        assert [one["status"] for one in await shop.requests()] == ["APPROVED"]
    await shop.do("purchaseOrderClose", "", **order)
    assert [one["status"] for one in await shop.requests()] == [status]
