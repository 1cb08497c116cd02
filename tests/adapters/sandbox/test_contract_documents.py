"""Real documents and the store's answers to them, both judged by the vendor's published schemas."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.sandbox.conftest import Store, open_store
from tests.adapters.shopify.contract import CONTRACTS, read_contract

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(not CONTRACTS.is_dir(), reason="needs ../shared/contracts beside the repository"),
]

LEVEL = 'id item { id } location { id } quantities(names: ["available", "on_hand"]) { id name quantity }'
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
MONEY = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
LINE = f"id name title sku quantity currentQuantity unfulfilledQuantity originalUnitPriceSet {MONEY}"
ADDRESS = "id name city zip province country countryCodeV2 latitude longitude address1 phone"
ORDER = f"""__typename id name number createdAt updatedAt cancelledAt test displayFulfillmentStatus
  displayFinancialStatus totalPriceSet {MONEY} shippingAddress {{ {ADDRESS} }}
  lineItems(first: 10) {{ edges {{ cursor node {{ {LINE} variant {{ id sku }} }} }} {PAGE} }}"""
HOOK = "id topic uri callbackUrl format createdAt apiVersion { handle displayName supported }"

READS = {
    "shop": "{ shop { id name email myshopifyDomain currencyCode ianaTimezone primaryDomain { id url } } }",
    "locations": "{ locations(first: 5) { nodes { id legacyResourceId name isActive isPrimary address {"
    f" city zip countryCode formatted }} }} {PAGE} }} }}",
    "variants": "query($q: String) { productVariants(first: 5, query: $q, sortKey: SKU, reverse: true) {"
    " edges { cursor node { id sku barcode price title displayName inventoryQuantity inventoryPolicy"
    f" availableForSale product {{ id title handle }} inventoryItem {{ id tracked }} }} }} {PAGE} }} }}",
    "items": "{ inventoryItems(first: 5) { nodes { id sku tracked requiresShipping createdAt variant { id }"
    f" inventoryLevels(first: 2) {{ nodes {{ {LEVEL} updatedAt isActive canDeactivate }} }} }} }} }}",
    "orders": f'{{ orders(first: 5, sortKey: UPDATED_AT, query: "status:open") {{ nodes {{ {ORDER} }} }} }}',
    "subscriptions": "{ webhookSubscriptions(first: 5, topics: [ORDERS_CREATE]) {"
    f" nodes {{ {HOOK} }} }} }}",
}  # fmt: skip

BY_ID = f"""query($item: ID!, $place: ID!, $order: ID!, $none: ID!) {{
  inventoryItem(id: $item) {{ inventoryLevel(locationId: $place) {{ {LEVEL} }} }}
  location(id: $place) {{ inventoryLevel(inventoryItemId: $item) {{ {LEVEL} }} }}
  order(id: $order) {{ {ORDER} }}
  node(id: $item) {{ __typename id ... on InventoryItem {{ sku }} }}
  nodes(ids: [$order, $none, $place]) {{ __typename ... on Order {{ name }} ... on Location {{ name }} }}
}}"""

SET = """mutation($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id createdAt reason referenceDocumentUri
      changes(quantityNames: ["available"]) { name delta quantityAfterChange ledgerDocumentUri
        item { id sku } location { id } } }
    userErrors { __typename code field message }
  }
}"""

ACTIVATE = f"""mutation($item: ID!, $place: ID!) {{
  inventoryActivate(inventoryItemId: $item, locationId: $place, available: 3) @idempotent(key: "a") {{
    inventoryLevel {{ {LEVEL} }} userErrors {{ field message }}
  }}
}}"""

CREATE = f"""mutation($uri: String!) {{
  webhookSubscriptionCreate(topic: INVENTORY_LEVELS_UPDATE, webhookSubscription: {{uri: $uri}}) {{
    webhookSubscription {{ {HOOK} }} userErrors {{ field message }}
  }}
}}"""

DELETE = """mutation($id: ID!) {
  webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { field message } }
}"""


def judge(document: str, variables: dict[str, Any], data: Any) -> None:
    contract = read_contract()
    assert contract is not None
    assert contract.judge(document, variables, data) == []


async def ask(store: Store, document: str, **variables: Any) -> Any:
    body = await store.query(document, **variables)
    assert "errors" not in body, body
    judge(document, variables, body["data"])
    return body["data"]


@pytest.fixture
async def filled() -> Any:
    async with open_store(webhook_url="http://127.0.0.1:9/hooks", webhook_retry_seconds=()) as store:
        address = {"name": "A B", "city": "Lyon", "zip": "69001", "country_code": "FR", "latitude": 45.7}
        await store.buy("TEA-1", 2, shipping_address=address)
        yield store


@pytest.mark.parametrize("name", READS)
async def test_reads(filled: Store, name: str) -> None:
    data = await ask(filled, READS[name])
    assert next(iter(data.values()))


async def test_reads_by_id(filled: Store) -> None:
    item, place = await filled.ids("TEA-1")
    order = (await ask(filled, READS["orders"]))["orders"]["nodes"][0]["id"]
    none = "gid://shopify/Order/1"
    data = await ask(filled, BY_ID, item=item, place=place, order=order, none=none)
    quantities = data["inventoryItem"]["inventoryLevel"]["quantities"]
    assert [entry["quantity"] for entry in quantities] == [8, 10]
    assert [node and node["__typename"] for node in data["nodes"]] == ["Order", None, "Location"]
    assert data["order"]["shippingAddress"]["countryCodeV2"] == "FR"


async def test_writes_and_their_refusals(filled: Store) -> None:
    item, place = await filled.ids("TEA-1")
    line = {"inventoryItemId": item, "locationId": place, "quantity": 4, "changeFromQuantity": 8}
    wanted = {
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": "gid://onhand/Push/1",
        "quantities": [line],
    }
    data = await ask(filled, SET, input=wanted, key="k1")
    assert data["inventorySetQuantities"]["userErrors"] == []
    stale = await ask(filled, SET, input=wanted, key="k2")
    assert stale["inventorySetQuantities"]["inventoryAdjustmentGroup"] is None
    assert stale["inventorySetQuantities"]["userErrors"][0]["code"] == "CHANGE_FROM_QUANTITY_STALE"


async def test_subscriptions_come_and_go(filled: Store) -> None:
    uri = "http://127.0.0.1:9/other"
    created = (await ask(filled, CREATE, uri=uri))["webhookSubscriptionCreate"]["webhookSubscription"]
    again = await ask(filled, CREATE, uri=uri)
    assert again["webhookSubscriptionCreate"]["webhookSubscription"] is None
    assert again["webhookSubscriptionCreate"]["userErrors"]
    deleted = await ask(filled, DELETE, id=created["id"])
    assert deleted["webhookSubscriptionDelete"]["deletedWebhookSubscriptionId"] == created["id"]
    gone = await ask(filled, DELETE, id=created["id"])
    assert gone["webhookSubscriptionDelete"]["userErrors"]


async def test_activation_of_a_stocked_item_is_a_user_error(filled: Store) -> None:
    item, place = await filled.ids("TEA-1")
    data = await ask(filled, ACTIVATE, item=item, place=place)
    assert data["inventoryActivate"]["userErrors"]


def test_the_judge_sees_a_forbidden_null() -> None:
    with pytest.raises(AssertionError):
        judge("{ shop { name } }", {}, {"shop": {"name": None}})
