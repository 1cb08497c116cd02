"""Alerts: who is told of which cases, signed, grouped, repeated, retried; nothing of their addresses is shown."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import pytest

from adapters.alerts.send_apprise import name_service
from adapters.channels.base import QuantityWrite
from adapters.channels.memory import MemoryChannel
from adapters.webhooks.sign_webhook import is_secret, make_secret, sign
from app.alerts.plan_alerts import plan_alerts
from app.alerts.send_alerts import ATTEMPTS_MAX, send_alert
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.settings import Settings
from app.tasks import end_tasks
from app.worker import start_loops
from domain.errors import CauseClass, Fault
from domain.exceptions import CaseKind, Problem, Severity
from domain.identity import Role
from tests.alert_receivers import Webhook, mail_server, web_server
from tests.channel_company import ChannelCompany, open_channel_company

RULE = "secret rule { id name kinds severities channels target destination groupSeconds repeatSeconds enabled }"
URL = "http://hooks.example/T0K3N?key=hidden"
DELIVERIES = """query($filter: AlertDeliveryFilter) { alertDeliveries(filter: $filter) {
  totalCount nodes { id rule state attempts error exceptions nextAttemptAt sentAt } } }"""


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as opened:
        yield opened


@pytest.fixture
async def hook(company: ChannelCompany) -> AsyncIterator[Webhook]:
    found = Webhook()
    before = company.state.http
    async with found.client() as client:
        company.state.http = client
        yield found
        company.state.http = before


async def set_rule(company: ChannelCompany, name: str = "ops", **fields: Any) -> Any:
    made = await company.admin.mutate("alertRuleSet", RULE, name=name, **fields)
    assert made["userErrors"] == []
    return made


async def open_case(company: ChannelCompany, kind: CaseKind, subject: str, **fields: Any) -> None:
    severity = fields.pop("severity", Severity.CRITICAL)
    problem = Problem(kind, severity, CauseClass.UNKNOWN, subject, f"{kind.value} of {subject}", "détail", **fields)
    async with company.state.database.hot.acquire() as connection, connection.transaction():
        await open_cases(connection, [problem])


async def resolve(company: ChannelCompany, subject: str) -> None:
    async with company.state.database.hot.acquire() as connection, connection.transaction():
        await resolve_cases(connection, [kind.value for kind in CaseKind], {subject: {"seen": True}})


async def run(company: ChannelCompany) -> int:
    """Plan, and send what is due; how many were sent or tried."""
    await plan_alerts(company.state)
    tried = 0
    while await send_alert(company.state):
        tried += 1
    return tried


async def deliveries(company: ChannelCompany, **chosen: Any) -> list[Any]:
    return (await company.admin.data(DELIVERIES, filter=chosen))["alertDeliveries"]["nodes"]


async def age(company: ChannelCompany, seconds: float) -> None:
    """As if so much time had passed since anything was told or planned."""
    span = f"interval '{seconds} seconds'"
    await company.execute(f"UPDATE alert_notices SET noticed_at = noticed_at - {span}")
    await company.execute(f"UPDATE alert_deliveries SET due_at = due_at - {span} WHERE state = 'PENDING'")


def check_signature(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """As a receiver does it, after the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return expected in headers["webhook-signature"].split(" ")


def test_the_signature_is_that_of_the_specification() -> None:
    """Its own example, from the reference implementations' tests."""
    secret, message_id, timestamp = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign([secret], message_id, timestamp, b'{"test": 2432232314}') == expected
    assert is_secret(secret)
    assert is_secret(make_secret())
    assert not any(map(is_secret, ("", "whsec_", "whsec_ab", "whsec_!!!!", "x" * 40, "whsec_" + "A" * 400)))


async def test_addresses_that_reach_nobody_are_none() -> None:
    assert await name_service("mailto://user:pass@example.com") == "mailto"
    for url in ("", "nonsense://x", "syslog://", "windows://", "dbus://", "mailto://"):
        assert await name_service(url) is None, url


