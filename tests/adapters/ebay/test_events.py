"""eBay's events: the challenge, the signature on the raw body, what they mean, however they come."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.channels.base import InboundEvent
from adapters.channels.ebay.channel import EbayChannel, open_channel
from adapters.channels.ebay.fetch_key import FETCHES_MAX, parse_key
from adapters.channels.ebay.settings import EbaySettings
from adapters.channels.ebay.verify_event import read_signature
from adapters.channels.news import OrderToPull
from adapters.channels.subscribe_events import ChallengedChannel
from adapters.sandbox.ebay.deliver_notifications import Postman
from adapters.sandbox.ebay.sign_notification import make_key
from domain.errors import CauseClass, Fault
from tests.adapters.ebay.contract import FOLDER
from tests.adapters.ebay.market import CREDENTIALS, Market, connect, open_market, serve, until
from tests.adapters.ebay.quota import MemoryQuota

TOKEN = "a-verification-token-of-our-own-0123456789"
VECTORS = FOLDER / "notification-signature" / "event-notification-nodejs-sdk-1.0.3.test.json"
PATH = "/webhooks/ebay/main"


@dataclass
class Inbox:
    """What the API will be: answers challenges, verifies, and keeps what is new."""

    url: str = ""
    channel: EbayChannel | None = None
    statuses: list[int] = field(default_factory=list)
    raw: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    events: dict[str, InboundEvent] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    copies: list[str] = field(default_factory=list)

    async def challenge(self, request: Request) -> Response:
        assert isinstance(self.channel, ChallengedChannel)
        answer = self.channel.answer_challenge(request.query_params["challenge_code"])
        return Response(answer, media_type="application/json")

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        self.raw.append((dict(request.headers), body))
        if self.statuses:
            return Response(status_code=self.statuses.pop(0))
        assert self.channel is not None
        event = await self.channel.verify_event(dict(request.headers), body)
        if event is None:
            return Response(status_code=412)
        self.copies.append(event.event_id)
        self.events.setdefault(event.event_id, event)
        self.bodies.setdefault(event.event_id, body)
        return Response(status_code=204)

    async def wait(self, count: int) -> list[InboundEvent]:
        async with asyncio.timeout(5):
            await until(lambda: len(self.copies) >= count)
        return list(self.events.values())

    def orders(self) -> list[str]:
        assert self.channel is not None
        news = [self.channel.read_event(event.topic, self.bodies[key]) for key, event in self.events.items()]
        return [one.external_id for few in news for one in few if isinstance(one, OrderToPull)]


@asynccontextmanager
async def open_inbox(market: Market) -> AsyncIterator[Inbox]:
    inbox = Inbox()
    routes = [Route(PATH, inbox.challenge, methods=["GET"]), Route(PATH, inbox.receive, methods=["POST"])]
    async with serve(Starlette(routes=routes)) as url:
        inbox.url = f"{url}{PATH}"
        async with connect(market, endpoint=inbox.url, verification_token=TOKEN) as channel:
            inbox.channel = channel
            assert await channel.subscribe_events("ops@example.org") == {
                "ORDER_CONFIRMATION": None,
                "ORDER_CANCELLATION_ACTIVITY": None,
            }
            yield inbox


@pytest.fixture
async def inbox(market: Market) -> AsyncIterator[Inbox]:
    async with open_inbox(market) as opened:
        yield opened


def signed(key: Any, body: bytes) -> dict[str, str]:
    return {"x-ebay-signature": key.sign(body)}


# The vendor's own vectors


@dataclass
class KeyServer:
    """getPublicKey as the vectors have it."""

    response: dict[str, Any] | None
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 7200})
        if "public_key" not in request.url.path:
            return httpx.Response(204)
        self.asked.append(request.url.path.rpartition("/")[2])
        return httpx.Response(500) if self.response is None else httpx.Response(200, json=self.response)


def vector_channel(server: KeyServer) -> EbayChannel:
    http = httpx.AsyncClient(transport=httpx.MockTransport(server))
    return open_channel(http, CREDENTIALS, MemoryQuota(), EbaySettings(base_url="http://vectors"))


@pytest.mark.contract
@pytest.mark.skipif(not VECTORS.exists(), reason="needs ../shared/contracts beside the repository")
@pytest.mark.parametrize("name", ["VALID", "INVALID", "SIGNATURE_MISMATCH", "ERROR"])
async def test_ebays_own_vectors(name: str) -> None:
    vector = json.loads(VECTORS.read_text())[name]
    body = json.dumps(vector["message"], separators=(",", ":")).encode()
    server = KeyServer(vector["response"])
    channel = vector_channel(server)
    headers = {"x-ebay-signature": vector["signature"]}
    if name == "ERROR":
        with pytest.raises(Fault) as caught:
            await channel.verify_event(headers, body)
        assert caught.value.transient
        return
    event = await channel.verify_event(headers, body)
    assert server.asked == ["9936261a-7d7b-4621-a0f1-96ccb428af49"]
    if name != "VALID":
        assert event is None
        return
    assert event is not None
    assert event.topic == "MARKETPLACE_ACCOUNT_DELETION"
    assert event.event_id.startswith("49feeaeb-4982-42d9-a377-9645b8479411")
    assert event.occurred_at is not None
    assert list(channel.read_event(event.topic, body)) == []


# Setting up


async def test_the_endpoint_proves_itself(inbox: Inbox, market: Market) -> None:
    assert inbox.channel is not None
    expected = hashlib.sha256(f"abc{TOKEN}{inbox.url}".encode()).hexdigest()
    assert json.loads(inbox.channel.answer_challenge("abc")) == {"challengeResponse": expected}
    assert (await market.state())["destinations"] == [{"endpoint": inbox.url, "status": "ENABLED"}]


async def test_setting_up_twice_makes_nothing_new(inbox: Inbox, market: Market) -> None:
    assert inbox.channel is not None
    await inbox.channel.subscribe_events("ops@example.org")
    assert len(market.account.destinations) == 1
    assert len(market.account.subscriptions) == 2
    assert market.recorder.count("/subscription", "POST") == 2


async def test_what_ebay_switched_off_is_switched_on_again(inbox: Inbox, market: Market) -> None:
    assert inbox.channel is not None
    for destination in market.account.destinations.values():
        destination.status = "MARKED_DOWN"
    for subscription in market.account.subscriptions.values():
        subscription.status = "DISABLED"
    await inbox.channel.subscribe_events("ops@example.org")
    assert {one.status for one in market.account.destinations.values()} == {"ENABLED"}
    assert {one.status for one in market.account.subscriptions.values()} == {"ENABLED"}


async def test_a_topic_that_does_not_exist_is_told_and_stops_no_other(inbox: Inbox) -> None:
    assert inbox.channel is not None
    told = await inbox.channel.subscribe_events("ops@example.org", ["NONSENSE", "ORDER_CONFIRMATION"])
    assert told["ORDER_CONFIRMATION"] is None
    assert "195002" in (told["NONSENSE"] or "")


async def test_an_endpoint_that_fails_the_challenge_is_not_registered(market: Market) -> None:
    async with connect(market, endpoint=f"{market.url}/healthz", verification_token=TOKEN) as channel:
        with pytest.raises(Fault) as caught:
            await channel.subscribe_events("ops@example.org")
    assert not caught.value.transient
    assert "195020" in str(caught.value)
    assert market.account.destinations == {}


async def test_without_an_endpoint_there_is_nothing_to_set_up(ebay: EbayChannel) -> None:
    with pytest.raises(Fault) as caught:
        await ebay.subscribe_events("ops@example.org")
    assert not caught.value.transient


@pytest.mark.parametrize("token", ["short", "x" * 81, "with space " * 4])
def test_a_token_that_ebay_would_refuse_is_refused_first(token: str) -> None:
    with pytest.raises(ValueError, match="32 to 80"):
        EbaySettings(verification_token=token)


# What comes


async def test_an_order_is_announced_and_read(inbox: Inbox, market: Market) -> None:
    placed = await market.buy("TEA-1", 2)
    [event] = await inbox.wait(1)
    assert event.topic == "ORDER_CONFIRMATION"
    assert event.occurred_at is not None
    assert inbox.orders() == [placed["id"]]
    assert inbox.channel is not None
    order = await inbox.channel.read_order(placed["id"])
    assert order is not None
    assert [line.quantity for line in order.lines] == [2]


async def test_every_line_is_announced_and_all_mean_one_order(inbox: Inbox, market: Market) -> None:
    lines = [{"sku": "TEA-1", "quantity": 1}, {"sku": "CUP-1", "quantity": 1}]
    placed = (await market.client.post("/buy", json={"lines": lines})).json()
    assert len(await inbox.wait(2)) == 2
    assert set(inbox.orders()) == {placed["id"]}


async def test_a_cancellation_asks_for_its_order(inbox: Inbox, market: Market) -> None:
    placed = await market.buy("TEA-1")
    await market.change("cancel", placed["id"], step="request")
    events = await inbox.wait(2)
    assert {event.topic for event in events} == {"ORDER_CONFIRMATION", "ORDER_CANCELLATION_ACTIVITY"}
    assert set(inbox.orders()) == {placed["id"]}


async def test_a_duplicate_has_the_same_id(inbox: Inbox, market: Market) -> None:
    await market.break_it("notification_duplicate")
    await market.buy("TEA-1")
    assert len(await inbox.wait(2)) == 1


async def test_a_retry_has_the_same_id_and_a_signature_of_its_own() -> None:
    async with open_market(notification_retry_seconds=(0.01,)) as other, open_inbox(other) as own:
        own.statuses = [500]
        await other.buy("TEA-1")
        await own.wait(1)
        (first_headers, first), (second_headers, second) = own.raw
        ids = {json.loads(body)["notification"]["notificationId"] for body in (first, second)}
        assert len(ids) == 1
        assert [json.loads(body)["notification"]["publishAttemptCount"] for body in (first, second)] == [1, 2]
        assert first_headers["x-ebay-signature"] != second_headers["x-ebay-signature"]


async def test_a_missing_one_is_found_by_polling(inbox: Inbox, market: Market) -> None:
    await market.break_it("notification_missing")
    lost = await market.buy("TEA-1")
    told = await market.buy("TEA-1")
    await inbox.wait(1)
    assert inbox.orders() == [told["id"]]
    assert inbox.channel is not None
    order = await inbox.channel.read_order(lost["id"])
    assert order is not None


async def test_one_held_back_comes_after_the_next(inbox: Inbox, market: Market) -> None:
    await market.break_it("notification_reordered")
    first = await market.buy("TEA-1")
    second = await market.buy("TEA-1")
    await inbox.wait(2)
    assert inbox.orders() == [second["id"], first["id"]]


async def test_a_late_one_still_counts(inbox: Inbox, market: Market) -> None:
    await market.faults(notification_late={"rate": 1, "times": 1, "seconds": 0.3})
    first = await market.buy("TEA-1")
    second = await market.buy("TEA-1")
    await inbox.wait(2)
    assert inbox.orders() == [second["id"], first["id"]]


async def test_an_endpoint_that_never_answers_is_marked_down() -> None:
    async with open_market(notification_retry_seconds=(0.01,)) as market, open_inbox(market) as inbox:
        inbox.statuses = [500] * 2
        await market.buy("TEA-1")
        [destination] = market.account.destinations.values()
        async with asyncio.timeout(5):
            await until(lambda: destination.status == "MARKED_DOWN")
        assert (await market.state())["webhooks"] == {"pending": 0, "delivered": 0, "dropped": 1}


# What is forged


async def test_forged_bodies_are_refused_before_they_are_parsed(inbox: Inbox, market: Market) -> None:
    await market.buy("TEA-1")
    await inbox.wait(1)
    [(headers, body)] = inbox.raw
    assert inbox.channel is not None
    assert await inbox.channel.verify_event(headers, body) is not None
    for forged in (body + b" ", b"not json at all", body.replace(b"TEA", b"CUP") + b"}", b""):
        assert await inbox.channel.verify_event(headers, forged) is None


async def test_signed_nonsense_is_a_permanent_fault(inbox: Inbox, market: Market) -> None:
    await market.buy("TEA-1")
    await inbox.wait(1)
    key = postman_key(market)
    assert inbox.channel is not None
    with pytest.raises(Fault) as caught:
        await inbox.channel.verify_event(signed(key, b"{}"), b"{}")
    assert not caught.value.transient


def postman_key(market: Market) -> Any:
    emit: Any = market.account.emit
    postman = emit.__self__
    assert isinstance(postman, Postman)
    return postman.key


async def test_a_key_of_somebody_else_is_a_forgery(ebay: EbayChannel) -> None:
    body = b'{"metadata": {}, "notification": {}}'
    assert await ebay.verify_event(signed(make_key(), body), body) is None


HEADER = {"alg": "ecdsa", "kid": "../../sell/inventory/v1/offer", "signature": "MEUC", "digest": "SHA1"}


@pytest.mark.parametrize(
    "header",
    [
        "", "Zm9v", "é", "=" * 10, "e30=", "x" * 5_000,
        base64.b64encode(b"[1]").decode(),
        base64.b64encode(json.dumps(HEADER).encode()).decode(),
        base64.b64encode(json.dumps({**HEADER, "kid": 7}).encode()).decode(),
        base64.b64encode(json.dumps({**HEADER, "kid": "a", "signature": "???"}).encode()).decode(),
    ],
)  # fmt: skip
async def test_a_wrong_header_asks_ebay_nothing(market: Market, ebay: EbayChannel, header: str) -> None:
    assert read_signature(header) is None
    assert await ebay.verify_event({"x-ebay-signature": header}, b"{}") is None
    assert market.recorder.exchanges == []


async def test_one_key_is_fetched_once_for_many_events(inbox: Inbox, market: Market) -> None:
    for _ in range(5):
        await market.buy("TEA-1")
    await inbox.wait(5)
    assert sum("public_key" in exchange.path for exchange in market.recorder.exchanges) == 1


async def test_forged_keys_cannot_use_the_day_up(market: Market, ebay: EbayChannel) -> None:
    body = b"{}"
    outcomes: list[object] = []
    for _ in range(FETCHES_MAX + 5):
        try:
            outcomes.append(await ebay.verify_event(signed(make_key(), body), body))
        except Fault as fault:
            outcomes.append(fault.cause)
    assert outcomes == [None] * FETCHES_MAX + [CauseClass.QUOTA] * 5
    assert sum("public_key" in exchange.path for exchange in market.recorder.exchanges) == FETCHES_MAX


async def test_a_key_is_asked_for_again_after_an_hour(market: Market, inbox: Inbox) -> None:
    await market.buy("TEA-1")
    await inbox.wait(1)
    assert inbox.channel is not None
    clock = inbox.channel.keys.clock
    inbox.channel.keys.clock = lambda: clock() + 3_601
    [(headers, body)] = inbox.raw
    assert await inbox.channel.verify_event(headers, body) is not None
    assert sum("public_key" in exchange.path for exchange in market.recorder.exchanges) == 2


async def test_a_key_that_cannot_be_had_lets_ebay_send_again(market: Market, ebay: EbayChannel) -> None:
    body = b"{}"
    headers = signed(postman_key(market), body)
    await market.break_it("server_error", 3)
    with pytest.raises(Fault) as caught:
        await ebay.verify_event(headers, body)
    assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)


@pytest.mark.parametrize(
    "body", [None, {}, {"key": "no", "digest": "SHA1"}, {"key": "-----A-----AAAA-----B", "digest": "SHA1"}]
)
def test_what_is_no_key_is_an_outage(body: Any) -> None:
    with pytest.raises(Fault) as caught:
        parse_key(body)
    assert caught.value.transient


@pytest.mark.parametrize("data", [{"order": {"orderId": "1"}}, {"orderId": "1"}, {"cancellation": {"orderId": 1}}])
def test_the_order_is_found_wherever_the_topic_names_it(ebay: EbayChannel, data: dict[str, Any]) -> None:
    body = json.dumps({"notification": {"data": data}}).encode()
    assert list(ebay.read_event("ORDER_CANCELLATION_ACTIVITY", body)) == [OrderToPull("1")]


def test_an_item_without_its_order_is_no_news(ebay: EbayChannel) -> None:
    body = json.dumps({"notification": {"data": {"itemMarkedShipped": {"itemId": "3"}}}}).encode()
    assert list(ebay.read_event("ITEM_MARKED_SHIPPED", body)) == []


def test_a_broken_event_is_a_permanent_fault(ebay: EbayChannel) -> None:
    with pytest.raises(Fault) as caught:
        ebay.read_event("ORDER_CONFIRMATION", b'{"notification": []}')
    assert not caught.value.transient
