"""Notifications: off our queue or forged, at least once, in no order, in two ways of writing."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any

import httpx
import pytest

from adapters.channels.amazon.receive_messages import QueueMessage, SqsQueue
from adapters.channels.amazon.sign_request import AwsCredentials, sign_request
from adapters.channels.amazon.verify_event import SEAL_HEADER
from adapters.channels.base import InboundEvent, ListingRef, Observation
from adapters.channels.news import BatchFinished, OrderToPull, QuantitySeen
from domain.errors import CauseClass, Fault
from tests.adapters.amazon.conftest import Setup, answering, open_setup, write
from tests.adapters.sandbox_amazon.serving import SELLER

METADATA = {"ApplicationId": "a", "SubscriptionId": "s", "PublishTime": "2026-01-01T00:00:00Z", "NotificationId": "n-1"}


def order_change(**changes: Any) -> bytes:
    change = {
        "SellerId": SELLER,
        "AmazonOrderId": "902-1",
        "Summary": {"MarketplaceId": "ATVPDKIKX0DER", "FulfillmentType": "MFN"},
        **changes,
    }
    return envelope("ORDER_CHANGE", {"OrderChangeNotification": change})


def envelope(topic: str, payload: dict[str, Any]) -> bytes:
    body = {
        "NotificationType": topic,
        "EventTime": "2026-01-01T00:00:00Z",
        "Payload": payload,
        "NotificationMetadata": METADATA,
    }
    return json.dumps(body).encode()


async def receive_all(setup: Setup, *, delete: bool = True) -> list[QueueMessage]:
    found: list[QueueMessage] = []
    for _ in range(50):
        messages = await setup.queue.receive(10)
        if not messages:
            return found
        found += messages
        for message in messages if delete else ():
            await setup.queue.delete(message.receipt)
    pytest.fail("the queue never runs dry")


async def read(setup: Setup, message: QueueMessage) -> tuple[InboundEvent, Any]:
    event = await setup.channel.verify_event(setup.channel.seal_event(message.body), message.body)
    assert event is not None
    return event, setup.channel.read_event(event.topic, message.body)


async def test_a_sale_is_told_as_an_order_to_pull_and_a_quantity(setup: Setup) -> None:
    placed = (await setup.market.buy("TEA-1", 4)).json()
    news = [entry for message in await receive_all(setup) for entry in (await read(setup, message))[1]]
    assert OrderToPull(placed["id"]) in news
    assert QuantitySeen(Observation("TEA-1", 6)) in news
    assert (await setup.market.state())["notifications"]["pending"] == 0


async def test_our_own_write_echoes(setup: Setup) -> None:
    await setup.channel.set_quantities([write("CUP-1", 1)])
    await setup.market.wait_for("CUP-1", 1)
    [message] = await receive_all(setup)
    event, news = await read(setup, message)
    assert event.topic == "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
    assert event.occurred_at is not None
    assert news == (QuantitySeen(Observation("CUP-1", 1)),)


async def test_a_message_not_deleted_comes_again_with_the_same_id() -> None:
    async with open_setup(visibility_seconds=0.05) as setup:
        await setup.market.buy("TEA-1", 1)
        first = {(await read(setup, message))[0].event_id for message in await setup.queue.receive(10)}
        assert await setup.queue.receive(10) == []
        await asyncio.sleep(0.1)
        again = {(await read(setup, message))[0].event_id for message in await setup.queue.receive(10)}
        assert first == again
        assert len(first) == 2


async def test_duplicates_share_their_notification_id(setup: Setup) -> None:
    await setup.market.set_faults(notification_duplicate={"rate": 1})
    await setup.market.buy("TEA-1", 1)
    ids = [(await read(setup, message))[0].event_id for message in await receive_all(setup)]
    assert len(ids) == 4
    assert len(set(ids)) == 2


async def test_order_of_arrival_is_not_order_of_events() -> None:
    """Ten quantities in falling order arrive in another one."""
    async with open_setup(seed=5) as setup:
        for _ in range(10):
            await setup.market.buy("TEA-1", 1)
        seen: list[int] = []
        for message in await receive_all(setup):
            news = (await read(setup, message))[1]
            seen += [entry.observation.quantity or 0 for entry in news if isinstance(entry, QuantitySeen)]
        assert sorted(seen, reverse=True) == list(range(9, -1, -1))
        assert seen != sorted(seen, reverse=True)


async def test_late_and_missing_ones_are_made_up_for_by_asking(setup: Setup) -> None:
    await setup.market.set_faults(
        notification_late={"rate": 1, "times": 2, "seconds": 0.3}, notification_missing={"rate": 0}
    )
    await setup.market.buy("TEA-1", 1)
    assert await setup.queue.receive(10) == []
    late = await setup.queue.receive(10, wait_seconds=2)
    assert late
    await setup.market.set_faults(notification_missing={"rate": 1})
    placed = (await setup.market.buy("TEA-1", 1)).json()
    lost = [message for message in await receive_all(setup) if placed["id"].encode() in message.body]
    assert lost == []
    await asyncio.sleep(0.005)
    until = datetime.datetime.now(datetime.UTC)
    page = await setup.channel.pull_orders(until - datetime.timedelta(hours=1), until + datetime.timedelta(hours=1))
    assert placed["id"] in {order.external_id for order in page.orders}
    [seen] = await setup.channel.observe([ListingRef("TEA-1")])
    assert seen.quantity == 8


async def test_new_orders_may_not_be_announced_at_all() -> None:
    async with open_setup(announces_new_orders=False) as setup:
        await setup.market.buy("TEA-1", 1)
        topics = {(await read(setup, message))[0].topic for message in await receive_all(setup)}
        assert topics == {"LISTINGS_ITEM_MFN_QUANTITY_CHANGE"}


async def test_forged_bodies_are_turned_away_unread(setup: Setup) -> None:
    body = order_change()
    sealed = setup.channel.seal_event(body)
    assert await setup.channel.verify_event(sealed, body) == InboundEvent(
        "n-1", "ORDER_CHANGE", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    )
    assert await setup.channel.verify_event({}, body) is None
    assert await setup.channel.verify_event({SEAL_HEADER: ""}, body) is None
    assert await setup.channel.verify_event({SEAL_HEADER: "é" * 64}, body) is None
    assert await setup.channel.verify_event(sealed, body.replace(b"902-1", b"902-2")) is None
    other = answering(client_secret="other")
    assert await setup.channel.verify_event(other.seal_event(body), body) is None


async def test_a_body_that_is_no_notification_is_kept_and_called_unreadable() -> None:
    channel = answering()
    for body in (b"hello", b"[]", b'{"NotificationType": "X"}', b'"text"', b"null"):
        event = await channel.verify_event(channel.seal_event(body), body)
        assert event is not None
        assert (event.topic, len(event.event_id)) == ("UNREADABLE", 64)
        with pytest.raises(Fault) as caught:
            channel.read_event(event.topic, body)
        assert caught.value.transient is False


@pytest.mark.parametrize(
    "body",
    [
        order_change(SellerId="ANOTHER"),
        order_change(Summary={"MarketplaceId": "ATVPDKIKX0DER", "FulfillmentType": "AFN"}),
        order_change(Summary={"MarketplaceId": "A1PA6795UKMFR9", "FulfillmentType": "MFN"}),
        envelope("REPORT_PROCESSING_FINISHED", {}),
        envelope(
            "LISTINGS_ITEM_MFN_QUANTITY_CHANGE",
            {"SellerId": SELLER, "FulfillmentChannelCode": "OTHER", "Sku": "A", "Quantity": 1},
        ),
        envelope(
            "FEED_PROCESSING_FINISHED",
            {"feedProcessingFinishedNotification": {"feedId": "1", "feedType": "POST_PRODUCT_DATA"}},
        ),
    ],
)
def test_what_is_not_this_connections_means_nothing(body: bytes) -> None:
    topic = json.loads(body)["NotificationType"]
    assert answering().read_event(topic, body) == ()


def test_feed_finished_in_either_writing() -> None:
    finished = {"feedId": "7", "feedType": "JSON_LISTINGS_FEED", "accountId": "x"}
    body = envelope("FEED_PROCESSING_FINISHED", {"feedProcessingFinishedNotification": finished})
    assert answering().read_event("FEED_PROCESSING_FINISHED", body) == (BatchFinished("7"),)


@pytest.mark.parametrize(
    "payload", [{}, {"OrderChangeNotification": []}, {"OrderChangeNotification": {"SellerId": SELLER}}]
)
def test_a_broken_notification_is_a_permanent_fault(payload: dict[str, Any]) -> None:
    with pytest.raises(Fault) as caught:
        answering().read_event("ORDER_CHANGE", envelope("ORDER_CHANGE", payload))
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.VALIDATION)


@pytest.mark.parametrize(
    ("status", "transient", "cause"),
    [(403, False, CauseClass.AUTH), (400, False, CauseClass.VALIDATION), (503, True, CauseClass.OUTAGE)],
)
async def test_queue_faults(status: int, transient: bool, cause: CauseClass) -> None:
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(status, json={})))
    queue = SqsQueue(http, "https://sqs.test/1/q", "eu-west-1", AwsCredentials("AKID", "aws-hush"))
    with pytest.raises(Fault) as caught:
        await queue.receive()
    assert (caught.value.transient, caught.value.cause) == (transient, cause)
    assert "aws-hush" not in str(caught.value) + repr(queue)


def test_signature_is_the_one_aws_publishes() -> None:
    """The `post-vanilla` case of the Signature Version 4 test suite."""
    headers = sign_request(
        AwsCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        method="POST",
        url="https://example.amazonaws.com/",
        headers={},
        body=b"",
        region="us-east-1",
        service="service",
        moment=datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC),
    )
    expected = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    assert headers["authorization"].endswith(f"SignedHeaders=host;x-amz-date, Signature={expected}")


def test_temporary_credentials_are_signed_along() -> None:
    headers = sign_request(
        AwsCredentials("AKID", "secret", "session"),
        method="POST",
        url="https://sqs.eu-west-1.amazonaws.com/1/q",
        headers={"X-Amz-Target": " AmazonSQS.ReceiveMessage "},
        body=b"{}",
        region="eu-west-1",
        service="sqs",
        moment=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    )
    assert headers["x-amz-security-token"] == "session"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target," in headers["authorization"]