async def test_a_message_is_signed_and_its_secret_shown_once(company: ChannelCompany, hook: Webhook) -> None:
    made = await set_rule(company, webhook={"url": URL}, idempotencyKey="k")
    assert made["rule"]["destination"] == "http://hooks.example/…"
    again = await company.admin.mutate("alertRuleSet", RULE, name="ops", webhook={"url": URL}, idempotencyKey="k")
    assert again == {**made, "secret": None}
    text = await company.value("SELECT string_agg(r::text, ' ') FROM alert_rules r")
    kept = await company.value("SELECT string_agg(answer::text, ' ') FROM idempotency_keys")
    for hidden in ("T0K3N", made["secret"].removeprefix("whsec_")):
        assert hidden not in text
        assert hidden not in kept
    await open_case(company, CaseKind.OVERSELL, "order:1", channel_id=(await company.channel("shop")).id)
    assert await run(company) == 1
    ((headers, body),) = hook.received
    assert check_signature(headers, body, made["secret"])
    assert not check_signature(headers, body + b" ", made["secret"])
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    message = orjson.loads(body)
    assert (message["type"], message["data"]["rule"], message["data"]["total"]) == ("exception.alert", "ops", 1)
    case = message["data"]["cases"][0]
    assert (case["kind"], case["severity"], case["channel"], case["detail"]) == (
        "OVERSELL",
        "CRITICAL",
        "shop",
        "détail",
    )
    found = await company.admin.data(
        "query($id: ID!) { node(id: $id) { ... on ExceptionCase { title } } }", id=case["id"]
    )
    assert found["node"] == {"title": "OVERSELL of order:1"}
    rotated = await set_rule(company, rotateSecret=True)
    await open_case(company, CaseKind.OVERSELL, "order:2")
    await run(company)
    headers, body = hook.received[-1]
    assert check_signature(headers, body, rotated["secret"])
    assert check_signature(headers, body, made["secret"])


async def test_only_what_matches_and_each_case_once(company: ChannelCompany, hook: Webhook) -> None:
    shop = (await company.channel("shop")).id
    await set_rule(company, "all", webhook={"url": URL})
    await set_rule(company, "drift", webhook={"url": URL}, kinds=["DRIFT"], severities=["HIGH"], channels=["shop"])
    await set_rule(company, "off", webhook={"url": URL}, enabled=False)
    await open_case(company, CaseKind.DRIFT, "listing:1", severity=Severity.HIGH, channel_id=shop)
    await open_case(company, CaseKind.DRIFT, "listing:2", severity=Severity.LOW, channel_id=shop)
    await open_case(company, CaseKind.DRIFT, "listing:3", severity=Severity.HIGH)
    assert await run(company) == 2
    assert sorted(map(len, hook.cases())) == [1, 3]
    assert await run(company) == 0
    await open_case(company, CaseKind.DRIFT, "listing:1", severity=Severity.HIGH, channel_id=shop)
    assert await run(company) == 0
    assert {one["rule"]: one["state"] for one in await deliveries(company)} == {"all": "SENT", "drift": "SENT"}
    gone = await company.admin.mutate("alertRuleDelete", "name", name="all")
    assert gone["name"] == "all"
    assert [one["rule"] for one in await deliveries(company)] == ["drift"]


async def test_repeats_are_quiet_and_acknowledged_cases_silent(company: ChannelCompany, hook: Webhook) -> None:
    await set_rule(company, webhook={"url": URL}, repeatSeconds=600)
    await open_case(company, CaseKind.OVERSELL, "order:1")
    await run(company)
    await age(company, 400)
    await open_case(company, CaseKind.OVERSELL, "order:2")
    await run(company)
    assert hook.cases() == [[("OVERSELL", "OPEN")]] * 2
    await age(company, 190)
    assert await run(company) == 0
    await age(company, 120)
    assert await run(company) == 1
    assert len(hook.cases()[-1]) == 2, "what would soon be due comes along"
    cases = await company.admin.data("{ exceptionCases { nodes { id } } }")
    for case in cases["exceptionCases"]["nodes"]:
        await company.admin.mutate("exceptionAcknowledge", "", id=case["id"])
    await age(company, 10_000)
    assert await run(company) == 0
    await resolve(company, "order:1")
    assert await run(company) == 1
    assert hook.cases()[-1] == [("OVERSELL", "RESOLVED")]
    await age(company, 10_000)
    assert await run(company) == 0


