"""Batches of orders are picked on one walk through the bins."""

from __future__ import annotations

import asyncio
from typing import Any

from app.fulfillment.release_work import tidy_lists
from domain.identity import Role
from tests.floor import Floor

LIST = """
  pickList {
    id status warehouse createdBy
    orders { position fulfillmentOrderId status }
    steps { zone bin sku quantity position }
  }
"""


async def furnish(floor: Floor) -> None:
    """NYC has two zones; SKU-0 lies in three bins, SKU-1 in one, SKU-2 nowhere."""
    zones = [{"code": "B", "sequence": 2, "kind": "BULK"}, {"code": "A", "sequence": 1}]
    made = await floor.admin.mutate("zoneUpsert", "zones { code kind sequence }", warehouse="NYC", lines=zones)
    assert made["userErrors"] == []
    places = [
        ("B-01", "B", 1, "ACTIVE"),
        ("A-02", "A", 2, "ACTIVE"),
        ("A-01", "A", 1, "ACTIVE"),
        ("A-00", "A", 0, "BLOCKED"),
    ]
    bins = [{"code": code, "zone": zone, "sequence": n, "status": status} for code, zone, n, status in places]
    made = await floor.admin.mutate("binUpsert", "bins { code zone }", warehouse="NYC", lines=bins)
    assert made["userErrors"] == []
    more = [{"sku": "SKU-0", "quantity": 9}]
    made = await floor.admin.mutate("stockReceive", "levels { onHand }", warehouse="NYC", lines=more)
    assert made["levels"] == [{"onHand": 19}]
    contents = [("A-01", "SKU-0", 2), ("A-02", "400001", 5), ("B-01", "SKU-0", 8), ("A-00", "SKU-0", 9)]
    lines = [{"bin": place, "sku": sku, "quantity": units} for place, sku, units in contents]
    made = await floor.admin.mutate(
        "binContentsSet", "bins { code contents { sku quantity } }", warehouse="NYC", lines=lines
    )
    assert made["userErrors"] == []
    assert {"code": "A-02", "contents": [{"sku": "SKU-1", "quantity": 5}]} in made["bins"]


async def accepted(floor: Floor, *orders: dict[str, int]) -> list[str]:
    works = []
    for number, units in enumerate(orders):
        works.append(await floor.released(units, str(number), "market"))
        await floor.do("Accept", works[-1])
    return works


async def content(floor: Floor, code: str) -> Any:
    found = await floor.admin.data(
        'query($c: [String!]) { bins(warehouse: "NYC", codes: $c) { nodes { contents { quantity } } } }', c=[code]
    )
    return [one["quantity"] for one in found["bins"]["nodes"][0]["contents"]]


async def test_a_batch_is_walked_bin_by_bin(floor: Floor) -> None:
    await furnish(floor)
    works = await accepted(floor, {"SKU-0": 1, "SKU-1": 1}, {"SKU-0": 2}, {"SKU-2": 1})
    made = await floor.admin.mutate("pickListCreate", LIST, warehouse="NYC", fulfillmentOrders=works)
    assert made["userErrors"] == []
    found = made["pickList"]
    assert [(order["position"], order["status"]) for order in found["orders"]] == [(n, "PICKING") for n in (1, 2, 3)]
    walk = [(step["bin"], step["sku"], step["position"], step["quantity"]) for step in found["steps"]]
    assert walk == [
        ("A-01", "SKU-0", 1, 1),
        ("A-01", "SKU-0", 2, 1),
        ("A-02", "SKU-1", 1, 1),
        ("B-01", "SKU-0", 2, 1),
        (None, "SKU-2", 3, 1),
    ]
    await floor.do("Pick", works[0], lines=[{"sku": "SKU-0", "quantity": 1, "bin": "A-01"}])
    assert await content(floor, "A-01") == [1]
    await floor.do("Pick", works[0], lines=[{"sku": "SKU-1", "quantity": 1, "bin": "A-02"}])
    again = await floor.admin.data(
        "query($id: ID!) { node(id: $id) { ... on PickList { status steps { position } } } }", id=found["id"]
    )
    assert [step["position"] for step in again["node"]["steps"]] == [2, 2, 3]
    await floor.do(
        "Pick",
        works[1],
        lines=[{"sku": "SKU-0", "quantity": 1, "bin": "A-01"}, {"sku": "SKU-0", "quantity": 1, "bin": "B-01"}],
    )
    await floor.do("Pick", works[2], lines=[{"sku": "SKU-2", "quantity": 1}])
    lists = await floor.admin.data(
        '{ pickLists(filter: {warehouse: "NYC"}) { totalCount nodes { status steps { sku } } } }'
    )
    assert lists["pickLists"] == {"totalCount": 1, "nodes": [{"status": "DONE", "steps": []}]}


