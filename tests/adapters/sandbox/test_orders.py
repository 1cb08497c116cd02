"""What becomes of an order at the store: its doors, its numbers, its refusals, and the page's button."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.shopify import ProductConfig
from adapters.sandbox.shopify.config import ConfigError, LocationConfig, StoreConfig
from adapters.sandbox.shopify.ids import read_gid, write_gid
from adapters.sandbox.shopify.refunds import LINE_PLACES, PLACES
from tests.adapters.sandbox.conftest import GRAPHQL, TOKEN, Store, open_store

PARTS = """query($id: ID!) { order(id: $id) { displayFulfillmentStatus fulfillmentOrders(first: 9) {
  nodes { id status supportedActions { action } assignedLocation { location { name } }
  lineItems(first: 9) { nodes { id sku remainingQuantity totalQuantity } } } } } }"""
SHIP = """mutation($f: FulfillmentInput!) { fulfillmentCreate(fulfillment: $f) {
  fulfillment { id name status totalQuantity trackingInfo { number company } } userErrors { field message } } }"""


async def place(store: Store, quantity: int = 4, **more: Any) -> str:
    answer = await store.buy("TEA-1", quantity, **more)
    assert answer.status_code == 201
    return str(answer.json()["id"])


async def tell(store: Store, verb: str, order: str, **more: Any) -> int:
    return (await store.client.post(f"/orders/{verb}", json={"order": order, **more})).status_code


async def parts(store: Store, order: str) -> list[dict[str, Any]]:
    body = await store.query(PARTS, id=order)
    nodes: list[dict[str, Any]] = body["data"]["order"]["fulfillmentOrders"]["nodes"]
    return nodes


async def ship(store: Store, *wanted: tuple[str, list[dict[str, Any]] | None], number: str = "1Z") -> Any:
    pairs = [{"fulfillmentOrderId": part, "fulfillmentOrderLineItems": lines} for part, lines in wanted]
    given = {"lineItemsByFulfillmentOrder": pairs, "trackingInfo": {"number": number}}
    return (await store.query(SHIP, f=given))["data"]["fulfillmentCreate"]


async def show(store: Store) -> tuple[int, dict[str, Any]]:
    """(tea in stock, the latest order)."""
    state = await store.state()
    return state["quantities"]["TEA-1"], state["orders"][-1]


async def test_fulfilment_orders_come_a_moment_after_the_order() -> None:
    async with open_store(routing_seconds=60.0) as store:
        assert await parts(store, await place(store)) == []
    async with open_store(routing_seconds=0.0) as store:
        [part] = await parts(store, await place(store))
        assert part["status"] == "OPEN"
        assert {"action": "CREATE_FULFILLMENT"} in part["supportedActions"]
        assert part["lineItems"]["nodes"][0]["remainingQuantity"] == 4


@pytest.fixture
async def two() -> Any:
    """A store of two locations, ten in the first and four in the second, that routes at once."""
    products = (ProductConfig("TEA-1", "Green tea", quantities=(10, 4)), ProductConfig("CUP-1", "Cup", quantity=3))
    places = (LocationConfig("One"), LocationConfig("Two"))
    async with open_store(products=products, locations=places, routing_seconds=0.0) as store:
        yield store


async def test_each_location_ships_its_own_share(two: Store) -> None:
    first, second = await parts(two, await place(two, 12))
    shares = [part["lineItems"]["nodes"][0]["totalQuantity"] for part in (first, second)]
    assert shares == [10, 2]
    both = await ship(two, (first["id"], None), (second["id"], None))
    assert both["fulfillment"] is None
    assert "location" in both["userErrors"][0]["message"]
    assert (await ship(two, (first["id"], None)))["fulfillment"]["totalQuantity"] == 10
    assert (await show(two))[1]["fulfillment_status"] == "PARTIALLY_FULFILLED"
    assert (await ship(two, (second["id"], None)))["userErrors"] == []
    assert (await show(two))[1]["fulfillment_status"] == "FULFILLED"


async def test_a_parcel_takes_what_was_committed_and_no_more(two: Store) -> None:
    [part] = await parts(two, await place(two))
    line = part["lineItems"]["nodes"][0]["id"]
    done = await ship(two, (part["id"], [{"id": line, "quantity": 3}]))
    assert done["fulfillment"]["name"] == "#1001.1"
    assert done["fulfillment"]["trackingInfo"] == [{"number": "1Z", "company": None}]
    for quantity in (2, 0, -1):
        refused = await ship(two, (part["id"], [{"id": line, "quantity": quantity}]))
        assert "quantity" in refused["userErrors"][0]["message"]
    [left] = await parts(two, (await show(two))[1]["id"])
    assert (left["status"], left["lineItems"]["nodes"][0]["remainingQuantity"]) == ("IN_PROGRESS", 1)
    assert (await show(two))[0] == 10, "what is shipped was no longer on sale"


async def test_told_twice_it_ships_twice(two: Store) -> None:
    [part] = await parts(two, await place(two))
    line = part["lineItems"]["nodes"][0]["id"]
    for _ in range(2):
        assert (await ship(two, (part["id"], [{"id": line, "quantity": 2}])))["userErrors"] == []
    assert len((await show(two))[1]["parcels"]) == 2


async def test_parcels_that_are_refused(two: Store) -> None:
    placed = await place(two)
    [part] = await parts(two, placed)
    line = part["lineItems"]["nodes"][0]["id"]
    other = (await parts(two, await place(two, 1)))[0]["id"]
    twice = [{"id": line, "quantity": 1}] * 2
    unknown = "gid://shopify/FulfillmentOrder/1"
    parcels: list[list[tuple[str, list[dict[str, Any]] | None]]] = [
        [],
        [(unknown, None)],
        [(part["id"], None), (other, None)],
        [(part["id"], [])],
        [(part["id"], twice)],
    ]
    for wanted in parcels:
        assert (await ship(two, *wanted))["userErrors"], wanted
    await tell(two, "hold", placed)
    assert "on_hold" in (await ship(two, (part["id"], None)))["userErrors"][0]["message"]
    assert [order["parcels"] for order in (await two.state())["orders"]] == [[], []]


async def test_shipping_needs_its_scope() -> None:
    scopes = frozenset({"read_orders", "read_merchant_managed_fulfillment_orders"})
    async with open_store(routing_seconds=0.0, scopes=scopes) as store:
        [part] = await parts(store, await place(store))
        given = {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": part["id"]}]}
        body = await store.query(SHIP, f=given)
        assert body["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


async def test_a_cancelled_order_gives_everything_back_once(two: Store) -> None:
    placed = await place(two, 12)
    assert await tell(two, "cancel", placed, reason="INVENTORY") == 200
    quantity, order = await show(two)
    assert (quantity, order["cancelled"], order["financial_status"]) == (14, True, "REFUNDED")
    assert await tell(two, "cancel", placed) == 409
    assert {part["status"] for part in await parts(two, placed)} == {"CANCELLED"}
    for verb in ("hold", "request-cancellation", "pay"):
        assert await tell(two, verb, placed) == 409
    assert await tell(two, "edit", placed, lines=[{"sku": "TEA-1", "quantity": 0}]) == 409
    body = await two.query('{ orders(first: 5, query: "status:cancelled") { nodes { cancelReason cancelledAt } } }')
    assert body["data"]["orders"]["nodes"][0]["cancelReason"] == "INVENTORY"


async def test_an_edit_lowers_a_line_and_what_is_left_to_ship(two: Store) -> None:
    placed = await place(two, 12)
    assert await tell(two, "edit", placed, lines=[{"sku": "TEA-1", "quantity": 1}]) == 200
    assert (await show(two))[0] == 13
    left = [part["lineItems"]["nodes"][0]["remainingQuantity"] for part in await parts(two, placed)]
    assert sum(left) == 1
    given_back = [
        (one["order"], one["removed"], one["delta"]) for one in (await two.state())["history"] if one["removed"]
    ]
    assert given_back == [(placed, 10, 10), (placed, 1, 1)]
    for lines in ([{"sku": "TEA-1", "quantity": 2}], [{"sku": "CUP-1", "quantity": 0}], [{"sku": "TEA-1"}], "x"):
        assert await tell(two, "edit", placed, lines=lines) in (400, 404, 409)
    assert (await show(two))[1]["current"][0]["quantity"] == 1


async def test_a_refund_comes_back_to_stock_only_when_told_to(two: Store) -> None:
    placed = await place(two, 4)
    await ship(two, ((await parts(two, placed))[0]["id"], None))
    assert await tell(two, "refund", placed, lines=[{"sku": "TEA-1", "quantity": 1}]) == 200
    assert (await show(two))[0] == 10
    assert await tell(two, "refund", placed, lines=[{"sku": "TEA-1", "quantity": 3}], restock=True) == 200
    quantity, order = await show(two)
    assert (quantity, order["financial_status"]) == (13, "REFUNDED")
    assert await tell(two, "refund", placed, lines=[{"sku": "TEA-1", "quantity": 1}]) == 409


async def test_a_pending_order_is_paid_once(two: Store) -> None:
    placed = await place(two, pending=True)
    assert (await show(two))[1]["financial_status"] == "PENDING"
    assert [await tell(two, "pay", placed) for _ in range(2)] == [200, 409]
    unpaid = await place(two, pending=True)
    await tell(two, "cancel", unpaid)
    assert (await show(two))[1]["financial_status"] == "VOIDED"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/orders/cancel", {"order": "#9"}, 404),
        ("/orders/cancel", {}, 404),
        ("/orders/cancel", [], 400),
        ("/orders/cancel", {"order": "#1001", "reason": "BOREDOM"}, 400),
        ("/orders/eat", {"order": "#1001"}, 404),
        ("/unstock", {"sku": "NONE"}, 404),
    ],
)
async def test_doors_that_stay_shut(store: Store, path: str, body: Any, status: int) -> None:
    await place(store)
    assert (await store.client.post(path, json=body)).status_code == status
    assert (await show(store))[1]["cancelled"] is False


async def test_the_page_has_a_button_to_cancel(store: Store) -> None:
    await place(store)
    page = (await store.client.get("/")).text
    assert 'aria-label="Cancel #1001"' in page
    gone = await store.client.post("/orders/cancel", data={"order": "#1001"})
    assert gone.status_code == 303
    page = (await store.client.get(gone.headers["location"])).text
    assert "cancelled" in page
    assert "10</td>" in page
    again = await store.client.post("/orders/cancel", data={"order": "#1001"})
    assert "cancelled already" in (await store.client.get(again.headers["location"])).text


async def test_what_is_not_counted_sells_and_the_page_says_so() -> None:
    products = (ProductConfig("BAG-1", "Gift bag", tracked=False),)
    async with open_store(products=products) as store:
        assert (await store.buy("BAG-1", 500)).status_code == 201
        assert "not counted" in (await store.client.get("/")).text
        body = await store.query("{ productVariants(first: 1) { nodes { inventoryQuantity availableForSale } } }")
        assert body["data"]["productVariants"]["nodes"] == [{"inventoryQuantity": None, "availableForSale": True}]


async def test_orders_parcels_and_tokens_survive_a_restart(tmp_path: Path) -> None:
    options: dict[str, Any] = {"state_path": tmp_path / "store.json", "routing_seconds": 0.0, "refresh_token": "r0"}
    grant = {"grant_type": "refresh_token", "client_id": "sandbox-client", "client_secret": "sandbox-client-secret"}
    async with open_store(**options) as store:
        placed = await place(store)
        [part] = await parts(store, placed)
        line = part["lineItems"]["nodes"][0]["id"]
        await ship(store, (part["id"], [{"id": line, "quantity": 1}]))
        answer = await store.client.post("/admin/oauth/access_token", json={**grant, "refresh_token": "r0"})
        token = answer.json()["access_token"]
    async with open_store(**options) as store:
        old = await store.client.post(GRAPHQL, json={"query": "{ shop { id } }"})
        assert old.status_code == 401
        store.client.headers["X-Shopify-Access-Token"] = token
        [part] = await parts(store, placed)
        assert part["lineItems"]["nodes"][0]["remainingQuantity"] == 3
        assert len((await show(store))[1]["parcels"]) == 1
        await ship(store, (part["id"], None))
        assert (await show(store))[1]["fulfillment_status"] == "FULFILLED"


async def test_a_grant_that_is_refused() -> None:
    good = {
        "grant_type": "refresh_token",
        "client_id": "sandbox-client",
        "client_secret": "sandbox-client-secret",
        "refresh_token": "r0",
    }
    async with open_store(refresh_token="r0") as store:
        for change, code in (
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"client_secret": "x"}, "invalid_client"),
            ({"refresh_token": "r9"}, "invalid_grant"),
        ):
            answer = await store.client.post("/admin/oauth/access_token", data={**good, **change})
            assert (answer.status_code // 100, answer.json()) == (4, {"error": code})
        assert (await store.client.post("/admin/oauth/access_token", content=b"{")).status_code == 400
        assert "data" in await store.query("{ shop { id } }"), "nothing was changed"
        granted = (await store.client.post("/admin/oauth/access_token", data=good)).json()
        assert granted["expires_in"] == 3600
        assert granted["access_token"] != TOKEN
    async with open_store() as store:
        answer = await store.client.post("/admin/oauth/access_token", data=good)
        assert answer.json() == {"error": "invalid_grant"}


async def test_the_app_goes_and_comes_back(store: Store) -> None:
    await store.client.post("/uninstall")
    assert (await store.client.post(GRAPHQL, json={"query": "{ shop { id } }"})).status_code == 401
    assert (await store.state())["installed"] is False
    await store.client.post("/install")
    assert "data" in await store.query("{ shop { id } }")


@pytest.mark.parametrize("wrong", [{"token_seconds": 0}, {"routing_seconds": -1}, {"locations": ()}])
def test_a_store_that_cannot_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        StoreConfig(**wrong)


@pytest.mark.parametrize("wrong", [{"quantities": 3}, {"quantities": [-1]}, {"tracked": "no"}, {"quantity": True}])
def test_a_product_that_cannot_be_read(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ProductConfig.parse({"sku": "A", **wrong})


@pytest.mark.parametrize("wrong", [{"pending": 1}, {"fulfill_by": "soon"}, {"fulfill_by": 5}])
async def test_a_cart_that_cannot_be_read(store: Store, wrong: dict[str, Any]) -> None:
    assert (await store.buy("TEA-1", 1, **wrong)).status_code == 400


RETURN = """query($id: ID!) { return(id: $id) { status exchangeLineItems(first: 9) {
  nodes { quantity processedQuantity unprocessedQuantity variantId lineItems { id sku } } } } }"""
PROCESS = """mutation($i: ReturnProcessInput!) { returnProcess(input: $i) {
  return { status } userErrors { code field message } } }"""


async def test_what_is_sent_instead_is_a_line_once_it_is_processed_also_after_a_restart(tmp_path: Path) -> None:
    options: dict[str, Any] = {"state_path": tmp_path / "store.json", "routing_seconds": 0.0}
    one, instead = [{"sku": "TEA-1", "quantity": 1}], [{"sku": "CUP-1", "quantity": 2}]
    async with open_store(**options) as store:
        order = await place(store, 2)
        [part] = await parts(store, order)
        assert (await ship(store, (part["id"], None)))["userErrors"] == []
        assert await tell(store, "return", order, lines=one, exchanges=[{"sku": "GONE", "quantity": 1}]) == 404
        assert await tell(store, "process-return", order) == 409
        assert await tell(store, "return", order, lines=one, exchanges=instead) == 200
    async with open_store(**options) as store:
        index = (read_gid("Order", order) or 0) * PLACES
        known, line = write_gid("Return", index), write_gid("ExchangeLineItem", index * LINE_PLACES)
        [sent] = (await store.query(RETURN, id=known))["data"]["return"]["exchangeLineItems"]["nodes"]
        assert (sent["quantity"], sent["unprocessedQuantity"], sent["lineItems"]) == (2, 2, None)
        before = (await store.state())["quantities"]["CUP-1"]
        for units, faults in ((3, ["INVALID"]), (1, []), (1, []), (1, ["INVALID"])):
            given = {"returnId": known, "exchangeLineItems": [{"id": line, "quantity": units}]}
            answer = (await store.query(PROCESS, i=given))["data"]["returnProcess"]
            assert [error["code"] for error in answer["userErrors"]] == faults
        assert (await store.state())["quantities"]["CUP-1"] == before - 2
        assert len(await parts(store, order)) == 3, "each part of it is routed"
        assert await tell(store, "process-return", order) == 200
        assert await tell(store, "cancel-return", order) == 409
    async with open_store(**options) as store:
        shown = (await store.query(RETURN, id=known))["data"]["return"]
        assert (shown["status"], len(shown["exchangeLineItems"]["nodes"][0]["lineItems"])) == ("CLOSED", 2)