async def test_a_window_gathers_and_tells_how_it_ended(company: ChannelCompany, hook: Webhook) -> None:
    await set_rule(company, webhook={"url": URL}, groupSeconds=60)
    for number in range(3):
        await open_case(company, CaseKind.OVERSELL, f"order:{number}", severity=Severity.HIGH)
        assert await run(company) == 0
    await resolve(company, "order:1")
    assert await run(company) == 0
    await age(company, 61)
    assert await run(company) == 1
    assert hook.cases() == [[("OVERSELL", "OPEN"), ("OVERSELL", "OPEN"), ("OVERSELL", "RESOLVED")]]
    await age(company, 61)
    assert await run(company) == 0


async def test_what_is_critical_closes_the_window_and_what_becomes_so_too(
    company: ChannelCompany, hook: Webhook
) -> None:
    await set_rule(company, webhook={"url": URL}, groupSeconds=3_600)
    await open_case(company, CaseKind.DRIFT, "listing:1", severity=Severity.HIGH)
    assert await run(company) == 0
    await open_case(company, CaseKind.DRIFT, "listing:2", severity=Severity.CRITICAL)
    assert await run(company) == 0
    await age(company, 3)
    assert await run(company) == 1
    assert hook.cases() == [[("DRIFT", "OPEN"), ("DRIFT", "OPEN")]]
    await set_rule(company, webhook={"url": URL}, severities=["CRITICAL"], kinds=["CHANNEL_DOWN"])
    await open_case(company, CaseKind.CHANNEL_DOWN, "channel:1", severity=Severity.LOW)
    assert await run(company) == 0
    await open_case(company, CaseKind.CHANNEL_DOWN, "channel:1", severity=Severity.CRITICAL)
    assert await run(company) == 0
    await age(company, 3)
    assert await run(company) == 1
    assert hook.cases()[-1] == [("CHANNEL_DOWN", "OPEN")]


async def test_what_cannot_be_delivered_is_tried_again_and_stays_visible(
    company: ChannelCompany, hook: Webhook
) -> None:
    await set_rule(company, webhook={"url": URL})
    await open_case(company, CaseKind.OVERSELL, "order:1")
    hook.status = 302
    await run(company)
    hook.status = 503
    for attempt in range(2, ATTEMPTS_MAX + 1):
        (delivery,) = await deliveries(company)
        assert (delivery["state"], delivery["attempts"]) == ("PENDING", attempt - 1)
        assert delivery["nextAttemptAt"] is not None
        assert await run(company) == 0
        await company.execute("UPDATE alert_deliveries SET due_at = now()")
        assert await run(company) == 1
    (delivery,) = await deliveries(company, states=["FAILED"], rule="ops")
    assert delivery["error"] == "The webhook answered 503."
    assert "secret words" not in str(delivery)
    ids = {headers["webhook-id"] for headers, _ in hook.received}
    assert (len(hook.received), len(ids)) == (ATTEMPTS_MAX, 1)
    hook.status = 410
    await open_case(company, CaseKind.OVERSELL, "order:2")
    await run(company)
    assert [one["attempts"] for one in await deliveries(company, states=["FAILED"])] == [1, ATTEMPTS_MAX]
    assert (await deliveries(company, states=["SENT", "PENDING"])) == []


async def test_a_worker_that_died_while_sending_sends_again_under_the_same_id(
    company: ChannelCompany, hook: Webhook
) -> None:
    await set_rule(company, webhook={"url": URL})
    await open_case(company, CaseKind.OVERSELL, "order:1")
    await run(company)
    await company.execute("UPDATE alert_deliveries SET state = 'PENDING', sent_at = NULL, due_at = now()")
    assert await run(company) == 1
    assert len({headers["webhook-id"] for headers, _ in hook.received}) == 1


