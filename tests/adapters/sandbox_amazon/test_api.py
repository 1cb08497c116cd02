"""The rules the models do not express."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any

import httpx
import pytest

from adapters.sandbox.amazon.state import write_time
from tests.adapters.sandbox_amazon.conftest import FEEDS, ITEMS, ORDERS, PLACE, Client, message, open_client
from tests.adapters.sandbox_amazon.serving import until


def ago(seconds: float) -> str:
    return write_time(datetime.datetime.now(datetime.UTC).timestamp() - seconds)


async def test_replace_drops_the_lead_time_and_merge_keeps_it(client: Client) -> None:
    await client.patch("TEA-1", "merge", quantity=5)
    assert (await client.attributes("TEA-1"))[0]["lead_time_to_ship_max_days"] == 3
    await client.patch("TEA-1", "replace", quantity=6)
    assert "lead_time_to_ship_max_days" not in (await client.attributes("TEA-1"))[0]


async def test_another_code_adds_an_entry_and_delete_takes_it_away(client: Client) -> None:
    await client.patch("TEA-1", quantity=5, fulfillment_channel_code="OTHER")
    assert [entry["fulfillment_channel_code"] for entry in await client.attributes("TEA-1")] == ["DEFAULT", "OTHER"]
    await client.patch("TEA-1", "delete", fulfillment_channel_code="OTHER")
    assert len(await client.attributes("TEA-1")) == 1


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"quantity": 1, "fulfillment_channel_code": ""}, "90220"),
        ({}, "90220"),
        ({"quantity": -1}, "90000900"),
        ({"quantity": True}, "90000900"),
        ({"quantity": 1, "lead_time_to_ship_max_days": 400}, "90000900"),
    ],
)
async def test_invalid_submissions_are_200_and_change_nothing(client: Client, entry: dict[str, Any], code: str) -> None:
    answer = await client.patch("TEA-1", **entry)
    assert (answer.status_code, answer.json()["status"]) == (200, "INVALID")
    assert answer.json()["issues"][0]["code"] == code
    assert (await client.attributes("TEA-1"))[0]["quantity"] == 10


async def test_preview_judges_and_submits_nothing(client: Client) -> None:
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": 2}]
    patch = {"op": "replace", "path": "/attributes/fulfillment_availability", "value": value}
    body = {"productType": "TEA", "patches": [patch]}
    answer = await client.send("PATCH", f"{ITEMS}/TEA-1", body, mode="VALIDATION_PREVIEW", **PLACE)
    assert answer.json()["status"] == "VALID"
    wrong = await client.send("PATCH", f"{ITEMS}/TEA-1", {**body, "productType": "SHOES"}, **PLACE)
    assert wrong.json()["status"] == "INVALID"
    assert (await client.attributes("TEA-1"))[0]["quantity"] == 10


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"productType": "TEA", "patches": []},
        {"productType": "TEA", "patches": [{"op": "set", "path": "/a"}]},
        {"productType": "TEA", "patches": [{"op": "add", "path": "/a", "value": {}}]},
        {"productType": "", "patches": [{"op": "add", "path": "/a", "value": []}]},
    ],
)
async def test_malformed_patches_are_400(client: Client, body: Any) -> None:
    answer = await client.send("PATCH", f"{ITEMS}/TEA-1", body, **PLACE)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "InvalidInput"


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"client_id": "x"}, 401, "invalid_client"),
        ({"client_secret": "x"}, 401, "invalid_client"),
        ({"refresh_token": "x"}, 400, "invalid_grant"),
    ],
)
async def test_token_refusals(client: Client, change: dict[str, str], status: int, error: str) -> None:
    answer = await client.sign_in(**change)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_without_a_good_token_everything_is_403(client: Client) -> None:
    for token in ("", "Atza|made-up"):
        client.token = token
        answer = await client.send("GET", f"{ITEMS}/TEA-1", **PLACE)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "Unauthorized")


async def test_the_published_limits_hold_per_operation() -> None:
    async with open_client(limits={}) as client:
        statuses = [(await client.patch("TEA-1", quantity=1)).status_code for _ in range(12)]
        assert statuses[:5] == [200] * 5
        assert 429 in statuses[5:]
        answer = await client.send("GET", f"{ITEMS}/TEA-1", **PLACE)
        assert answer.headers["x-amzn-ratelimit-limit"] == "5"
        searches = [
            (await client.send("GET", ORDERS, createdAfter=ago(600), createdBefore=ago(300))).status_code
            for _ in range(22)
        ]
        assert searches == [200] * 20 + [429] * 2
        state = await client.served.state()
        assert state["throttled"]["searchOrders"] == 2
        await asyncio.sleep(0.5)
        assert (await client.patch("TEA-1", quantity=1)).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"createdAfter": ago(60), "lastUpdatedAfter": ago(60)},
        {"createdAfter": ago(60), "lastUpdatedBefore": ago(30)},
        {"createdBefore": ago(60)},
        {"lastUpdatedAfter": "yesterday"},
        {"lastUpdatedAfter": "2026-01-01T00:00:00"},
        {"lastUpdatedAfter": ago(60), "lastUpdatedBefore": ago(90)},
        {"lastUpdatedAfter": ago(60), "maxResultsPerPage": "101"},
        {"lastUpdatedAfter": ago(60), "paginationToken": "nonsense"},
        {"lastUpdatedAfter": ago(60), "includedData": "SECRETS"},
        {"lastUpdatedAfter": ago(60), "colour": "blue"},
    ],
)
async def test_searches_that_are_refused(client: Client, query: dict[str, str]) -> None:
    answer = await client.send("GET", ORDERS, **query)
    assert answer.status_code == 400, answer.text


async def test_before_must_be_two_minutes_old_and_defaults_to_that() -> None:
    async with open_client(search_age_seconds=120.0) as client:
        await client.served.buy("TEA-1", 1)
        near = await client.send("GET", ORDERS, lastUpdatedAfter=ago(600), lastUpdatedBefore=ago(60))
        assert near.status_code == 400
        answer = (await client.send("GET", ORDERS, lastUpdatedAfter=ago(600))).json()
        assert answer["orders"] == []
        reach = datetime.datetime.fromisoformat(answer["lastUpdatedBefore"])
        assert 119 < (datetime.datetime.now(datetime.UTC) - reach).total_seconds() < 130


async def test_page_tokens_belong_to_their_search(client: Client) -> None:
    for _ in range(3):
        await client.served.buy("TEA-1", 1)
    await asyncio.sleep(0.005)
    query = {"lastUpdatedAfter": ago(600), "lastUpdatedBefore": ago(0), "maxResultsPerPage": "2"}
    first = (await client.send("GET", ORDERS, **query)).json()
    token = first["pagination"]["nextToken"]
    second = (await client.send("GET", ORDERS, **query, paginationToken=token)).json()
    assert len(first["orders"]) == 2
    assert (len(second["orders"]), "pagination" in second) == (1, False)
    other = await client.send("GET", ORDERS, **{**query, "lastUpdatedAfter": ago(601)}, paginationToken=token)
    assert other.status_code == 400


async def test_only_what_is_asked_for_is_told(client: Client) -> None:
    placed = (await client.served.buy("TEA-1", 1)).json()
    bare = (await client.send("GET", f"{ORDERS}/{placed['id']}")).json()["order"]
    assert {"recipient", "buyer", "fulfillment", "packages"}.isdisjoint(bare)
    assert (await client.send("GET", f"{ORDERS}/902-0-0")).status_code == 404


@pytest.mark.parametrize(
    "detail",
    [
        {"packageReferenceId": "A1"},
        {"packageReferenceId": "0"},
        {"shipDate": "02/21/2022"},
        {"carrierCode": "Other"},
        {"carrierCode": ""},
        {"orderItems": []},
        {"orderItems": [{"orderItemId": "1", "quantity": 0}]},
        {"orderItems": [{"orderItemId": "nobody's", "quantity": 1}]},
    ],
)
async def test_shipments_that_are_refused(client: Client, detail: dict[str, Any]) -> None:
    placed = (await client.served.buy("TEA-1", 1)).json()
    good = {
        "packageReferenceId": "1",
        "carrierCode": "UPS",
        "trackingNumber": "1Z",
        "shipDate": "2026-01-01T00:00:00Z",
        "orderItems": [{"orderItemId": placed["lines"][0]["id"], "quantity": 1}],
    }
    path = f"/orders/v0/orders/{placed['id']}/shipmentConfirmation"
    body = {"marketplaceId": "ATVPDKIKX0DER", "packageDetail": {**good, **detail}}
    assert (await client.send("POST", path, body)).status_code == 400
    body = {"marketplaceId": "ATVPDKIKX0DER", "packageDetail": good}
    assert (await client.send("POST", path, body)).status_code == 204


async def test_pending_order_cannot_be_shipped() -> None:
    async with open_client(pending_seconds=60.0) as client:
        placed = (await client.served.buy("TEA-1", 1)).json()
        items = [{"orderItemId": placed["lines"][0]["id"], "quantity": 1}]
        detail = {
            "packageReferenceId": "1",
            "carrierCode": "UPS",
            "trackingNumber": "1Z",
            "shipDate": "2026-01-01T00:00:00Z",
            "orderItems": items,
        }
        path = f"/orders/v0/orders/{placed['id']}/shipmentConfirmation"
        answer = await client.send("POST", path, {"marketplaceId": "ATVPDKIKX0DER", "packageDetail": detail})
        assert answer.status_code == 400


async def done(client: Client, feed: httpx.Response) -> dict[str, Any]:
    feed_id = feed.json()["feedId"]
    known = client.served.market.state.feeds[feed_id]
    await until(lambda: known.ended_at is not None)
    answer: dict[str, Any] = (await client.send("GET", f"{FEEDS}/feeds/{feed_id}")).json()
    return answer


@pytest.mark.parametrize(
    ("messages", "header"),
    [
        ([], {}),
        ([message(1, "TEA-1", 1), message(1, "CUP-1", 1)], {}),
        ([message(0, "TEA-1", 1)], {}),
        ([message(1, "", 1)], {}),
        ([message(1, "TEA-1", 1)], {"sellerId": "ANOTHER"}),
        ([message(1, "TEA-1", 1)], {"version": "1.0"}),
        ([message(2**31, "TEA-1", 1)], {}),
    ],
)
async def test_feeds_that_are_fatal(client: Client, messages: list[dict[str, Any]], header: dict[str, str]) -> None:
    feed = await done(client, await client.submit(messages, **header))
    assert (feed["processingStatus"], "resultFeedDocumentId" in feed) == ("FATAL", False)


async def test_partial_update_is_a_replace_and_other_types_are_invalid(client: Client) -> None:
    value = {"fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": 5}]}
    update = {"messageId": 1, "sku": "TEA-1", "operationType": "PARTIAL_UPDATE", "productType": "TEA"}
    messages = [{**update, "attributes": value}, {"messageId": 2, "sku": "CUP-1", "operationType": "DELETE"}]
    feed = await done(client, await client.submit(messages))
    assert feed["processingStatus"] == "DONE"
    assert "lead_time_to_ship_max_days" not in (await client.attributes("TEA-1"))[0]
    answer = await client.send("GET", f"{FEEDS}/documents/{feed['resultFeedDocumentId']}")
    assert answer.json()["compressionAlgorithm"] == "GZIP"


@pytest.mark.parametrize(("overwrites", "quantity"), [(True, 5), (False, 0)])
async def test_a_feed_and_a_newer_patch(overwrites: bool, quantity: int) -> None:
    """The hazard of mass changes: a zero sent while a feed is under way may be undone by it."""
    async with open_client(feeds_overwrite_newer=overwrites, feed_work_seconds=0.2) as client:
        feed = await client.submit([message(1, "TEA-1", 5)])
        await asyncio.sleep(0.01)
        await client.patch("TEA-1", quantity=0)
        await client.served.wait_for("TEA-1", 0)
        await done(client, feed)
        await asyncio.sleep(0.1)
        assert (await client.served.state())["quantities"]["TEA-1"] == quantity


async def test_feed_documents_open_by_their_signature_only(client: Client) -> None:
    document = (await client.send("POST", f"{FEEDS}/documents", {"contentType": "application/json"})).json()
    put, json_type = client.served.client.put, {"content-type": "application/json"}
    url = document["url"]
    assert (await put(url.split("?")[0], content=b"{}", headers=json_type)).status_code == 403
    assert (await put(f"{url}0", content=b"{}", headers=json_type)).status_code == 403
    assert (await put(url, content=b"{}", headers={"content-type": "text/plain"})).status_code == 403
    assert (await client.served.client.get(url)).status_code == 403
    assert (await put(url, content=b"\xff", headers=json_type)).status_code == 400
    body = {
        "feedType": "JSON_LISTINGS_FEED",
        "marketplaceIds": ["ATVPDKIKX0DER"],
        "inputFeedDocumentId": document["feedDocumentId"],
    }
    assert (await client.send("POST", f"{FEEDS}/feeds", body)).status_code == 400
    assert (await put(url, content=b"{}", headers=json_type)).status_code == 200
    assert (await client.send("POST", f"{FEEDS}/feeds", {**body, "feedType": "OTHER"})).status_code == 400
    assert (await client.send("POST", f"{FEEDS}/feeds", body)).status_code == 202


async def ask_queue(client: Client, action: str, **asked: Any) -> httpx.Response:
    headers = {"x-amz-target": f"AmazonSQS.{action}"}
    return await client.served.client.post("/sqs", content=json.dumps(asked), headers=headers)


async def test_queue_door(client: Client) -> None:
    assert (await ask_queue(client, "ReceiveMessage")).json() == {}
    await client.served.buy("TEA-1", 1)
    [first] = (await ask_queue(client, "ReceiveMessage", VisibilityTimeout=0)).json()["Messages"]
    assert {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"} == first.keys()
    seen = (await ask_queue(client, "ReceiveMessage", MaxNumberOfMessages=10, VisibilityTimeout=0)).json()["Messages"]
    assert len(seen) == 2
    for _ in range(2):  # deleting twice is no error, and an older receipt deletes too
        assert (await ask_queue(client, "DeleteMessage", ReceiptHandle=first["ReceiptHandle"])).status_code == 200
    assert len((await ask_queue(client, "ReceiveMessage", MaxNumberOfMessages=10)).json()["Messages"]) == 1
    for action, asked in (
        ("PurgeQueue", {}),
        ("ReceiveMessage", {"MaxNumberOfMessages": 11}),
        ("ReceiveMessage", {"WaitTimeSeconds": 21}),
    ):
        answer = await ask_queue(client, action, **asked)
        assert (answer.status_code, "__type" in answer.json()) == (400, True)


async def test_waiting_receiver_is_woken_by_the_sale(client: Client) -> None:
    async with asyncio.timeout(5):
        waiting = asyncio.create_task(ask_queue(client, "ReceiveMessage", WaitTimeSeconds=10))
        await asyncio.sleep(0.05)
        await client.served.buy("TEA-1", 1)
        assert len((await waiting).json()["Messages"]) == 1
