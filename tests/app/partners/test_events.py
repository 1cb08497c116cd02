"""A partner's webhook: told of everything once or again, signed, in time, and switched off when nobody is there."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from adapters.sandbox.threepl.config import ProviderConfig
from adapters.sandbox.threepl.create_provider import create_provider
from adapters.sandbox.threepl.inject_faults import FaultKind
from adapters.sandbox.threepl.state import State as Sandbox
from adapters.webhooks.sign_webhook import make_secret
from api.ids import encode_id
from app.orders.take_order import take_order
from app.partners.plan_events import plan_events
from app.partners.send_events import RETRY_SECONDS, send_event
from app.settings import Settings
from domain.identity import Role
from tests.adapters.ebay.market import serve
from tests.partner_company import ADDRESS, START, PartnerCompany, open_partner_company

EVENTS = "{ partnerEvents { nodes { id type state attempts error payload fulfillmentOrder } } }"
SECRET = make_secret()


@dataclass
class Post:
    company: PartnerCompany
    sandbox: Sandbox
    app: Any
    url: str

    async def deliver(self) -> int:
        """Plan, and send all that is due now; how many were tried."""
        now = self.company.now
        await plan_events(self.company.state, now)
        sent = 0
        while await send_event(self.company.state, now):
            sent += 1
            assert sent < 1_000
        return sent

    def heard(self) -> list[str]:
        return [hook["type"].removeprefix("fulfillment_order.") for hook in self.sandbox.hooks]

    async def events(self) -> list[Any]:
        return (await self.company.admin.data(EVENTS))["partnerEvents"]["nodes"]


@pytest.fixture
async def post(settings: Settings) -> AsyncIterator[Post]:
    app = create_provider(ProviderConfig(webhook_secret=SECRET))
    async with serve(app) as url, open_partner_company(settings) as company:
        await company.connect(webhook={"url": f"{url}/hooks", "secret": SECRET})
        yield Post(company, app.state.provider, app, url)


async def test_released_work_is_told_once_and_without_a_name(post: Post) -> None:
    work = await post.company.place(SKU_0=2, SKU_1=1)
    assert await post.deliver() == 1
    assert await post.deliver() == 0
    (hook,) = post.sandbox.hooks
    assert hook["type"] == "fulfillment_order.released"
    assert [(line["sku"], line["quantity"]) for line in hook["data"]["lines"]] == [("SKU-0", 2), ("SKU-1", 1)]
    assert "Ada" not in str(hook)
    (event,) = await post.events()
    assert (event["state"], event["attempts"], event["payload"]["data"]) == ("SENT", 1, hook["data"])
    assert event["fulfillmentOrder"] == hook["data"]["fulfillmentOrder"]
    assert await post.company.value("SELECT told FROM partner_orders WHERE fulfillment_order_id = $1", work) == "OPEN"


async def test_holds_cancellations_and_ends_are_told(post: Post) -> None:
    work = await post.company.place()
    change = (
        "UPDATE fulfillment_orders SET hold_reason = $2, cancel_requested_at = $3, status = $4, version = version + 1 "
        "WHERE id = $1"
    )
    for hold, asked, status in (
        (None, None, "RELEASED"),
        ("fraud check", None, "RELEASED"),
        (None, None, "RELEASED"),
        (None, None, "ACCEPTED"),
        (None, post.company.now, "ACCEPTED"),
        (None, post.company.now, "ACCEPTED"),
        (None, None, "CANCELLED"),
        (None, None, "CANCELLED"),
    ):
        await post.company.execute(change, work, hold, asked, status)
        await post.deliver()
    assert post.heard() == ["released", "held", "let_go", "cancel_requested", "ended"]
    assert post.sandbox.hooks[-1]["data"]["status"] == "CANCELLED"


async def test_open_work_of_any_number_hides_no_news(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.partners.plan_events.WORKS_MAX", 2)
    works = [await post.company.place() for _ in range(5)]
    for _ in range(4):
        await post.deliver()
    assert post.heard() == ["released"] * 5
    await post.company.execute(
        "UPDATE fulfillment_orders SET hold_reason = 'fraud check', version = version + 1 WHERE id = $1", works[4]
    )
    await post.deliver()
    assert post.heard()[5:] == ["held"]


async def test_work_that_is_split_is_told_as_less_and_as_more_work(post: Post) -> None:
    work = await post.company.place(SKU_0=3, SKU_1=1)
    await post.deliver()
    given = {"id": encode_id("FulfillmentOrder", work), "lines": [{"sku": "SKU-0", "quantity": 2}]}
    made = await post.company.admin.mutate("fulfillmentOrderSplit", "made { id }", **given)
    assert made["userErrors"] == []
    await post.deliver()
    await post.company.execute("UPDATE fulfillment_orders SET status = 'RELEASED' WHERE status = 'SCHEDULED'")
    await post.deliver()
    assert post.heard() == ["released", "split", "released"]
    assert [(line["sku"], line["quantity"] - line["cancelled"]) for line in post.sandbox.hooks[1]["data"]["lines"]] == [
        ("SKU-0", 1),
        ("SKU-1", 1),
    ]
    assert [line["quantity"] for line in post.sandbox.hooks[2]["data"]["lines"]] == [2]
    assert await post.deliver() == 0


async def test_another_address_is_told_and_read_with_the_token(post: Post) -> None:
    await post.company.place()
    await post.deliver()
    lines = (ChannelOrderLine("order-1-SKU_0", "SKU-0", "SKU_0", 1),)
    moved = replace(ADDRESS, lines=("2 Other Street",))
    channel = await post.company.value("SELECT id FROM channels WHERE code = 'shop'")
    word = ChannelOrder("order-1", "#1", START, lines, "DE", address=moved, version=2)
    for _ in range(2):
        await take_order(post.company.state, channel, word)
        await post.deliver()
    assert post.heard() == ["released", "address_changed"]
    assert "Other Street" not in str(post.sandbox.hooks)
    await post.company.cancel(1)
    await post.deliver()
    assert post.heard()[2:] == ["cancel_requested"]


async def test_work_that_goes_elsewhere_is_told_as_ended_and_not_where_to(post: Post) -> None:
    work = await post.company.place()
    await post.deliver()
    own = await post.company.value("SELECT id FROM warehouses WHERE code = 'OWN'")
    await post.company.execute(
        "UPDATE fulfillment_orders SET warehouse_id = $2, version = version + 1 WHERE id = $1", work, own
    )
    await post.deliver()
    assert post.heard() == ["released", "ended"]
    assert (post.sandbox.hooks[-1]["data"]["status"], post.sandbox.hooks[-1]["data"]["warehouse"]) == ("MOVED", None)


async def test_an_hour_without_an_endpoint_loses_nothing_and_is_one_case(post: Post) -> None:
    post.sandbox.faults.add(FaultKind.DOWN, None)
    for _ in range(60):
        await post.company.place() if post.company.orders < 8 else None
        await post.deliver()
        post.company.pass_seconds(60)
    assert post.heard() == []
    (case,) = await post.company.cases()
    assert case[:2] == ("PARTNER_SILENT", "OPEN")
    post.sandbox.faults.replace({})
    tries = await post.company.value("SELECT sum(attempts) FROM partner_deliveries")
    assert tries < 8 * 10
    for _ in range(20):
        await post.deliver()
        post.company.pass_seconds(60)
    assert post.heard() == ["released"] * 8
    assert [case[:2] for case in await post.company.cases()] == [("PARTNER_SILENT", "RESOLVED")]
    assert {event["state"] for event in await post.events()} == {"SENT"}


async def test_an_endpoint_that_is_gone_for_a_day_is_switched_off_and_what_waited_is_sent_when_it_is_back(
    post: Post,
) -> None:
    await post.company.place()
    post.sandbox.faults.add(FaultKind.DOWN, None)
    for seconds in (0.0, *RETRY_SECONDS):
        post.company.pass_seconds(seconds * 1.2)
        assert await post.deliver() == 1
    kinds = [case[:2] for case in await post.company.cases()]
    assert sorted(kinds) == [("PARTNER_EVENTS_STOPPED", "OPEN"), ("PARTNER_SILENT", "OPEN")]
    assert (await post.events())[0]["state"] == "FAILED"
    post.sandbox.faults.replace({})
    await post.company.place()
    assert await post.deliver() == 0
    since = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)).isoformat()
    answer = await post.company.admin.mutate(
        "partnerWebhookEnable", "replayed partner { webhook waitingEvents }", partner="acme", replaySince=since
    )
    assert answer == {"replayed": 1, "partner": {"webhook": "ENABLED", "waitingEvents": 2}, "userErrors": []}
    post.company.now = max(post.company.now, datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1))
    assert await post.deliver() == 2
    assert {case[1] for case in await post.company.cases()} == {"RESOLVED"}


async def test_gone_is_believed_at_once(post: Post) -> None:
    await post.company.connect(webhook={"url": f"{post.url}/nowhere"})
    await post.company.place()
    post.app.router.routes.clear()

    async def gone(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 410, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    post.app.router.default = gone
    await post.deliver()
    assert [case[0] for case in await post.company.cases()] == ["PARTNER_EVENTS_STOPPED"]


async def test_a_secret_is_rotated_with_an_overlap(post: Post) -> None:
    made = await post.company.connect(rotateSecret=True)
    assert made["secret"].startswith("whsec_")
    assert made["secret"] != SECRET
    await post.company.place()
    await post.deliver()
    assert post.heard() == ["released"]  # the receiver knows the old one alone
    post.company.now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
    await post.company.place()
    await post.deliver()
    assert (post.heard(), (await post.events())[0]["error"]) == (["released"], "The webhook answered 401.")


async def test_a_replay_has_the_id_it_had(post: Post) -> None:
    await post.company.place()
    await post.deliver()
    (event,) = await post.events()
    house = await post.company.value("SELECT id FROM warehouses WHERE code = '3PL'")
    partner = await post.company.client(Role.PARTNER, warehouse_ids=[house])
    stranger = await post.company.client(Role.PARTNER, warehouse_ids=[house + 1_000])
    refused = await stranger.mutate("partnerEventReplay", "event { id }", id=event["id"])
    assert [error["code"] for error in refused["userErrors"]] == ["EVENT_NOT_FOUND"]
    before = await post.company.fetch("SELECT state, attempts FROM partner_deliveries")
    assert before == [("SENT", 1)]
    assert (await partner.mutate("partnerEventReplay", "event { state }", id=event["id"]))["userErrors"] == []
    post.company.now = datetime.datetime.now(datetime.UTC)
    assert await post.deliver() == 1
    assert len(post.sandbox.hooks) == 1  # it came again and was known


async def test_no_secret_is_shown(post: Post) -> None:
    found = await post.company.admin.data("{ partners { code webhook webhookHost kind openOrders } }")
    assert found["partners"] == [
        {"code": "acme", "webhook": "ENABLED", "webhookHost": "127.0.0.1", "kind": "API", "openOrders": 0}
    ]


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"warehouse": "OWN"}, "WRONG_STATE", ["warehouse"]),
        ({"warehouse": "NOWHERE"}, "WAREHOUSE_NOT_FOUND", ["warehouse"]),
        ({"code": "other"}, "ALREADY_EXISTS", ["warehouse"]),
        ({"connect": {"baseUrl": "https://acme.example", "provider": "acme"}}, "ALREADY_EXISTS", ["code"]),
        ({"webhook": {"url": "ftp://acme.example"}}, "INVALID_INPUT", ["webhook", "url"]),
        ({"webhook": {"url": "https://acme.example", "secret": "short"}}, "INVALID_INPUT", ["webhook", "secret"]),
        ({"silentSeconds": 1}, "INVALID_INPUT", ["silentSeconds"]),
        ({"tolerancePercent": 101}, "INVALID_INPUT", ["tolerancePercent"]),
    ],
)
async def test_what_makes_no_sense_is_refused(post: Post, fields: dict[str, Any], code: str, path: list[str]) -> None:
    given = {"code": "acme", "warehouse": "3PL", **fields}
    refused = await post.company.admin.mutate("partnerConnect", "partner { code }", **given)
    assert [(error["code"], error["path"]) for error in refused["userErrors"]] == [(code, path)]