async def test_mail_and_chat_through_apprise(company: ChannelCompany) -> None:
    async with (
        mail_server() as (mail_port, mails),
        web_server(200) as (port, bodies),
        web_server(500) as (broken, tried),
    ):
        mail = f"mailto://127.0.0.1:{mail_port}/?from=onhand@example.com&to=ops@example.com&mode=insecure"
        made = await set_rule(company, "mail", apprise={"url": mail})
        assert (made["secret"], made["rule"]["destination"], made["rule"]["target"]) == (None, "mailto://…", "APPRISE")
        await set_rule(company, "chat", apprise={"url": f"json://127.0.0.1:{port}/T0K3N"})
        await set_rule(company, "broken", apprise={"url": f"json://127.0.0.1:{broken}/"})
        await open_case(company, CaseKind.OVERSELL, "order:1")
        await open_case(company, CaseKind.DRIFT, "listing:1", severity=Severity.LOW)
        assert await run(company) == 3
    assert len(mails) == len(tried) == 1
    assert "ops@example.com" in mails[0]
    message = orjson.loads(bodies[0])
    assert message["title"] == "[CRITICAL] OVERSELL of order:1 (and 1 more)"
    assert message["message"].splitlines()[1].startswith("LOW DRIFT DRIFT of listing:1: détail (since ")
    assert message["type"] == "failure"
    found = {one["rule"]: (one["state"], one["error"]) for one in await deliveries(company)}
    assert found == {
        "mail": ("SENT", None),
        "chat": ("SENT", None),
        "broken": ("PENDING", "The service did not take it."),
    }


