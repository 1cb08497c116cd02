"""inventorySetQuantities, mostly by what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.sandbox.conftest import Store

DOCUMENT = """
mutation($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { reason changes { name delta quantityAfterChange } }
    userErrors { code field message }
  }
}
"""
ABSENT = object()


async def write(store: Store, quantities: list[dict[str, Any]], key: str = "k1", name: str = "available") -> Any:
    wanted = {"name": name, "reason": "correction", "quantities": quantities}
    return await store.query(DOCUMENT, input=wanted, key=key)


async def entry(store: Store, sku: str, quantity: int, seen: Any = None) -> dict[str, Any]:
    item, location = await store.ids(sku)
    line = {"inventoryItemId": item, "locationId": location, "quantity": quantity}
    return line if seen is ABSENT else {**line, "changeFromQuantity": seen}


def codes(body: dict[str, Any]) -> list[str]:
    return [error["code"] for error in body["data"]["inventorySetQuantities"]["userErrors"]]


async def test_sets_and_reads_back(store: Store) -> None:
    body = await write(store, [await entry(store, "TEA-1", 7, 10)])
    assert codes(body) == []
    item, location = await store.ids("TEA-1")
    read = await store.query(
        "query($i: ID!, $l: ID!) { inventoryItem(id: $i) { sku inventoryLevel(locationId: $l)"
        ' { quantities(names: ["available"]) { name quantity } } } }',
        i=item,
        l=location,
    )
    level = read["data"]["inventoryItem"]["inventoryLevel"]
    assert level["quantities"] == [{"name": "available", "quantity": 7}]


async def test_acknowledged_quantity_is_in_the_history(store: Store) -> None:
    await write(store, [await entry(store, "TEA-1", 7)])
    state = await store.state()
    assert state["quantities"]["TEA-1"] == 7
    assert [(a["sku"], a["quantity"]) for a in state["acknowledgements"]] == [("TEA-1", 7)]
    assert state["acknowledgements"][0]["at"] > 1_700_000_000


async def test_stale_compare_writes_nothing_at_all(store: Store) -> None:
    body = await write(store, [await entry(store, "TEA-1", 1, 10), await entry(store, "CUP-1", 1, 99)])
    assert codes(body) == ["CHANGE_FROM_QUANTITY_STALE"]
    [error] = body["data"]["inventorySetQuantities"]["userErrors"]
    assert error["field"][:3] == ["input", "quantities", "1"]
    assert (await store.state())["quantities"] == {"TEA-1": 10, "CUP-1": 3}


async def test_missing_compare_is_refused_and_null_skips_it(store: Store) -> None:
    body = await write(store, [await entry(store, "TEA-1", 1, ABSENT)])
    assert "changeFromQuantity" in body["errors"][0]["message"]
    assert (await store.state())["quantities"]["TEA-1"] == 10
    assert codes(await write(store, [await entry(store, "TEA-1", 1, None)], key="k2")) == []


async def test_key_with_other_parameters_is_a_mismatch(store: Store) -> None:
    await write(store, [await entry(store, "TEA-1", 5)])
    body = await write(store, [await entry(store, "TEA-1", 6)])
    assert codes(body) == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]
    assert (await store.state())["quantities"]["TEA-1"] == 5


async def test_without_the_directive_nothing_is_written(store: Store) -> None:
    wanted = {"name": "available", "reason": "correction", "quantities": [await entry(store, "TEA-1", 5)]}
    bare = DOCUMENT.replace("@idempotent(key: $key)", "").replace(", $key: String!", "")
    body = await store.query(bare, input=wanted)
    assert "idempotent" in body["errors"][0]["message"]
    assert (await store.state())["quantities"]["TEA-1"] == 10


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"inventoryItemId": "gid://shopify/InventoryItem/1"}, "INVALID_INVENTORY_ITEM"),
        ({"locationId": "gid://shopify/Location/1"}, "INVALID_LOCATION"),
        ({"quantity": -1}, "INVALID_QUANTITY_NEGATIVE"),
        ({"quantity": 1_000_000_001}, "INVALID_QUANTITY_TOO_HIGH"),
    ],
)
async def test_refuses_by_code(store: Store, change: dict[str, Any], code: str) -> None:
    body = await write(store, [{**await entry(store, "TEA-1", 5), **change}])
    assert codes(body) == [code]
    assert (await store.state())["quantities"]["TEA-1"] == 10


async def test_refuses_an_unknown_name(store: Store) -> None:
    assert codes(await write(store, [await entry(store, "TEA-1", 5)], name="shiny")) == ["INVALID_NAME"]


async def test_refuses_the_same_level_twice(store: Store) -> None:
    line = await entry(store, "TEA-1", 5)
    assert codes(await write(store, [line, line])) == ["NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"]


async def test_refuses_more_than_250_entries(store: Store) -> None:
    body = await write(store, [await entry(store, "TEA-1", 5)] * 251)
    assert "250" in body["errors"][0]["message"]