async def test_a_short_bin_is_empty(floor: Floor) -> None:
    await furnish(floor)
    (work,) = await accepted(floor, {"SKU-0": 5})
    await floor.do("StartPicking", work)
    shown = (
        await floor.admin.data(
            "query($id: ID!) { node(id: $id) { ... on FulfillmentOrder { lines { bins { bin quantity } } } } }", id=work
        )
    )["node"]
    assert shown["lines"][0]["bins"] == [{"bin": "A-01", "quantity": 2}, {"bin": "B-01", "quantity": 8}]
    await floor.do("Pick", work, lines=[{"sku": "SKU-0", "quantity": 3, "short": 2, "bin": "B-01"}])
    assert (await content(floor, "B-01"), await content(floor, "A-01")) == ([], [2])


async def test_nothing_is_picked_from_a_blocked_bin(floor: Floor) -> None:
    await furnish(floor)
    (work,) = await accepted(floor, {"SKU-0": 2})
    await floor.do("StartPicking", work)
    lines = [{"sku": "SKU-0", "quantity": 1, "bin": "A-00"}]
    assert await floor.refused("Pick", work, lines=lines) == ("INVALID_INPUT", ["lines", "0", "bin"])
    at = await floor.company.value("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    done = await floor.do("Pick", work, lines=lines, occurredAt=at)  # told late: it was done
    assert done["lines"][0]["picked"] == 1


async def test_the_most_pressing_are_chosen_and_none_twice(floor: Floor) -> None:
    await furnish(floor)
    works = await accepted(floor, {"SKU-0": 1}, {"SKU-1": 1}, {"SKU-2": 1})
    made = await asyncio.gather(
        *(floor.admin.mutate("pickListCreate", LIST, warehouse="NYC", ordersMax=2) for _ in range(3))
    )
    taken = [order["fulfillmentOrderId"] for one in made if one["pickList"] for order in one["pickList"]["orders"]]
    assert len(taken) == len(set(taken))
    made = [await floor.admin.mutate("pickListCreate", LIST, warehouse="NYC") for _ in range(2)]
    taken += [order["fulfillmentOrderId"] for one in made if one["pickList"] for order in one["pickList"]["orders"]]
    assert sorted(taken) == sorted(works)
    again = await floor.admin.mutate("pickListCreate", LIST, warehouse="NYC")
    assert again["userErrors"][0]["code"] == "WRONG_STATE"


async def test_what_no_list_can_be_made_of(floor: Floor) -> None:
    works = await accepted(floor, {"SKU-0": 1}, {"SKU-1": 1})
    fresh = await floor.released({"SKU-2": 1}, "9", "market")

    async def refused(**fields: Any) -> tuple[str, list[str]]:
        made = await floor.admin.mutate("pickListCreate", LIST, **fields)
        (error,) = made["userErrors"]
        return error["code"], error["path"]

    assert await refused(warehouse="XXX") == ("WAREHOUSE_NOT_FOUND", ["warehouse"])
    assert await refused(warehouse="NYC", ordersMax=51) == ("INVALID_INPUT", ["ordersMax"])
    assert await refused(warehouse="NYC", fulfillmentOrders=[works[0]] * 2) == ("INVALID_INPUT", ["fulfillmentOrders"])
    assert await refused(warehouse="BER", fulfillmentOrders=works) == ("INVALID_INPUT", ["fulfillmentOrders", "0"])
    assert await refused(warehouse="NYC", fulfillmentOrders=[works[0], fresh]) == (
        "WRONG_STATE",
        ["fulfillmentOrders", "1"],
    )
    made = await floor.admin.mutate("pickListCreate", LIST, warehouse="NYC", fulfillmentOrders=[works[0]])
    assert await refused(warehouse="NYC", fulfillmentOrders=[works[0]]) == (
        "ALREADY_EXISTS",
        ["fulfillmentOrders", "0"],
    )
    ended = await floor.admin.mutate("pickListCancel", LIST, id=made["pickList"]["id"])
    assert ended["pickList"]["status"] == "CANCELLED"
    assert (await floor.admin.mutate("pickListCancel", LIST, id=made["pickList"]["id"]))["userErrors"][0][
        "code"
    ] == "WRONG_STATE"
    again = await floor.admin.mutate("pickListCreate", LIST, warehouse="NYC", fulfillmentOrders=[works[0]])
    assert again["userErrors"] == []


async def test_a_list_whose_work_was_taken_away_ends(floor: Floor) -> None:
    works = await accepted(floor, {"SKU-0": 1})
    await floor.admin.mutate("pickListCreate", LIST, warehouse="NYC", fulfillmentOrders=works)
    assert await tidy_lists(floor.state) == 0
    await floor.company.execute("UPDATE fulfillment_orders SET status = 'PICKED'")
    assert await tidy_lists(floor.state) == 1
    await floor.company.execute("UPDATE fulfillment_order_lines SET picked = quantity")


async def test_bins_belong_to_their_warehouse(floor: Floor) -> None:
    await furnish(floor)
    ids = {code: known.id for code, known in (await floor.state.lookup.warehouses()).items()}
    other = await floor.company.client(Role.WAREHOUSE, warehouse_ids=[ids["BER"]])
    assert await other.data('{ zones(warehouse: "NYC") { code } bins(warehouse: "NYC") { totalCount } }') == {
        "zones": [],
        "bins": {"totalCount": 0},
    }
    zones = (await floor.admin.data('{ zones(warehouse: "NYC") { code bins kind } }'))["zones"]
    assert zones == [{"code": "A", "bins": 3, "kind": "PICK"}, {"code": "B", "bins": 1, "kind": "BULK"}]
    wrong: list[tuple[str, dict[str, Any], str, list[str]]] = [
        ("zoneUpsert", {"code": ""}, "INVALID_INPUT", ["lines", "0", "code"]),
        ("binUpsert", {"code": "X", "zone": "nowhere"}, "ZONE_NOT_FOUND", ["lines", "0", "zone"]),
        ("binUpsert", {"code": "X", "zone": "A", "sequence": -1}, "INVALID_INPUT", ["lines", "0", "sequence"]),
        ("binContentsSet", {"bin": "X", "sku": "SKU-0", "quantity": 1}, "BIN_NOT_FOUND", ["lines", "0", "bin"]),
        ("binContentsSet", {"bin": "A-01", "sku": "X", "quantity": 1}, "SKU_NOT_FOUND", ["lines", "0", "sku"]),
        (
            "binContentsSet",
            {"bin": "A-01", "sku": "SKU-0", "quantity": 3},
            "INSUFFICIENT_STOCK",
            ["lines", "0", "quantity"],
        ),
        (
            "binContentsSet",
            {"bin": "A-01", "sku": "SKU-0", "quantity": -1},
            "INVALID_QUANTITY",
            ["lines", "0", "quantity"],
        ),
    ]
    for name, line, code, path in wrong:
        made = await floor.admin.mutate(name, "", warehouse="NYC", lines=[line])
        assert [(error["code"], error["path"]) for error in made["userErrors"]] == [(code, path)], name
    emptied = [{"bin": "A-01", "sku": "SKU-0", "quantity": 0}]
    assert (await floor.admin.mutate("binContentsSet", "", warehouse="NYC", lines=emptied))["userErrors"] == []
    assert await content(floor, "A-01") == []
