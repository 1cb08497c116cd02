"""Amazon's own examples through our readers, and proof that the judge of the other tests is awake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from adapters.channels.amazon.patch_quantities import read_submission
from adapters.channels.amazon.pull_orders import pull_orders
from adapters.channels.amazon.read_event import UNREADABLE, read_envelope
from adapters.channels.amazon.settle_feed import measure_feed, read_report
from adapters.channels.base import ListingRef, Observation, WriteOutcome
from adapters.channels.news import OrderToPull, QuantitySeen, ReturnSeen
from domain.errors import CauseClass, Fault
from tests.adapters.amazon.conftest import CONTRACTS, Setup, answering, write
from tests.adapters.amazon.contract import EXAMPLE_DEFECTS, NOTIFICATIONS, OPERATIONS, Contract, Operation
from tests.adapters.amazon.test_orders import HOUR, now, shipment_of

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(not CONTRACTS.is_dir(), reason="needs ../shared/contracts beside the repository"),
]


def list_pairs() -> Iterator[Any]:
    """(operation, status, pair) of every static request and response of the operations used."""
    if not CONTRACTS.is_dir():
        return
    for operation in Contract(CONTRACTS).operations:
        for status, response in operation.responses.items():
            for place, pair in enumerate(response.get("x-amzn-api-sandbox", {}).get("static", [])):
                yield pytest.param(operation, int(status), pair, id=f"{operation.name}-{status}-{place}")


def list_notifications() -> Iterator[Any]:
    for path in sorted((CONTRACTS / "schemas" / "notifications").glob("*.json")):
        for place, example in enumerate(json.loads(path.read_text()).get("examples", [])):
            yield pytest.param(path.stem, example, id=f"{path.stem}-{place}")


CAUSES = {
    401: CauseClass.AUTH,
    403: CauseClass.AUTH,
    404: CauseClass.MAPPING,
    429: CauseClass.QUOTA,
    500: CauseClass.OUTAGE,
    503: CauseClass.OUTAGE,
}


async def parse_returns(response: dict[str, Any]) -> Any:
    channel = answering(httpx.Response(200, json=response))
    page = await channel.list_returns(now() - HOUR)
    return [channel.read_event(event.topic, body) for event, body in page.records]


async def parse(operation: Operation, response: dict[str, Any]) -> Any:
    """What our reader of that operation makes of the answer."""
    channel = answering(httpx.Response(200, json=response), marketplace_id="ATVPDKIKX0DER")
    match operation.name:
        case "searchListingsItems":
            return await channel.list_items()
        case "getListingsItem":
            return await channel.observe([ListingRef("GM,ZDPI")])
        case "patchListingsItem":
            return read_submission(response)
        case "searchOrders":
            return await pull_orders(channel.api, now() - HOUR, now(), None, now() + HOUR)
        case "getOrder":
            return await channel.read_order("1")
        case "getFeed":
            return await channel.settle("FeedId1", ["a"])
        case "createFeed":
            return response["feedId"]
        case "createFeedDocument" | "getFeedDocument":
            return (response["feedDocumentId"], response["url"])
        case "confirmShipment":
            return await channel.confirm_shipment(shipment_of({"id": "1", "lines": [{"id": "1", "quantity": 1}]}))
    raise AssertionError(operation.name)


@pytest.mark.parametrize(("operation", "status", "pair"), list(list_pairs()))
async def test_static_pairs(operation: Operation, status: int, pair: dict[str, Any]) -> None:
    response = pair["response"]
    if status == 204:
        assert response == {}
    else:
        wrapped = {"errors": response["errors"]} if status >= 400 else response
        assert list(operation.judge_response(status, wrapped)) == []
    if status < 300:
        assert await (parse_returns(response) if operation.name == "listReturns" else parse(operation, response))
        return
    channel = answering(httpx.Response(status, json=response))
    with pytest.raises(Fault) as caught:
        await channel.api.call(operation.name, operation.method, "/x")
    cause = CAUSES.get(status, CauseClass.VALIDATION)
    transient = cause in (CauseClass.OUTAGE, CauseClass.QUOTA)
    assert (caught.value.transient, caught.value.cause) == (transient, cause)


def test_every_operation_has_pairs() -> None:
    named = {param.values[0].name for param in list_pairs()}
    assert named == OPERATIONS


async def test_what_the_static_answers_say(contract: Contract) -> None:
    """Not only that they can be read."""
    pairs = [param.values for param in list_pairs()]
    submissions = [read_submission(p["response"]) for o, s, p in pairs if o.name == "patchListingsItem" and s == 200]
    assert [result.outcome for result in submissions] == [
        WriteOutcome.ACCEPTED,
        WriteOutcome.ACCEPTED,
        WriteOutcome.REFUSED,
    ]
    orders = [await parse(o, p["response"]) for o, s, p in pairs if o.name == "getOrder" and s == 200]
    assert [(order.external_id, order.country_code, order.lines[0].quantity) for order in orders] == [
        ("171-9876543-2109876", "BR", 1),
        ("028-1234567-8901234", "TR", 2),
        ("114-9876543-1234567", "US", 1),
    ]
    returned = [await parse_returns(p["response"]) for o, s, p in pairs if o.name == "listReturns" and s == 200]
    [first] = returned[0][0]
    assert isinstance(first, ReturnSeen)
    assert (first.notice.order_external_id, first.notice.items) == ("407-7727827-8514700", (("1002400773021", 1),))
    [page] = [await parse(o, p["response"]) for o, s, p in pairs if o.name == "searchListingsItems" and s == 200]
    assert [(item.sku, item.title, item.quantity) for item in page.items] == [
        ("GM-ZDPI-9B4E", "Hardside Carry-On Spinner Suitcase Luggage", 100)
    ]
    assert page.items[0].reference == "LUGGAGE"
    [feed] = [await parse(o, p["response"]) for o, s, p in pairs if o.name == "getFeed" and s == 200]
    assert feed["a"].outcome is WriteOutcome.TRANSIENT


@pytest.mark.parametrize(("schema", "example"), list(list_notifications()))
def test_notification_examples(contract: Contract, schema: str, example: dict[str, Any]) -> None:
    if schema not in EXAMPLE_DEFECTS:
        assert contract.judge_document(schema, example) == []
    body = json.dumps(example).encode()
    event = read_envelope(body)
    assert event.topic != UNREADABLE
    assert event.event_id
    answering().read_event(event.topic, body)


def test_notification_examples_that_concern_us() -> None:
    news = {}
    for param in list_notifications():
        schema, example = param.values
        body = json.dumps(example).encode()
        seller = "AXXXXXXXXXXXXX" if schema == "ListingsItemMfnQuantityChange" else "A3TH9S8BH6GOGM"
        news[schema] = answering(seller_id=seller).read_event(read_envelope(body).topic, body)
    assert news["OrderChangeNotification"] == (OrderToPull("903-8868176-2219830"),)
    assert news["ListingsItemMfnQuantityChange"] == (QuantitySeen(Observation("NLS-SHOES-03", 99)),)
    assert news["FeedProcessingFinishedNotification"] == ()  # of another feed type
    assert sum(bool(entry) for entry in news.values()) == 2


def test_feed_examples(contract: Contract) -> None:
    folder = CONTRACTS / "schemas" / "feeds"
    feed = json.loads((folder / "listings-feed-schema-v2.example.json").read_text())
    assert contract.judge_document("listings-feed-schema-v2", feed) == []
    report = json.loads((folder / "listings-feed-processing-report-schema-v2.example.json").read_text())
    assert contract.judge_document("listings-feed-processing-report-schema-v2", report) == []
    assert read_report(report, ["a"])["a"].outcome is WriteOutcome.ACCEPTED
    assert measure_feed({"createdTime": "2024-03-11T13:16:24Z", "processingEndTime": "2024-03-11T13:18:24Z"}) == 120


async def test_every_operation_and_notification_was_judged(setup: Setup, contract: Contract) -> None:
    """One walk through everything the adapter can do; the judge looks on."""
    contract.seen.clear()
    channel = setup.channel
    await channel.set_quantities([write("TEA-1", 3)])
    placed = (await setup.market.buy("TEA-1", 1)).json()
    await channel.list_items()
    await channel.observe([ListingRef("TEA-1"), ListingRef("A,B")])
    await channel.pull_orders(now() - HOUR, now())
    await channel.read_order(placed["id"])
    await channel.confirm_shipment(shipment_of(placed))
    await channel.list_returns(now() - HOUR)
    channel.feed_seconds = 0.001
    [receipt] = {r.receipt for r in await channel.set_quantities([write("CUP-1", n, key=f"k{n}") for n in range(20)])}
    for _ in range(20):
        await setup.queue.receive(10, wait_seconds=1)
        if await channel.settle(str(receipt)) is not None and contract.seen >= NOTIFICATIONS.keys():
            break
    assert contract.seen == OPERATIONS | NOTIFICATIONS.keys() | {"feed", "report"}


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("PATCH", "/listings/2021-08-01/items/S/K?marketplaceIds=A", {"patches": []}),
        ("PATCH", "/listings/2021-08-01/items/S/K?marketplaceIds=A", {"productType": "P", "patches": [{"op": "set"}]}),
        ("PATCH", "/listings/2021-08-01/items/S/K", {"productType": "P", "patches": [{"op": "add", "path": "/a"}]}),
        ("GET", "/listings/2021-08-01/items/S?marketplaceIds=A&pageSize=21", None),
        ("GET", "/listings/2021-08-01/items/S?marketplaceIds=A&includedData=everything", None),
        ("GET", "/orders/2026-01-01/orders?createdAfter=yesterday", None),
        ("GET", "/orders/2026-01-01/orders?colour=blue", None),
        ("POST", "/feeds/2021-06-30/feeds", {"feedType": "F", "marketplaceIds": []}),
        ("GET", "/feeds/2021-06-30/fodder", None),
        ("PUT", "/documents/1", {"header": {}, "messages": []}),
    ],
)
def test_the_judge_sees_a_wrong_request(contract: Contract, method: str, url: str, body: Any) -> None:
    assert contract.judge_request(httpx.Request(method, f"http://api{url}", json=body)) != []


@pytest.mark.parametrize(
    ("url", "status", "body"),
    [
        ("/listings/2021-08-01/items/S", 200, {"items": [{"sku": 7}]}),
        ("/listings/2021-08-01/items/S", 418, {}),
        ("/orders/2026-01-01/orders/1", 200, {"order": {"orderId": "1"}}),
        ("/feeds/2021-06-30/feeds/1", 200, {"feedId": "1", "processingStatus": "MAYBE"}),
        ("/documents/1", 200, {"header": {"sellerId": "S", "version": "2.0", "feedId": "1"}, "issues": []}),
    ],
)
def test_the_judge_sees_a_wrong_response(contract: Contract, url: str, status: int, body: Any) -> None:
    headers = {"x-amzn-RequestId": "1", "x-amzn-RateLimit-Limit": "5"}
    response = httpx.Response(status, json=body, headers=headers, request=httpx.Request("GET", f"http://api{url}"))
    assert contract.judge_response(response) != []


def test_the_judge_misses_no_header(contract: Contract) -> None:
    request = httpx.Request("GET", "http://api/orders/2026-01-01/orders")
    assert contract.judge_response(httpx.Response(200, json={"orders": []}, request=request)) != []
