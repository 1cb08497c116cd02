"""Routing over the API: policies, decisions with their reasons, simulations, an order routed anew."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.ids import encode_id
from app.settings import Settings
from app.state import State
from domain.identity import Role
from tests.app.routing.world import CITIES, assert_sound, houses_of, make_houses, place
from tests.company import Client, make_secret, running_app
from tests.seed import add_stock

POLICY = "policy { version status name document createdBy publishedBy publishedAt archivedAt }"
DECISION = """
order at trigger policyVersion solver complete milliseconds precision replays cost { amount currency }
parcels { warehouse day distanceKm lateDays joins units { line quantity } terms { shipping parcel late load cover total } }
waiting { line quantity }
steps { rule lines solver cost gapPercent candidates { warehouse distanceKm removedBy detail day dayCapacity dayTaken
  dayVersion lateDays terms { total } stock { sku available safetyStock version offered } } }
"""
SIMULATE = """query($from: DateTime!, $to: DateTime!, $version: Int, $document: JSON) {
  routingSimulate(from: $from, to: $to, version: $version, document: $document) {
    orders changedOrders leftOut undecided loads { warehouse plannedParcels actualParcels }
    planned { cost { amount currency } shipping { amount } parcels partsPerOrder: parcelsPerOrder splitOrders
      averageDistanceKm lateOrders lateDays waitingOrders waitingUnits }
    actual { cost { amount } parcels averageDistanceKm } } }"""
FAR_FIRST = {"name": "Rome first", "rules": [{"name": "Rome", "warehouses": {"codes": ["ROM"]}}, {"name": "Any"}]}


@pytest.fixture
async def company(settings: Settings) -> AsyncIterator[tuple[State, Client, int]]:
    """Five warehouses with five units each of two SKUs."""
    async with running_app(settings) as (app, http):
        state: State = app._rest.state.onhand
        channel = await make_houses(state, CITIES, 2, 5)
        yield state, Client(http, await make_secret(state)), channel
        await assert_sound(state)


async def decision_of(client: Client, order_id: str) -> Any:
    query = f"query($order: ID!) {{ routingDecision(order: $order) {{ {DECISION} }} }}"
    return (await client.data(query, order=encode_id("Order", order_id)))["routingDecision"]


async def test_a_decision_shows_candidates_filters_terms_and_versions(company: tuple[State, Client, int]) -> None:
    state, client, channel = company
    await state.database.hot.execute("UPDATE warehouses SET status = 'CLOSED' WHERE code = 'HAM'")
    await state.database.hot.execute("UPDATE warehouses SET daily_order_capacity = 9 WHERE code = 'BER'")
    state.routing.forget()
    placed = await place(state, channel, 1, {"SKU-0": 2, "SKU-1": 30})
    found = await decision_of(client, placed["id"])
    assert (found["trigger"], found["solver"], found["complete"], found["precision"]) == (
        "PLACED",
        "EXACT",
        False,
        "CITY",
    )
    assert found["replays"] is True
    assert found["waiting"] == [{"line": 1, "quantity": 10}]
    (step,) = found["steps"]
    told = {one["warehouse"]: one for one in step["candidates"]}
    assert [one["warehouse"] for one in step["candidates"]][:2] == ["BER", "HAM"], "the nearest first"
    assert (told["HAM"]["removedBy"], told["HAM"]["detail"]) == ("STATUS", "CLOSED")
    assert told["BER"]["stock"][0] == {"sku": "SKU-0", "available": 5, "safetyStock": 0, "version": 1, "offered": 5}
    assert (told["BER"]["dayCapacity"], told["BER"]["dayTaken"], told["BER"]["dayVersion"]) == (9, 0, 0)
    assert told["ROM"]["dayCapacity"] is None
    assert sum(float(parcel["terms"]["total"]) for parcel in found["parcels"]) == float(found["cost"]["amount"])
    assert await decision_of(client, "00000000-0000-0000-0000-000000000000") is None


async def test_a_policy_is_drafted_checked_published_archived_and_brought_back(
    company: tuple[State, Client, int],
) -> None:
    state, client, channel = company
    assert (await client.data("{ routingPolicy { version status } }"))["routingPolicy"] == {
        "version": None,
        "status": "ACTIVE",
    }
    wrong = await client.mutate(
        "routingPolicySave", POLICY, document={"name": "x", "rules": [{"name": "a", "warehouse": {}}]}
    )
    assert [(e["code"], e["path"]) for e in wrong["userErrors"]] == [
        ("INVALID_INPUT", ["document", "rules", "0", "warehouse"])
    ]
    unknown = {"name": "x", "rules": [{"name": "a", "warehouses": {"codes": ["ATLANTIS"]}}]}
    refused = await client.mutate("routingPolicySave", POLICY, document=unknown)
    assert "warehouse ATLANTIS" in refused["userErrors"][0]["message"]
    draft = (await client.mutate("routingPolicySave", POLICY, document=FAR_FIRST, idempotencyKey="k"))["policy"]
    again = (await client.mutate("routingPolicySave", POLICY, document=FAR_FIRST, idempotencyKey="k"))["policy"]
    assert (draft["status"], draft["version"]) == ("DRAFT", again["version"])
    first = (await client.mutate("routingPolicyPublish", POLICY, version=draft["version"]))["policy"]
    assert (first["status"], first["publishedBy"] is not None) == ("ACTIVE", True)
    placed = await place(state, channel, 1, {"SKU-0": 1})
    assert await houses_of(state, placed["id"]) == {"ROM": 1}
    assert (await decision_of(client, placed["id"]))["policyVersion"] == draft["version"]
    other = (await client.mutate("routingPolicySave", POLICY, document={"name": "Any", "rules": [{"name": "Any"}]}))[
        "policy"
    ]
    changed = await client.mutate("routingPolicySave", POLICY, version=first["version"], document=FAR_FIRST)
    assert changed["userErrors"][0]["code"] == "WRONG_STATE", "what decided once stays as it was"
    await client.mutate("routingPolicyPublish", POLICY, version=other["version"])
    twice = await client.mutate("routingPolicyPublish", POLICY, version=other["version"])
    assert twice["userErrors"][0]["code"] == "WRONG_STATE"
    nodes = (await client.data("{ routingPolicies { totalCount nodes { version status } } }"))["routingPolicies"]
    assert nodes == {
        "totalCount": 2,
        "nodes": [
            {"version": other["version"], "status": "ACTIVE"},
            {"version": first["version"], "status": "ARCHIVED"},
        ],
    }
    assert (await decision_of(client, placed["id"]))["replays"] is True, "by the policy of then"
    back = (await client.mutate("routingPolicyPublish", POLICY, version=first["version"]))["policy"]
    assert (back["status"], back["archivedAt"]) == ("ACTIVE", None)
    missing = await client.mutate("routingPolicyPublish", POLICY, version=99)
    assert missing["userErrors"][0]["code"] == "POLICY_NOT_FOUND"


async def test_a_simulation_changes_nothing_and_stands_beside_what_happened(company: tuple[State, Client, int]) -> None:
    state, client, channel = company
    for number in range(6):
        await place(state, channel, number, {"SKU-0": 1, "SKU-1": 1})
    before = await state.database.hot.fetch("SELECT * FROM stock_levels ORDER BY 1, 2")
    now = datetime.datetime.now(datetime.UTC)
    period = {
        "from": (now - datetime.timedelta(hours=1)).isoformat(),
        "to": (now + datetime.timedelta(hours=1)).isoformat(),
    }
    found = (await client.data(SIMULATE, **period, document=FAR_FIRST))["routingSimulate"]
    assert (found["orders"], found["changedOrders"], found["leftOut"], found["undecided"]) == (6, 6, 0, 0)
    assert (found["planned"]["parcels"], found["actual"]["parcels"], found["planned"]["partsPerOrder"]) == (6, 6, 1.0)
    assert found["planned"]["averageDistanceKm"] > 1_000 > found["actual"]["averageDistanceKm"]
    assert float(found["planned"]["cost"]["amount"]) > float(found["actual"]["cost"]["amount"])
    assert {one["warehouse"]: (one["plannedParcels"], one["actualParcels"]) for one in found["loads"]} == {
        "BER": (0, 5),
        "HAM": (0, 1),
        "ROM": (6, 0),
    }
    same = {"name": "Same", "rules": [{"name": "Any live warehouse"}]}
    assert (await client.data(SIMULATE, **period, document=same))["routingSimulate"]["changedOrders"] == 0
    assert await state.database.hot.fetch("SELECT * FROM stock_levels ORDER BY 1, 2") == before
    assert await state.database.hot.fetchval("SELECT count(*) FROM routing_policies") == 0
    refused = await client.send(SIMULATE, **period)
    assert "one of them" in refused["errors"][0]["message"]


async def test_an_order_is_routed_anew_when_that_gains(company: tuple[State, Client, int]) -> None:
    state, client, channel = company
    for code in ("BER", "HAM"):
        await add_stock(state, code, {"SKU-0": -5})
    await state.database.hot.execute("UPDATE warehouses SET daily_order_capacity = 3")
    state.routing.forget()
    placed = await place(state, channel, 1, {"SKU-0": 2, "SKU-1": 2})
    assert await houses_of(state, placed["id"]) == {"MUC": 4}
    wanted = {"order": encode_id("Order", placed["id"])}
    selection = f"changed order {{ status }} decision {{ {DECISION} }}"
    unchanged = await client.mutate("orderReroute", selection, **wanted)
    assert (unchanged["changed"], unchanged["userErrors"]) == (False, [])
    await add_stock(state, "BER", {"SKU-0": 5})
    moved = await client.mutate("orderReroute", selection, **wanted, idempotencyKey="again")
    assert (moved["changed"], moved["order"]["status"], moved["decision"]["trigger"]) == (True, "ALLOCATED", "REROUTED")
    assert moved["decision"]["replays"] is True
    assert await houses_of(state, placed["id"]) == {"BER": 4}
    repeated = await client.mutate("orderReroute", selection, **wanted, idempotencyKey="again")
    assert repeated["changed"] is True
    taken = await state.database.hot.fetch(
        "SELECT w.code, taken FROM warehouse_days JOIN warehouses w ON w.id = warehouse_id WHERE taken > 0"
    )
    assert [tuple(row) for row in taken] == [("BER", 1)], "the day it left is free again"
    missing = await client.mutate(
        "orderReroute", "changed", order=encode_id("Order", "00000000-0000-0000-0000-000000000000")
    )
    assert missing["userErrors"][0]["code"] == "ORDER_NOT_FOUND"


async def test_what_a_warehouse_was_told_of_stays(company: tuple[State, Client, int]) -> None:
    state, client, channel = company
    placed = await place(state, channel, 1, {"SKU-0": 1})
    await state.database.hot.execute("UPDATE fulfillment_orders SET status = 'RELEASED'")
    await state.database.hot.execute("UPDATE warehouses SET status = 'CLOSED' WHERE code = 'BER'")
    state.routing.forget()
    kept = await client.mutate("orderReroute", "changed", order=encode_id("Order", placed["id"]))
    assert kept["changed"] is False
    assert await houses_of(state, placed["id"]) == {"BER": 1}


async def test_a_limited_token_sees_and_changes_nothing_of_it(company: tuple[State, Client, int]) -> None:
    state, client, channel = company
    placed = await place(state, channel, 1, {"SKU-0": 1})
    houses = await state.lookup.warehouses()
    limited = Client(client.http, await make_secret(state, Role.OPERATIONS, warehouse_ids=[houses["BER"].id]))
    assert await decision_of(limited, placed["id"]) is None
    nodes = await limited.data("{ routingPolicy { name } routingPolicies { totalCount nodes { name } } }")
    assert nodes == {"routingPolicy": None, "routingPolicies": {"totalCount": 0, "nodes": []}}
    for name, fields in (
        ("routingPolicySave", {"document": FAR_FIRST}),
        ("routingPolicyPublish", {"version": 1}),
        ("orderReroute", {"order": encode_id("Order", placed["id"])}),
    ):
        refused = await limited.mutate(name, "__typename", **fields)
        assert refused["userErrors"][0]["code"] == "NOT_ALLOWED", name


async def test_the_backlog_is_planned_and_applied(company: tuple[State, Client, int]) -> None:
    state, client, channel = company
    await add_stock(state, "BER", {"SKU-0": -5})
    placed = await place(state, channel, 1, {"SKU-0": 1})
    await add_stock(state, "BER", {"SKU-0": 5})
    query = """{ routingReoptimize(orders: 10) { orders leftOut optimal costBefore { amount } costAfter { amount }
      moves { order saves { amount currency } fromWarehouses toWarehouses } plan } }"""
    found = (await client.data(query))["routingReoptimize"]
    assert (found["orders"], found["leftOut"], found["optimal"]) == (1, 0, True)
    (move,) = found["moves"]
    assert (move["fromWarehouses"], move["toWarehouses"]) == (["HAM"], ["BER"])
    assert (
        float(found["costBefore"]["amount"]) - float(found["costAfter"]["amount"]) == float(move["saves"]["amount"]) > 0
    )
    for _ in range(2):
        made = await client.mutate("routingReoptimizeApply", "moved", plan=found["plan"], idempotencyKey="once")
        assert (made["moved"], made["userErrors"]) == (1, [])
    assert await houses_of(state, placed["id"]) == {"BER": 1}
    stale = await client.mutate("routingReoptimizeApply", "moved", plan=found["plan"])
    assert stale["userErrors"][0]["code"] == "STALE_VERSION"
    decision = await decision_of(client, placed["id"])
    assert (decision["trigger"], decision["solver"], decision["replays"]) == ("REOPTIMIZED", "BATCH", True)