async def test_a_critical_failure_of_a_channel_is_told_within_ten_seconds(
    company: ChannelCompany, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the worker's own loops: from the first call that failed to the message."""
    await company.settle("shop", "market")
    await set_rule(company, webhook={"url": URL}, severities=["CRITICAL"])
    failed_at: list[float] = []

    async def fail(*_: Any) -> Any:
        failed_at.append(time.monotonic())
        raise Fault("no answer", transient=True, cause=CauseClass.OUTAGE)

    async def fail_write(_: Sequence[QuantityWrite]) -> None:
        await fail()

    monkeypatch.setattr(MemoryChannel, "observe", fail)
    company.shops["shop"].before = fail_write
    tasks = start_loops(company.state)
    try:
        lines = [{"sku": "SKU-0", "delta": 1}]
        await company.admin.mutate("stockAdjust", "", warehouse="BER", reason="COUNT", lines=lines)
        await company.wait_until("SELECT EXISTS (SELECT FROM alert_deliveries WHERE state = 'SENT')", 20)
    finally:
        await end_tasks(*tasks)
    assert time.monotonic() - failed_at[0] < 10
    assert ("CHANNEL_DOWN", "OPEN") in hook.cases()[0]


async def test_what_no_rule_can_be(company: ChannelCompany) -> None:
    hook = {"url": URL}
    for fields, code, path in (
        ({"name": " ", "webhook": hook}, "INVALID_INPUT", ["name"]),
        ({}, "INVALID_INPUT", ["webhook"]),
        ({"webhook": hook, "apprise": {"url": "json://x"}}, "INVALID_INPUT", ["apprise"]),
        ({"webhook": {"url": "ftp://x"}}, "INVALID_INPUT", ["webhook", "url"]),
        ({"webhook": {"url": "http://u:p@x"}}, "INVALID_INPUT", ["webhook", "url"]),
        ({"webhook": {"url": URL, "secret": "short"}}, "INVALID_INPUT", ["webhook", "secret"]),
        ({"apprise": {"url": "syslog://"}}, "INVALID_INPUT", ["apprise", "url"]),
        ({"webhook": hook, "groupSeconds": 3_601}, "INVALID_INPUT", ["groupSeconds"]),
        ({"webhook": hook, "repeatSeconds": 59}, "INVALID_INPUT", ["repeatSeconds"]),
        ({"webhook": hook, "kinds": []}, "INVALID_INPUT", ["kinds"]),
        ({"webhook": hook, "channels": []}, "INVALID_INPUT", ["channels"]),
        ({"webhook": hook, "channels": ["none"]}, "CHANNEL_NOT_FOUND", ["channels", "0"]),
    ):
        made = await company.admin.mutate("alertRuleSet", RULE, **{"name": "x", **fields})
        assert [(error["code"], error["path"]) for error in made["userErrors"]] == [(code, path)], fields
    assert (await company.admin.data("{ alertRules { name } }"))["alertRules"] == []
    gone = await company.admin.mutate("alertRuleDelete", "name", name="none")
    assert gone["userErrors"][0]["code"] == "ALERT_RULE_NOT_FOUND"


async def test_a_rule_changes_only_in_what_is_given(company: ChannelCompany, hook: Webhook) -> None:
    first = await set_rule(company, webhook={"url": URL}, kinds=["DRIFT"], groupSeconds=5)
    second = await set_rule(company, severities=["LOW"], enabled=False)
    assert second["secret"] is None
    assert second["rule"] == {**first["rule"], "severities": ["LOW"], "enabled": False}
    moved = await set_rule(company, webhook={"url": "https://other.example/x"}, enabled=True)
    assert (moved["secret"], moved["rule"]["destination"]) == (None, "https://other.example/…")
    mail = await set_rule(company, apprise={"url": "mailto://u:p@example.com"})
    assert (mail["rule"]["target"], mail["rule"]["id"]) == ("APPRISE", first["rule"]["id"])
    own = make_secret()
    kept = await set_rule(company, webhook={"url": URL, "secret": own}, kinds=None, severities=None, groupSeconds=0)
    assert kept["secret"] is None
    await open_case(company, CaseKind.OVERSELL, "order:1")
    await run(company)
    assert check_signature(*hook.received[0], own)


async def test_limited_tokens_keep_the_rules_of_their_channels(company: ChannelCompany) -> None:
    shop = (await company.channel("shop")).id
    houses = [row[0] for row in await company.state.database.hot.fetch("SELECT id FROM warehouses")]
    limited = await company.client(Role.OPERATIONS, channel_ids=[shop])
    in_houses = await company.client(Role.OPERATIONS, warehouse_ids=houses)
    await set_rule(company, "all", webhook={"url": URL})
    await set_rule(company, "market", webhook={"url": URL}, channels=["market"])
    mine = await limited.mutate("alertRuleSet", RULE, name="mine", webhook={"url": URL}, channels=["shop"])
    assert mine["rule"]["channels"] == ["shop"]
    assert (await limited.data("{ alertRules { name } }"))["alertRules"] == [{"name": "mine"}]
    assert (await in_houses.data("{ alertRules { name } }"))["alertRules"] == []
    for client, name, fields, code in (
        (limited, "alertRuleSet", {"name": "new", "webhook": {"url": URL}}, "NOT_ALLOWED"),
        (
            limited,
            "alertRuleSet",
            {"name": "new", "webhook": {"url": URL}, "channels": ["market"]},
            "CHANNEL_NOT_FOUND",
        ),
        (limited, "alertRuleSet", {"name": "all", "enabled": False}, "ALERT_RULE_NOT_FOUND"),
        (limited, "alertRuleDelete", {"name": "market"}, "ALERT_RULE_NOT_FOUND"),
        (limited, "alertRuleSet", {"name": "mine", "channels": None}, "NOT_ALLOWED"),
        (in_houses, "alertRuleSet", {"name": "new", "webhook": {"url": URL}, "channels": ["shop"]}, "NOT_ALLOWED"),
    ):
        made = await client.mutate(name, "", **fields)
        assert [error["code"] for error in made["userErrors"]] == [code], fields
    await open_case(company, CaseKind.OVERSELL, "order:1")
    await plan_alerts(company.state)
    assert len(await deliveries(company)) == 1
    assert (await limited.data(DELIVERIES))["alertDeliveries"] == {"totalCount": 0, "nodes": []}
