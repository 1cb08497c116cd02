"""The run-time rules that no schema expresses, each by what it refuses."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from adapters.sandbox.shopify.config import LocationConfig
from tests.adapters.sandbox.conftest import GRAPHQL, Store, open_store
from tests.adapters.sandbox.test_set_quantities import codes, entry, write


async def set_faults(store: Store, **faults: Any) -> None:
    answer = await store.client.post("/faults", json=faults)
    assert answer.is_success, answer.text


async def test_repeated_key_replays_and_writes_once(store: Store) -> None:
    line = await entry(store, "TEA-1", 7, 10)
    assert codes(await write(store, [line])) == []
    await store.buy("TEA-1", 1)
    body = await write(store, [line])
    assert codes(body) == []
    assert (await store.state())["quantities"]["TEA-1"] == 6


async def test_repeated_key_may_also_be_compared_again(store: Store) -> None:
    line = await entry(store, "TEA-1", 7, 10)
    await write(store, [line])
    await set_faults(store, idempotency_recheck=1)
    assert codes(await write(store, [line])) == ["CHANGE_FROM_QUANTITY_STALE"]


async def test_failed_key_is_burnt(store: Store) -> None:
    line = await entry(store, "TEA-1", 7, 99)
    assert codes(await write(store, [line])) == ["CHANGE_FROM_QUANTITY_STALE"]
    assert codes(await write(store, [line])) == ["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"]


async def test_second_request_with_a_running_key_is_refused(store: Store) -> None:
    line = await entry(store, "TEA-1", 7, 10)
    await set_faults(store, slow_write={"seconds": 0.2, "times": 1})
    first = asyncio.create_task(write(store, [line]))
    await asyncio.sleep(0.05)
    assert codes(await write(store, [line])) == ["IDEMPOTENCY_CONCURRENT_REQUEST"]
    assert codes(await first) == []


async def test_sale_during_a_slow_write_makes_it_stale(store: Store) -> None:
    line = await entry(store, "TEA-1", 50, 10)
    await set_faults(store, slow_write={"seconds": 0.2, "times": 1})
    slow = asyncio.create_task(write(store, [line]))
    await asyncio.sleep(0.05)
    await store.buy("TEA-1", 1)
    assert codes(await slow) == ["CHANGE_FROM_QUANTITY_STALE"]
    assert (await store.state())["quantities"]["TEA-1"] == 9


async def test_outside_change_beats_the_compare(store: Store) -> None:
    line = await entry(store, "TEA-1", 50, 10)
    await set_faults(store, outside_change={"times": 1})
    assert codes(await write(store, [line])) == ["CHANGE_FROM_QUANTITY_STALE"]
    await set_faults(store, outside_changes=[{"sku": "TEA-1", "delta": -4}])
    assert (await store.state())["quantities"]["TEA-1"] == 5


async def test_on_hand_includes_what_is_sold_and_not_shipped(store: Store) -> None:
    await store.buy("TEA-1", 4)
    line = await entry(store, "TEA-1", 20, 10)
    assert codes(await write(store, [line], name="on_hand")) == []
    assert (await store.state())["quantities"]["TEA-1"] == 16


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reason": "because"}, "INVALID_REASON"),
        ({"referenceDocumentUri": "not a uri"}, "INVALID_REFERENCE_DOCUMENT"),
    ],
)
async def test_bad_header_is_refused(store: Store, change: dict[str, str], code: str) -> None:
    wanted = {"name": "available", "reason": "correction", "quantities": [await entry(store, "TEA-1", 1)]}
    document = "mutation($input: InventorySetQuantitiesInput!) { inventorySetQuantities(input: $input)"
    document += ' @idempotent(key: "k") { userErrors { code } } }'
    assert codes(await store.query(document, input={**wanted, **change})) == [code]


async def test_an_item_is_stocked_where_its_quantity_is_set() -> None:
    async with open_store(locations=(LocationConfig("One"), LocationConfig("Two"))) as store:
        item, _ = await store.ids("TEA-1")
        second = "gid://shopify/Location/65000000002"
        line = {"inventoryItemId": item, "locationId": second, "quantity": 5, "changeFromQuantity": 1}
        assert codes(await write(store, [line])) == ["CHANGE_FROM_QUANTITY_STALE"]
        assert codes(await write(store, [{**line, "changeFromQuantity": 0}], key="k2")) == []
        assert (await store.state())["quantities"]["TEA-1"] == 15
        assert (await store.buy("TEA-1", 12)).status_code == 201
        assert (await store.state())["quantities"]["TEA-1"] == 3


async def test_activation_stocks_an_item_and_needs_a_key() -> None:
    async with open_store(locations=(LocationConfig("One"), LocationConfig("Two"))) as store:
        item, _ = await store.ids("TEA-1")
        second = "gid://shopify/Location/65000000002"
        activate = "mutation($i: ID!, $l: ID!) { inventoryActivate(inventoryItemId: $i, locationId: $l) %s {"
        activate += " inventoryLevel { id } userErrors { message } } }"
        bare = await store.query(activate % "", i=item, l=second)
        assert "idempotent" in bare["errors"][0]["message"]
        body = await store.query(activate % '@idempotent(key: "a")', i=item, l=second)
        assert body["data"]["inventoryActivate"]["userErrors"] == []
        assert body["data"]["inventoryActivate"]["inventoryLevel"]["id"]


async def test_missing_scope_is_200_with_access_denied() -> None:
    async with open_store(scopes=frozenset({"read_orders"})) as store:
        body = await store.query("{ inventoryItems(first: 1) { nodes { id } } }")
        assert body["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
        assert "errors" not in await store.query("{ orders(first: 1) { nodes { id } } }")


async def test_query_dearer_than_the_limit_is_refused_whatever_the_bucket_holds(store: Store) -> None:
    document = "query($n: Int) { productVariants(first: $n) { nodes { id inventoryItem { id inventoryLevels("
    document += "first: 5) { nodes { id } } } } } }"
    body = await store.query(document, n=250)
    assert body["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert "errors" not in await store.query(document, n=100)


@pytest.mark.parametrize("arguments", ["", "first: 1, last: 1", "first: 251", 'first: 1, after: "x"'])
async def test_bad_page_arguments_are_refused(store: Store, arguments: str) -> None:
    text = f"({arguments})" if arguments else ""
    body = await store.query(f"{{ orders{text} {{ nodes {{ id }} }} }}")
    assert body["errors"]


async def test_unknown_search_filter_is_refused_not_ignored(store: Store) -> None:
    body = await store.query('{ orders(first: 1, query: "shoe_size:44") { nodes { id } } }')
    assert "shoe_size" in body["errors"][0]["message"]


async def test_search_finds_by_any_of_several_skus(store: Store) -> None:
    document = "query($q: String) { productVariants(first: 9, query: $q) { nodes { sku } } }"
    both = await store.query(document, q="sku:CUP-1 OR sku:TEA-1")
    assert [node["sku"] for node in both["data"]["productVariants"]["nodes"]] == ["TEA-1", "CUP-1"]
    none = await store.query(document, q="sku:CUP-1 sku:TEA-1")
    assert none["data"]["productVariants"]["nodes"] == []


async def test_orders_are_found_by_time(store: Store) -> None:
    await store.buy("TEA-1", 1)
    document = "query($q: String) { orders(first: 9, query: $q) { nodes { name } } }"
    for query, found in (("updated_at:>=2020-01-01T00:00:00Z", 1), ("updated_at:>='2100-01-01'", 0)):
        body = await store.query(document, q=query)
        assert len(body["data"]["orders"]["nodes"]) == found


async def test_other_version_and_bad_body_are_refused(store: Store) -> None:
    other = await store.client.post(GRAPHQL.replace("2026-07", "2024-01"), json={"query": "{ shop { id } }"})
    assert other.status_code == 404
    assert (await store.client.post(GRAPHQL, content=b"{")).status_code == 400
    assert "errors" in await store.query("{ shop { shoeSize } }")


@pytest.mark.parametrize("path", ["/faults", "/admin-sandbox/products"])
async def test_changing_doors_need_the_token(store: Store, path: str) -> None:
    answer = await store.client.post(path, json={}, headers={"X-Shopify-Access-Token": "wrong"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("cart", "status"),
    [
        ({}, 400),
        ({"lines": []}, 400),
        ({"lines": [{"sku": "TEA-1", "quantity": 0}]}, 400),
        ({"lines": [{"sku": "TEA-1", "quantity": 1}], "shipping_address": {"latitude": "x"}}, 400),
        ({"lines": [{"sku": "NONE", "quantity": 1}]}, 404),
        ({"lines": [{"sku": "TEA-1", "quantity": 1}, {"sku": "CUP-1", "quantity": 4}]}, 409),
    ],
)
async def test_refused_cart_sells_nothing(store: Store, cart: dict[str, Any], status: int) -> None:
    assert (await store.client.post("/buy", json=cart)).status_code == status
    assert (await store.state())["quantities"] == {"TEA-1": 10, "CUP-1": 3}


async def test_form_goes_back_to_the_page_with_a_note(store: Store) -> None:
    bought = await store.client.post("/buy", data={"sku": "CUP-1", "quantity": "3"})
    assert bought.status_code == 303
    refused = await store.client.post("/buy", data={"sku": "CUP-1", "quantity": "1"})
    page = await store.client.get(refused.headers["location"])
    assert "0 in stock" in page.text
    assert (await store.state())["quantities"]["CUP-1"] == 0


async def test_products_are_loaded_all_or_none_and_keep_sold_quantities(store: Store) -> None:
    bad = [{"sku": "NEW-1", "quantity": 1}, {"sku": "NEW-2", "quantity": -1}]
    assert (await store.client.post("/admin-sandbox/products", json=bad)).status_code == 400
    await store.buy("TEA-1", 1)
    again = [{"sku": "TEA-1", "title": "Black tea", "quantity": 500}]
    assert (await store.client.post("/admin-sandbox/products", json=again)).status_code == 201
    assert (await store.state())["quantities"] == {"TEA-1": 9, "CUP-1": 3}


async def test_same_seed_gives_the_same_faults() -> None:
    async def roll(seed: int) -> list[int]:
        async with open_store() as store:
            await set_faults(store, seed=seed, server_error=0.5)
            answers: list[httpx.Response] = [
                await store.client.post(GRAPHQL, json={"query": "{ shop { id } }"}) for _ in range(20)
            ]
            return [answer.status_code for answer in answers]

    assert await roll(1) == await roll(1)
    assert await roll(1) != await roll(2)
