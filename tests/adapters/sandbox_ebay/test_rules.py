"""The rules of the sandbox account, as a stranger with a token meets them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from adapters.sandbox.ebay.config import CALLS_PER_DAY
from adapters.sandbox.ebay.state import write_time
from tests.adapters.ebay.market import CREDENTIALS, Market, open_market

INVENTORY, FULFILLMENT = "/sell/inventory/v1", "/sell/fulfillment/v1"
NOTIFICATION, ANALYTICS = "/commerce/notification/v1", "/developer/analytics/v1_beta"
CLIENT = (CREDENTIALS.client_id, CREDENTIALS.client_secret)


@dataclass
class Caller:
    market: Market
    user: str
    application: str

    async def call(self, method: str, path: str, *, application: bool = False, **more: Any) -> httpx.Response:
        token = self.application if application else self.user
        return await self.market.client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **more)

    async def bulk(self, *requests: dict[str, Any]) -> httpx.Response:
        return await self.call("POST", f"{INVENTORY}/bulk_update_price_quantity", json={"requests": list(requests)})


async def grant(market: Market, auth: tuple[str, str] = CLIENT, **form: str) -> httpx.Response:
    return await market.client.post("/identity/v1/oauth2/token", data=form, auth=auth)


async def open_caller(market: Market) -> Caller:
    user = await grant(market, grant_type="refresh_token", refresh_token=CREDENTIALS.refresh_token)
    application = await grant(market, grant_type="client_credentials", scope="https://api.ebay.com/oauth/api_scope")
    return Caller(market, user.json()["access_token"], application.json()["access_token"])


@pytest.fixture
async def caller(market: Market) -> Caller:
    return await open_caller(market)


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with open_market() as opened:
        yield opened


def errors(answer: httpx.Response) -> list[int]:
    return [error["errorId"] for error in answer.json()["errors"]]


def at(moment: datetime) -> str:
    return write_time(moment.timestamp())


# Tokens


@pytest.mark.parametrize(
    ("auth", "form", "status", "code"),
    [
        (("app", "wrong"), {"grant_type": "refresh_token"}, 401, "invalid_client"),
        (CLIENT, {"grant_type": "refresh_token", "refresh_token": "old"}, 400, "invalid_grant"),
        (CLIENT, {"grant_type": "password"}, 400, "unsupported_grant_type"),
        (CLIENT, {"grant_type": "client_credentials"}, 400, "invalid_scope"),
    ],
)
async def test_who_gets_no_token(
    market: Market, auth: tuple[str, str], form: dict[str, str], status: int, code: str
) -> None:
    answer = await grant(market, auth, **form)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


async def test_a_token_says_how_long_it_lives(market: Market) -> None:
    answer = await grant(market, grant_type="refresh_token", refresh_token=CREDENTIALS.refresh_token)
    assert (answer.json()["expires_in"], answer.json()["token_type"]) == (7_200, "User Access Token")


async def test_tokens_open_only_their_own_doors(caller: Caller) -> None:
    path = f"{INVENTORY}/inventory_item"
    refused = [
        await caller.market.client.get(path, headers={"Authorization": ""}),
        await caller.market.client.get(path, headers={"Authorization": "Bearer nonsense"}),
        await caller.call("GET", path, application=True),
        await caller.call("GET", f"{ANALYTICS}/rate_limit/"),
    ]
    assert [(answer.status_code, *errors(answer)) for answer in refused] == [
        (401, 1002), (401, 1001), (403, 1100), (403, 1100),
    ]  # fmt: skip


# Items


async def test_the_offset_of_items_is_a_page(caller: Caller) -> None:
    answers = [
        (await caller.call("GET", f"{INVENTORY}/inventory_item", params={"limit": "2", "offset": str(page)})).json()
        for page in range(2)
    ]
    assert [[item["sku"] for item in answer["inventoryItems"]] for answer in answers] == [["TEA-1", "CUP-1"], ["POT-1"]]
    assert ["next" in answer for answer in answers] == [True, False]
    assert (answers[0]["size"], answers[0]["total"]) == (2, 3)


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "201"}, {"offset": "-1"}, {"limit": "ten"}])
async def test_wrong_pages_are_refused(caller: Caller, params: dict[str, str]) -> None:
    answer = await caller.call("GET", f"{INVENTORY}/inventory_item", params=params)
    assert (answer.status_code, errors(answer)) == (400, [25706])


async def test_one_item_and_its_barcode(caller: Caller) -> None:
    answer = await caller.call("GET", f"{INVENTORY}/inventory_item/CUP-1")
    assert answer.json()["product"]["upc"] == ["123456789012"]
    missing = await caller.call("GET", f"{INVENTORY}/inventory_item/NONE")
    assert (missing.status_code, errors(missing)) == (404, [25710])


@pytest.mark.parametrize(
    ("skus", "error"), [([], 25709), (["A"] * 26, 25727), (["TEA-1", "TEA-1"], 25734), ([""], 25708)]
)
async def test_wrong_bulk_reads_are_refused(caller: Caller, skus: list[str], error: int) -> None:
    body = {"requests": [{"sku": sku} for sku in skus]}
    answer = await caller.call("POST", f"{INVENTORY}/bulk_get_inventory_item", json=body)
    assert (answer.status_code, errors(answer)) == (400, [error])


async def test_offers_are_found_by_their_sku_only(caller: Caller) -> None:
    found = await caller.call("GET", f"{INVENTORY}/offer", params={"sku": "TEA-1"})
    assert [offer["listing"]["listingStatus"] for offer in found.json()["offers"]] == ["ACTIVE"]
    assert errors(await caller.call("GET", f"{INVENTORY}/offer")) == [25709]
    assert errors(await caller.call("GET", f"{INVENTORY}/offer", params={"sku": "NONE"})) == [25713]


async def test_a_withdrawn_offer_comes_back_as_another_listing(caller: Caller) -> None:
    offer = caller.market.account.offers_by_sku["TEA-1"][0]
    path = f"{INVENTORY}/offer/{offer.offer_id}"
    before = (await caller.call("GET", path)).json()
    await caller.call("POST", f"{path}/withdraw")
    assert (await caller.call("GET", path)).json()["status"] == "UNPUBLISHED"
    after = (await caller.call("POST", f"{path}/publish")).json()
    assert after["listingId"] != before["listing"]["listingId"]


# Quantities


async def test_each_item_is_judged_by_itself(caller: Caller) -> None:
    offer = caller.market.account.offers_by_sku["TEA-1"][0].offer_id
    answer = await caller.bulk(
        {"sku": "TEA-1", "shipToLocationAvailability": {"quantity": 4}},
        {"sku": "CUP-1", "offers": [{"offerId": offer, "availableQuantity": 1}]},
        {"sku": "NONE", "shipToLocationAvailability": {"quantity": 4}},
        {"sku": "POT-1", "shipToLocationAvailability": {"quantity": -1}},
        {"sku": "POT-1"},
        {"sku": "TEA-1", "offers": [{"offerId": offer, "availableQuantity": 1}] * 2},
    )
    assert answer.status_code == 207
    entries = answer.json()["responses"]
    assert [entry["statusCode"] for entry in entries] == [200, 400, 400, 400, 400, 400, 400]
    assert "offerId" not in entries[0]
    assert [entry["errors"][0]["errorId"] for entry in entries[1:]] == [25002, 25709, 25709, 25709, 25002, 25002]
    assert (await caller.market.state())["quantities"] == {"TEA-1": 4, "CUP-1": 3, "POT-1": 5}


@pytest.mark.parametrize("count", [0, 26])
async def test_a_request_has_one_to_twenty_five_items(caller: Caller, count: int) -> None:
    answer = await caller.bulk(*[{"sku": "TEA-1", "shipToLocationAvailability": {"quantity": 4}}] * count)
    assert (answer.status_code, errors(answer)) == (400, [25709])


async def test_a_listing_is_revised_so_many_times_a_day() -> None:
    async with open_market(revisions_per_day=2) as market:
        caller = await open_caller(market)
        offer = market.account.offers_by_sku["TEA-1"][0].offer_id
        wanted = {"sku": "TEA-1", "offers": [{"offerId": offer, "availableQuantity": 1}]}
        statuses = [(await caller.bulk(wanted)).status_code for _ in range(3)]
        assert statuses == [200, 200, 207]
        market.account.revisions = {listing: (day - 1, n) for listing, (day, n) in market.account.revisions.items()}
        assert (await caller.bulk(wanted)).status_code == 200


async def test_the_calls_of_a_day_end_and_only_analytics_tells() -> None:
    async with open_market(calls_per_day={**CALLS_PER_DAY, "inventory": 2}) as market:
        caller = await open_caller(market)
        answers = [await caller.call("GET", f"{INVENTORY}/inventory_item") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert errors(answers[2]) == [2001]
        assert not any("limit" in name or name == "retry-after" for name in answers[2].headers)
        params = {"api_context": "sell", "api_name": "inventory"}
        limits = await caller.call("GET", f"{ANALYTICS}/rate_limit/", application=True, params=params)
        [entry] = limits.json()["rateLimits"]
        [rate] = entry["resources"][0]["rates"]
        assert (rate["limit"], rate["remaining"], rate["count"]) == (2, 0, 2)
        nothing = await caller.call("GET", f"{ANALYTICS}/rate_limit/", application=True, params={"api_context": "buy"})
        assert nothing.status_code == 204


# Orders


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"limit": "201"}, 31100),
        ({"offset": "x"}, 31000),
        ({"filter": "colour:{red}"}, 30700),
        ({"filter": "nonsense"}, 30700),
        ({"filter": "lastmodifieddate:[yesterday..]"}, 30810),
        ({"filter": "lastmodifieddate:[..2026-01-01T00:00:00.000Z]"}, 30820),
        ({"filter": "lastmodifieddate:[2026-01-02T00:00:00.000Z..2026-01-01T00:00:00.000Z]"}, 30840),
        ({"filter": "lastmodifieddate:[2999-01-01T00:00:00.000Z..]"}, 30850),
        ({"filter": "creationdate:[2020-01-01T00:00:00.000Z..]"}, 30830),
        ({"filter": "orderfulfillmentstatus:{FULFILLED}"}, 30800),
        ({"orderIds": ",".join(["1"] * 51)}, 30900),
    ],
)
async def test_wrong_searches_are_refused(caller: Caller, params: dict[str, str], error: int) -> None:
    answer = await caller.call("GET", f"{FULFILLMENT}/order", params=params)
    assert (answer.status_code, errors(answer)) == (400, [error])


async def test_the_offset_of_orders_counts_records(caller: Caller) -> None:
    placed = [(await caller.market.buy("TEA-1"))["id"] for _ in range(3)]
    page = (await caller.call("GET", f"{FULFILLMENT}/order", params={"limit": "2", "offset": "1"})).json()
    assert [order["orderId"] for order in page["orders"]] == placed[1:]
    assert (page["total"], "next" in page, "prev" in page) == (3, False, True)


async def test_of_two_dates_only_the_creation_counts(caller: Caller) -> None:
    await caller.market.buy("TEA-1")
    now = datetime.now(UTC)
    old = f"lastmodifieddate:[{at(now - timedelta(days=9))}..{at(now - timedelta(days=8))}]"
    new = f"creationdate:[{at(now - timedelta(hours=1))}..]"
    totals = [
        (await caller.call("GET", f"{FULFILLMENT}/order", params={"filter": text})).json()["total"]
        for text in (old, new, f"{new},{old}", f"{new},orderfulfillmentstatus:{{NOT_STARTED|IN_PROGRESS}}")
    ]
    assert totals == [0, 1, 1, 1]


async def test_cancellation_requests_show_in_one_order_only(caller: Caller) -> None:
    placed = await caller.market.buy("TEA-1")
    await caller.market.change("cancel", placed["id"], step="request")
    listed = (await caller.call("GET", f"{FULFILLMENT}/order", params={"orderIds": placed["id"]})).json()
    single = (await caller.call("GET", f"{FULFILLMENT}/order/{placed['id']}")).json()
    assert listed["orders"][0]["cancelStatus"] == {"cancelState": "IN_PROGRESS", "cancelRequests": []}
    assert [one["cancelRequestState"] for one in single["cancelStatus"]["cancelRequests"]] == ["REQUESTED"]
    await caller.market.change("cancel", placed["id"], step="complete")
    with pytest.raises(AssertionError, match="CANCELLED"):
        await caller.market.change("cancel", placed["id"], step="request")


async def test_shipping_moves_the_order_on(caller: Caller) -> None:
    placed = await caller.market.buy("TEA-1", 2)
    path, line = f"{FULFILLMENT}/order/{placed['id']}", placed["lines"][0]["id"]
    statuses = []
    for tracking in ("A1", "A2"):
        body = {"lineItems": [{"lineItemId": line, "quantity": 1}], "trackingNumber": tracking,
                "shippingCarrierCode": "UPS", "shippedDate": at(datetime.now(UTC))}  # fmt: skip
        made = await caller.call("POST", f"{path}/shipping_fulfillment", json=body)
        assert (made.status_code, made.content) == (201, b"")
        assert made.headers["location"].endswith(f"/shipping_fulfillment/{tracking}")
        statuses.append((await caller.call("GET", path)).json()["orderFulfillmentStatus"])
    assert statuses == ["IN_PROGRESS", "FULFILLED"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"lineItems": []}, 32600),
        ({"lineItems": [{"lineItemId": "7", "quantity": 1}]}, 32200),
        ({"lineItems": [{"quantity": 9}]}, 32600),
        ({"lineItems": [{"quantity": 1}, {"quantity": 1}]}, 32210),
        ({"trackingNumber": "1Z 99"}, 32300),
        ({"trackingNumber": None}, 32300),
        ({"shippedDate": "soon"}, 32500),
    ],
)
async def test_wrong_parcels_are_refused(caller: Caller, wrong: dict[str, Any], error: int) -> None:
    placed = await caller.market.buy("TEA-1", 2)
    line = {"lineItemId": placed["lines"][0]["id"], "quantity": 1}
    body = {"lineItems": [line], "trackingNumber": "A1", "shippingCarrierCode": "UPS", **wrong}
    body["lineItems"] = [{**line, **given} for given in body["lineItems"]]
    body = {name: value for name, value in body.items() if value is not None}
    answer = await caller.call("POST", f"{FULFILLMENT}/order/{placed['id']}/shipping_fulfillment", json=body)
    assert (answer.status_code, errors(answer)) == (400, [error])


# Notifications


async def test_the_alert_address_comes_first(caller: Caller) -> None:
    delivery = {"endpoint": "https://x.invalid/", "verificationToken": "t" * 32}
    body = {"status": "ENABLED", "deliveryConfig": delivery}
    first = await caller.call("POST", f"{NOTIFICATION}/destination", application=True, json=body)
    assert (first.status_code, errors(first)) == (409, [195003])
    missing = await caller.call("GET", f"{NOTIFICATION}/config", application=True)
    assert (missing.status_code, errors(missing)) == (404, [195026])
    await caller.call("PUT", f"{NOTIFICATION}/config", application=True, json={"alertEmail": "a@b.example"})
    assert (await caller.call("GET", f"{NOTIFICATION}/config", application=True)).json() == {
        "alertEmail": "a@b.example"
    }
    unanswered = await caller.call("POST", f"{NOTIFICATION}/destination", application=True, json=body)
    assert errors(unanswered) == [195020]


async def test_subscriptions_need_the_right_token_and_a_payload(caller: Caller) -> None:
    await caller.call("PUT", f"{NOTIFICATION}/config", application=True, json={"alertEmail": "a@b.example"})
    delivery = {"endpoint": "http://x.invalid/", "verificationToken": "t" * 32}
    made = await caller.call(
        "POST", f"{NOTIFICATION}/destination", application=True, json={"status": "DISABLED", "deliveryConfig": delivery}
    )
    destination = made.headers["location"].rpartition("/")[2]
    payload = {"format": "JSON", "schemaVersion": "1.0", "deliveryProtocol": "HTTPS"}
    good = {"topicId": "ORDER_CONFIRMATION", "status": "DISABLED", "destinationId": destination, "payload": payload}

    async def subscribe(application: bool, **wrong: Any) -> list[int]:
        answer = await caller.call(
            "POST", f"{NOTIFICATION}/subscription", application=application, json={**good, **wrong}
        )
        return errors(answer) if answer.content else []

    assert await subscribe(True) == [195011]
    assert await subscribe(False, topicId="NONE") == [195027]
    assert await subscribe(False, destinationId="none") == [195007]
    assert await subscribe(False, payload={**payload, "schemaVersion": "9"}) == [195008]
    assert await subscribe(False, payload={"schemaVersion": "1.0"}) == [195009]
    assert await subscribe(False, status="ENABLED") == [195015]
    assert await subscribe(False) == []
    assert await subscribe(False) == [195012]


async def test_lists_are_cut_into_pages(caller: Caller) -> None:
    answer = await caller.call("GET", f"{NOTIFICATION}/topic", application=True, params={"limit": "5"})
    assert errors(answer) == [195004]
    topics = (await caller.call("GET", f"{NOTIFICATION}/topic", application=True)).json()
    assert (topics["total"], topics["limit"], "next" in topics) == (3, 20, False)
    gone = await caller.call("GET", f"{NOTIFICATION}/topic", application=True, params={"continuation_token": "99"})
    assert errors(gone) == [195005]


async def test_a_subscription_can_be_tried_out(caller: Caller) -> None:
    await caller.call("PUT", f"{NOTIFICATION}/config", application=True, json={"alertEmail": "a@b.example"})
    delivery = {"endpoint": "http://x.invalid/", "verificationToken": "t" * 32}
    made = await caller.call(
        "POST", f"{NOTIFICATION}/destination", application=True, json={"status": "DISABLED", "deliveryConfig": delivery}
    )
    payload = {"format": "JSON", "schemaVersion": "1.0", "deliveryProtocol": "HTTPS"}
    body = {"topicId": "ORDER_CONFIRMATION", "status": "DISABLED", "payload": payload,
            "destinationId": made.headers["location"].rpartition("/")[2]}  # fmt: skip
    subscribed = await caller.call("POST", f"{NOTIFICATION}/subscription", json=body)
    answer = await caller.call("POST", f"{subscribed.headers['location']}/test")
    assert answer.status_code == 202
    assert answer.json()["notificationId"]
