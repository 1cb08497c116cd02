"""The door, the bucket, the buyer's page, the faults, and what survives a restart."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.adapters.sandbox.conftest import GRAPHQL, Store, open_store
from tests.adapters.sandbox.test_set_quantities import codes, entry, write

SHOP = "{ shop { name } }"


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_wrong_token_is_401(store: Store, token: str) -> None:
    answer = await store.client.post(GRAPHQL, json={"query": SHOP}, headers={"X-Shopify-Access-Token": token})
    assert answer.status_code == 401


async def test_every_answer_carries_its_cost(store: Store) -> None:
    cost = (await store.query(SHOP))["extensions"]["cost"]
    assert cost["requestedQueryCost"] == cost["actualQueryCost"] == 1
    assert cost["throttleStatus"].keys() == {"maximumAvailable", "currentlyAvailable", "restoreRate"}
    assert (await write(store, [await entry(store, "TEA-1", 1)]))["extensions"]["cost"]["requestedQueryCost"] == 10


async def test_an_empty_bucket_throttles_with_200_and_writes_nothing() -> None:
    async with open_store(points_max=60, restore_rate=1) as store:
        line = await entry(store, "TEA-1", 1)
        bodies = [await write(store, [line], key=f"k{turn}") for turn in range(8)]
        throttled = [body for body in bodies if "errors" in body]
        assert throttled
        assert throttled[0]["errors"][0]["extensions"]["code"] == "THROTTLED"
        assert throttled[0]["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] < 10
        assert len((await store.state())["acknowledgements"]) == len(bodies) - len(throttled)


async def test_sells_from_its_own_number_unless_forced(store: Store) -> None:
    assert (await store.buy("CUP-1", 2)).status_code == 201
    refused = await store.buy("CUP-1", 2)
    assert refused.status_code == 409
    assert (await store.state())["quantities"]["CUP-1"] == 1
    assert (await store.buy("CUP-1", 2, force=True)).status_code == 201
    state = await store.state()
    assert state["quantities"]["CUP-1"] == -1
    assert state["order_count"] == 2


async def test_order_is_read_back_with_its_lines(store: Store) -> None:
    placed = (await store.buy("TEA-1", 2)).json()
    body = await store.query(
        "query($id: ID!) { order(id: $id) { name lineItems(first: 5) { edges { node { sku quantity } } } }"
        " orders(first: 5) { nodes { id } pageInfo { hasNextPage } } }",
        id=placed["id"],
    )
    assert body["data"]["order"]["name"] == placed["name"]
    assert body["data"]["order"]["lineItems"]["edges"] == [{"node": {"sku": "TEA-1", "quantity": 2}}]
    assert body["data"]["orders"]["nodes"] == [{"id": placed["id"]}]


async def test_pages_follow_the_cursor(store: Store) -> None:
    page = "query($a: String) { productVariants(first: 1, after: $a) { nodes { sku barcode"
    page += " inventoryItem { id } } pageInfo { hasNextPage endCursor } } }"
    first = (await store.query(page))["data"]["productVariants"]
    second = (await store.query(page, a=first["pageInfo"]["endCursor"]))["data"]["productVariants"]
    assert first["nodes"][0]["sku"] == "TEA-1"
    assert first["nodes"][0]["barcode"] == "4006381333931"
    assert second["nodes"][0]["sku"] == "CUP-1"
    assert [first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]] == [True, False]


async def test_page_shows_the_quantity_and_escapes_titles(store: Store) -> None:
    added = await store.client.post(
        "/products", json=[{"sku": "X-1", "title": "<b>bold</b>", "price": "1", "quantity": 4242}]
    )
    assert added.is_success
    page = (await store.client.get("/")).text
    assert "Green tea" in page
    assert "4242" in page
    assert "<b>bold</b>" not in page


async def test_lost_reply_happens_after_the_write(store: Store) -> None:
    line = await entry(store, "TEA-1", 4)
    await store.break_it("lost_reply")
    with pytest.raises((httpx.HTTPError, AssertionError)):
        await write(store, [line])
    assert (await store.state())["quantities"]["TEA-1"] == 4


async def test_error_500_and_throttled_write_nothing(store: Store) -> None:
    line = await entry(store, "TEA-1", 4)
    await store.break_it("error_500")
    answer = await store.client.post(GRAPHQL, json={"query": SHOP})
    assert answer.status_code == 500
    await store.break_it("throttled")
    assert (await write(store, [line]))["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert (await store.state())["quantities"]["TEA-1"] == 10
    assert codes(await write(store, [line])) == []


async def test_unknown_fault_is_refused(store: Store) -> None:
    assert (await store.client.post("/faults", json={"kind": "gremlin", "count": 1})).status_code == 400


async def test_numbers_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    async with open_store(state_path=path) as store:
        await store.buy("TEA-1", 3)
    async with open_store(state_path=path) as store:
        state = await store.state()
        assert state["quantities"]["TEA-1"] == 7
        assert state["order_count"] == 1
        assert (await store.buy("TEA-1", 1)).json()["name"] != "#1001"
