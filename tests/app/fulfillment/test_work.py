"""From released to shipped, and what is refused on the way."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from domain.identity import Role
from tests.floor import WORK, Floor


async def test_work_goes_from_released_to_shipped(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 2, "SKU-1": 1})
    work = await floor.release_of(order)
    house = await floor.house_of(work)
    assert (await floor.do("Accept", work, assignee="Ada"))["assignee"] == "Ada"
    assert (await floor.do("StartPicking", work))["status"] == "PICKING"
    half = await floor.do("Pick", work, lines=[{"sku": "400000", "quantity": 2}])
    assert (half["status"], half["lines"][0]["picked"]) == ("PICKING", 2)
    assert (await floor.do("Pick", work, lines=[{"sku": "SKU-1", "quantity": 1}]))["status"] == "PICKED"
    assert (await floor.do("Pack", work))["status"] == "PACKED"
    done = await floor.ship(work)
    assert done["status"] == "SHIPPED"
    assert done["shipments"][0]["lines"] == [{"sku": "SKU-0", "quantity": 2}, {"sku": "SKU-1", "quantity": 1}]
    assert await floor.status(order) == "SHIPPED"
    level = await floor.level("SKU-0", house)
    assert (level["available"], level["committed"], level["customer"]) == (8, 0, 2)
    moved = await floor.state.database.hot.fetchrow(
        "SELECT reason, document, reference, note FROM stock_movements WHERE to_bucket = 'customer' LIMIT 1"
    )
    assert tuple(moved) == ("SHIPMENT", f"order:{order}", "#1", "DHL T-1")
    events = await floor.state.database.hot.fetch(
        "SELECT action FROM order_events WHERE order_id = $1 ORDER BY id", order
    )
    told = [row["action"] for row in events]
    assert told == ["PLACED", "RELEASED", "ACCEPTED", "PICKING", "PICKED", "PICKED", "PACKED", "SHIPPED"]


async def test_a_part_may_leave_first(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 3, "SKU-1": 1})
    work = await floor.release_of(order)
    await floor.do("Accept", work)
    first = await floor.ship(work, "T-1", lines=[{"sku": "SKU-0", "quantity": 2}])
    assert (first["status"], await floor.status(order)) == ("PARTLY_SHIPPED", "PARTLY_SHIPPED")
    over = [{"sku": "SKU-0", "quantity": 2}]
    assert await floor.refused("Ship", work, carrier="DHL", trackingNumber="T-2", lines=over) == (
        "OVER_SHIP",
        ["lines", "0", "quantity"],
    )
    await floor.do("StartPicking", work)
    await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 1}])
    second = await floor.ship(work, "T-2")
    assert second["shipments"][1]["lines"] == [{"sku": "SKU-0", "quantity": 1}]
    last = await floor.ship(work, "T-3")
    assert (last["status"], await floor.status(order)) == ("SHIPPED", "SHIPPED")


@pytest.mark.parametrize("verb", ["StartPicking", "Pick", "Pack", "Ship"])
async def test_what_does_not_go_with_a_state_is_refused_and_says_what_to_do(floor: Floor, verb: str) -> None:
    work = await floor.released()
    needed: dict[str, dict[str, Any]] = {
        "Pick": {"lines": [{"sku": "SKU-0", "quantity": 1}]},
        "Ship": {"carrier": "DHL", "trackingNumber": "T"},
    }
    made = await floor.admin.send(
        f"mutation($i: FulfillmentOrder{verb}Input!) {{ m: fulfillmentOrder{verb}(input: $i) "
        "{ userErrors { code message path } } }",
        i={"id": work, **needed.get(verb, {})},
    )
    (error,) = made["data"]["m"]["userErrors"]
    assert (error["code"], error["path"]) == ("WRONG_STATE", ["id"])
    assert "accept or reject it first" in error["message"]


async def test_wrong_scans_are_refused_by_name(floor: Floor) -> None:
    work = await floor.picking({"SKU-0": 2})
    wrong = {
        ("SKU_NOT_FOUND", "sku"): {"sku": "4711", "quantity": 1},
        ("SKU_NOT_IN_ORDER", "sku"): {"sku": "400001", "quantity": 1},
        ("OVER_PICK", "quantity"): {"sku": "SKU-0", "quantity": 3},
        ("INVALID_QUANTITY", "quantity"): {"sku": "SKU-0", "quantity": 0},
        ("INVALID_QUANTITY", "short"): {"sku": "SKU-0", "quantity": 1, "short": -1},
        ("BIN_NOT_FOUND", "bin"): {"sku": "SKU-0", "quantity": 1, "bin": "nowhere"},
    }
    for (code, field), line in wrong.items():
        assert await floor.refused("Pick", work, lines=[line]) == (code, ["lines", "0", field])
    good_then_bad = [{"sku": "SKU-0", "quantity": 1}, {"sku": "SKU-0", "quantity": 2}]
    assert await floor.refused("Pick", work, lines=good_then_bad) == ("OVER_PICK", ["lines", "1", "quantity"])
    assert (await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 2}]))["status"] == "PICKED"


async def test_only_what_was_picked_leaves(floor: Floor) -> None:
    work = await floor.picking({"SKU-0": 3})
    await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 1}])
    assert await floor.refused(
        "Ship", work, carrier="DHL", trackingNumber="T", lines=[{"sku": "SKU-0", "quantity": 2}]
    ) == ("OVER_SHIP", ["lines", "0", "quantity"])
    assert (await floor.ship(work))["lines"][0]["shipped"] == 1
    wrong: list[dict[str, Any]] = [{"carrier": " ", "trackingNumber": "T"}, {"carrier": "DHL", "trackingNumber": ""}]
    for fields in wrong:
        assert (await floor.refused("Ship", work, **fields))[0] == "INVALID_INPUT"


async def test_the_same_key_ships_once(floor: Floor) -> None:
    work = await floor.released()
    await floor.do("Accept", work)
    sent: dict[str, Any] = {"carrier": "DHL", "trackingNumber": "T-1", "idempotencyKey": "ship-1"}
    first = await floor.do("Ship", work, **sent)
    assert await floor.do("Ship", work, **sent) == first
    assert await floor.refused("Ship", work, **{**sent, "trackingNumber": "T-2"}) == (
        "IDEMPOTENCY_KEY_REUSED",
        ["idempotencyKey"],
    )
    assert await floor.company.value("SELECT count(*) FROM fulfillments") == 1


async def test_a_stale_version_and_an_impossible_time_are_refused(floor: Floor) -> None:
    work = await floor.released()
    seen = (await floor.do("Accept", work))["version"]
    assert await floor.refused("StartPicking", work, expectedVersion=seen - 1) == ("STALE_VERSION", ["expectedVersion"])
    later = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)).isoformat()
    assert await floor.refused("StartPicking", work, occurredAt=later) == ("INVALID_INPUT", ["occurredAt"])
    earlier = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=2)).isoformat()
    await floor.do("StartPicking", work, expectedVersion=seen, occurredAt=earlier)
    await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 2}])
    await floor.ship(work, occurredAt=earlier)
    query = "SELECT effective_at < now() - interval '1 hour' FROM stock_movements WHERE to_bucket = 'customer'"
    assert await floor.company.value(query)


async def test_what_is_held_waits(floor: Floor) -> None:
    work = await floor.released()
    assert await floor.refused("Release", work) == ("WRONG_STATE", ["id"])
    assert await floor.refused("Hold", work, reason=" ") == ("INVALID_INPUT", ["reason"])
    assert (await floor.do("Hold", work, reason="address in doubt"))["holdReason"] == "address in doubt"
    assert (await floor.refused("Accept", work))[0] == "WRONG_STATE"
    assert (await floor.do("Release", work))["holdReason"] is None
    assert (await floor.do("Accept", work))["status"] == "ACCEPTED"


async def test_another_warehouse_does_not_see_it(floor: Floor) -> None:
    work = await floor.released()
    house = await floor.house_of(work)
    other = "NYC" if house == "BER" else "BER"
    ids = {code: known.id for code, known in (await floor.state.lookup.warehouses()).items()}
    theirs = await floor.company.client(Role.WAREHOUSE, warehouse_ids=[ids[other]])
    ours = await floor.company.client(Role.PARTNER, warehouse_ids=[ids[house]])
    for verb in ("Accept", "StartPicking", "Pack"):
        assert await floor.refused(verb, work, client=theirs) == ("FULFILLMENT_ORDER_NOT_FOUND", ["id"])
    query = "query($id: ID!) { node(id: $id) { id } fulfillmentOrders { totalCount nodes { id } } }"
    assert await theirs.data(query, id=work) == {"node": None, "fulfillmentOrders": {"totalCount": 0, "nodes": []}}
    assert (await ours.data(query, id=work))["fulfillmentOrders"] == {"totalCount": 1, "nodes": [{"id": work}]}
    of_orders = "{ orders { nodes { fulfillmentOrders { id warehouse lines { sku quantity } } } } }"
    seen = (await ours.data(of_orders))["orders"]["nodes"]
    assert [[w["id"] for w in order["fulfillmentOrders"]] for order in seen] == [[work]]
    assert not any(order["fulfillmentOrders"] for order in (await theirs.data(of_orders))["orders"]["nodes"])
    orders_only = await floor.company.client(Role.SUPPORT, scopes=["orders:read"])
    assert (await orders_only.send(of_orders))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await floor.do("Accept", work, client=ours))["status"] == "ACCEPTED"
    answer = await ours.send(
        "mutation($i: FulfillmentOrderMoveInput!) { fulfillmentOrderMove(input: $i) { userErrors { code } } }",
        i={"id": work, "warehouse": other},
    )
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_work_moves_to_another_warehouse(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 4})
    work = await floor.release_of(order)
    house = await floor.house_of(work)
    other = "NYC" if house == "BER" else "BER"
    assert (await floor.refused("Move", work, warehouse=house))[0] == "INVALID_INPUT"
    assert await floor.refused("Move", work, warehouse="XXX") == ("WAREHOUSE_NOT_FOUND", ["warehouse"])
    made = await floor.admin.mutate(
        "fulfillmentOrderMove", WORK + " made { id status warehouse lines { quantity } }", id=work, warehouse=other
    )
    assert made["userErrors"] == []
    assert made["fulfillmentOrder"]["status"] == "CANCELLED"
    assert {name: made["made"][name] for name in ("status", "warehouse", "lines")} == {
        "status": "SCHEDULED",
        "warehouse": other,
        "lines": [{"quantity": 4}],
    }
    assert (await floor.level("SKU-0", house))["available"] == 10
    assert (await floor.level("SKU-0", other))["committed"] == 4
    assert await floor.status(order) == "ALLOCATED"


async def test_what_the_other_warehouse_lacks_stays(floor: Floor) -> None:
    work = await floor.released({"SKU-0": 4})
    other = "NYC" if await floor.house_of(work) == "BER" else "BER"
    lines = [{"sku": "SKU-0", "delta": -7}]
    await floor.admin.mutate("stockAdjust", "levels { available }", warehouse=other, reason="LOST", lines=lines)
    assert await floor.refused("Move", work, warehouse=other) == ("INSUFFICIENT_STOCK", ["warehouse"])


async def test_work_is_split(floor: Floor) -> None:
    order = await floor.order({"SKU-0": 4, "SKU-1": 1})
    work = await floor.release_of(order)
    everything = [{"sku": "SKU-0", "quantity": 4}, {"sku": "SKU-1", "quantity": 1}]
    assert await floor.refused("Split", work, lines=everything) == ("INVALID_INPUT", ["lines"])
    later = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)).isoformat()
    made = await floor.admin.mutate(
        "fulfillmentOrderSplit",
        WORK + " made { id status releaseAt lines { sku quantity } }",
        id=work,
        lines=[{"sku": "SKU-0", "quantity": 3}],
        releaseAt=later,
    )
    assert made["userErrors"] == []
    assert made["fulfillmentOrder"]["lines"][0]["cancelled"] == 3
    assert made["made"]["lines"] == [{"sku": "SKU-0", "quantity": 3}]
    await floor.do("Accept", work)
    assert (await floor.ship(work))["status"] == "SHIPPED"
    assert await floor.status(order) == "PARTLY_SHIPPED"
