"""Exception cases: seen, taken, retried, resolved by proof or by hand, each step in the timeline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from adapters.channels.base import QuantityWrite, Throttled
from adapters.channels.memory import MemoryChannel
from adapters.channels.news import ChannelNews
from app.channels.process_events import ATTEMPTS_MAX, process_events
from app.exceptions.open_cases import open_cases
from app.settings import Settings
from domain.errors import CauseClass, Fault
from domain.exceptions import CaseKind, Problem, Severity
from domain.identity import Role
from tests.channel_company import ChannelCompany, open_channel_company

CASES = """query($filter: ExceptionCaseFilter, $first: Int! = 50, $after: String) {
  exceptionCases(filter: $filter, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { id kind severity state cause subject subjectId title detail channel sku owner dueAt count openedAt
      resolvedAt resolution proof timeline { at actor action note data } }
  }
}"""
CASE = "exception { id state owner resolution proof timeline { actor action note } }"


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as opened:
        yield opened


async def cases(company: ChannelCompany, **chosen: Any) -> list[Any]:
    return (await company.admin.data(CASES, filter=chosen))["exceptionCases"]["nodes"]


async def open_case(company: ChannelCompany, kind: CaseKind = CaseKind.OVERSELL, **fields: Any) -> str:
    given = {"subject": "order:1", "title": "Order 1 cannot be filled", **fields}
    problem = Problem(kind, Severity.CRITICAL, CauseClass.UNKNOWN, **given)
    async with company.state.database.hot.acquire() as connection, connection.transaction():
        await open_cases(connection, [problem])
    return (await cases(company, kinds=[kind.value]))[0]["id"]


async def act(company: ChannelCompany, name: str, case_id: str, /, **fields: Any) -> Any:
    made = await company.admin.mutate(name, CASE, id=case_id, **fields)
    if made["exception"] is None:
        return made["userErrors"][0]["code"]
    return made["exception"]


async def test_a_refused_listing_becomes_a_case_and_its_retry_ends_it_with_a_proof(company: ChannelCompany) -> None:
    shop = company.shops["shop"]
    shop.refused = {"item-1": CauseClass.VALIDATION}
    await company.settle("shop")
    (case,) = await cases(company)
    assert (case["kind"], case["state"], case["cause"], case["channel"], case["sku"], case["owner"]) == (
        "SYNC_REJECTED",
        "OPEN",
        "VALIDATION",
        "shop",
        "SKU-1",
        "ECOMMERCE",
    )
    found = await company.admin.data(
        "query($id: ID!) { node(id: $id) { ... on Listing { state } } }", id=case["subjectId"]
    )
    assert found["node"] == {"state": "REJECTED"}
    seen = await act(company, "exceptionAcknowledge", case["id"], note="looking")
    assert seen["state"] == "ACKNOWLEDGED"
    taken = await act(company, "exceptionAssign", case["id"], owner="ada")
    assert (taken["owner"], taken["state"]) == ("ada", "ACKNOWLEDGED")
    assert await act(company, "exceptionResolve", case["id"], note="gone") == "NOT_ALLOWED"
    shop.refused, shop.quantities["item-1", ""] = {}, 4
    assert (await act(company, "exceptionRetry", case["id"]))["state"] == "ACKNOWLEDGED"
    await company.settle("shop")
    assert shop.quantities["item-1", ""] == 20
    await company.observe("shop")
    (case,) = await cases(company)
    assert (case["state"], case["resolution"]) == ("RESOLVED", "AUTO")
    assert (case["proof"]["observed"], case["proof"]["desired"]) == (20, 20)
    assert [(event["actor"], event["action"], event["note"]) for event in case["timeline"]] == [
        ("system", "OPENED", "refused"),
        ("test", "ACKNOWLEDGED", "looking"),
        ("test", "ASSIGNED", None),
        ("test", "RETRIED", None),
        ("system", "RESOLVED", None),
    ]
    assert set(case["timeline"][1]["data"]) == {"by", "requestId"}
    assert await act(company, "exceptionAcknowledge", case["id"]) == "WRONG_STATE"
    assert await act(company, "exceptionRetry", case["id"]) == "WRONG_STATE"


async def test_a_channel_that_is_down_is_tried_at_once_when_asked_to(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    await company.settle("shop")

    async def fail(*_: Any) -> Any:
        raise Fault("no answer", transient=True, cause=CauseClass.OUTAGE)

    shop = company.shops["shop"]
    shop.before = fail
    observe = MemoryChannel.observe
    monkeypatch.setattr(MemoryChannel, "observe", fail)
    lines = [{"sku": "SKU-0", "delta": 1}]
    await company.admin.mutate("stockAdjust", "", warehouse="BER", reason="COUNT", lines=lines)
    await company.relay()
    for _ in range(5):
        await company.execute("UPDATE listings SET next_attempt_at = NULL")
        await company.push("shop")
    (case,) = await cases(company, kinds=["CHANNEL_DOWN"])
    assert (case["severity"], case["cause"], case["owner"]) == ("CRITICAL", "OUTAGE", "ENGINEER")
    await company.execute("UPDATE listings SET next_attempt_at = NULL")
    assert await company.push("shop") == 0
    await act(company, "exceptionRetry", case["id"])
    assert await company.push("shop") == 1
    assert [one["state"] for one in await cases(company, kinds=["CHANNEL_DOWN"])] == ["OPEN"]

    async def work(_: Sequence[QuantityWrite]) -> None: ...

    shop.before = work
    monkeypatch.setattr(MemoryChannel, "observe", observe)
    await act(company, "exceptionRetry", case["id"])
    await company.settle("shop")
    (case,) = await cases(company, kinds=["CHANNEL_DOWN"])
    assert (case["state"], case["resolution"]) == ("RESOLVED", "AUTO")
    assert case["proof"]["lane"] in ("BULK", "OBSERVE")
    assert [event["action"] for event in case["timeline"]].count("RETRIED") == 2


async def test_an_event_that_failed_is_processed_again_from_its_raw_body(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True

    def read(_self: Any, topic: str, body: bytes) -> Sequence[ChannelNews]:
        if broken:
            raise Fault(f"{topic} cannot be read: {len(body)} bytes", transient=False)
        return ()

    monkeypatch.setattr("adapters.channels.memory.MemoryChannel.read_event", read)
    headers = {"id": "e-1", "topic": "orders/create"}
    assert (await company.http.post("/webhooks/shopify/shop", content=b"raw", headers=headers)).status_code == 200
    await process_events(company.state)
    (case,) = await cases(company)
    assert (case["kind"], case["detail"], case["channel"]) == (
        "EVENT_FAILED",
        "orders/create cannot be read: 3 bytes",
        "shop",
    )
    query = """query($filter: InboundEventFilter) { inboundEvents(filter: $filter) {
      totalCount nodes { id channel topic externalId attempts error processedAt } } }"""
    (event,) = (await company.admin.data(query, filter={"failed": True}))["inboundEvents"]["nodes"]
    assert event["id"] == case["subjectId"]
    assert event["processedAt"] is not None
    again = await company.admin.mutate("eventReprocess", "event { id processedAt attempts }", id=event["id"])
    assert again["event"] == {"id": event["id"], "processedAt": None, "attempts": 0}
    await process_events(company.state)
    (case,) = await cases(company)
    assert (case["state"], case["count"]) == ("OPEN", 2)
    broken = False
    await act(company, "exceptionRetry", case["id"])
    await process_events(company.state)
    (case,) = await cases(company)
    assert (case["state"], case["resolution"]) == ("RESOLVED", "AUTO")
    assert case["proof"]["attempts"] == 1
    assert (await company.admin.data(query, filter={"failed": True}))["inboundEvents"]["totalCount"] == 0
    unknown = await company.admin.mutate("eventReprocess", "event { id }", id=event["id"][:-2] + "OQ")
    assert [error["code"] for error in unknown["userErrors"]] in (["EVENT_NOT_FOUND"], ["INVALID_INPUT"])


async def test_what_fails_unexpectedly_keeps_nobodys_name(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row stays when who the order was for is erased."""

    def read(_self: Any, topic: str, body: bytes) -> Sequence[ChannelNews]:
        raise RuntimeError(f"no place for {body.decode()}")

    monkeypatch.setattr("adapters.channels.memory.MemoryChannel.read_event", read)
    headers = {"id": "e-1", "topic": "orders/create"}
    assert (await company.http.post("/webhooks/shopify/shop", content=b"Ada Byron", headers=headers)).is_success
    await process_events(company.state)
    error = await company.value("SELECT error FROM inbound_events")
    assert ("RuntimeError" in error, "Ada" in error) == (True, False)


async def test_many_events_are_processed_again_in_bounded_parts(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.channels.reprocess_event.MANY_MAX", 2)
    for number, (topic, body) in enumerate((("orders/create", b"a"), ("orders/edited", b"b"), ("orders/create", b"c"))):
        headers = {"id": f"e-{number}", "topic": topic}
        assert (await company.http.post("/webhooks/shopify/shop", content=body, headers=headers)).is_success
        assert (await company.http.post("/webhooks/shopify/market", content=body, headers=headers)).is_success
    await company.execute("UPDATE inbound_events SET processed_at = now(), error = 'broken', attempts = 40")
    waiting = "SELECT array_agg(external_id ORDER BY id) FROM inbound_events WHERE processed_at IS NULL"

    async def again(**fields: Any) -> tuple[int, int]:
        made = await company.admin.mutate("eventsReprocess", "events left", channel="shop", **fields)
        assert made["userErrors"] == []
        return made["events"], made["left"]

    assert await again(topics=["orders/paid"]) == (0, 0)
    assert await again(to="2020-01-01T00:00:00Z") == (0, 0)
    assert await again(topics=["orders/edited"], **{"from": "2020-01-01T00:00:00Z"}) == (1, 0)
    assert await company.value(waiting) == ["e-1"]
    await company.execute("UPDATE inbound_events SET processed_at = now()")
    assert await again(idempotencyKey="k") == (2, 1)
    assert await again(idempotencyKey="k") == (2, 1), "the same answer, nothing more"
    assert await company.value(waiting) == ["e-0", "e-1"]
    assert await again() == (1, 0)
    await company.execute("UPDATE inbound_events SET processed_at = now(), error = NULL")
    assert await again() == (0, 0)
    assert await again(failed=False) == (2, 1)
    await company.execute("UPDATE inbound_events SET processed_at = now(), body = ''")
    assert await again(failed=False) == (0, 0), "nothing is left of them"
    unknown = await company.admin.mutate("eventsReprocess", "events", channel="none")
    assert [error["code"] for error in unknown["userErrors"]] == ["CHANNEL_NOT_FOUND"]


async def test_what_only_people_can_settle_is_resolved_with_a_word_on_how(company: ChannelCompany) -> None:
    case_id = await open_case(company)
    assert await act(company, "exceptionRetry", case_id) == "NOT_ALLOWED"
    assert await act(company, "exceptionResolve", case_id, note=" ") == "INVALID_INPUT"
    first = await act(company, "exceptionResolve", case_id, note="refunded", idempotencyKey="k")
    assert (first["state"], first["resolution"], first["proof"]["note"]) == ("RESOLVED", "MANUAL", "refunded")
    assert await act(company, "exceptionResolve", case_id, note="refunded", idempotencyKey="k") == first
    assert await act(company, "exceptionResolve", case_id, note="refunded") == "WRONG_STATE"
    assert await act(company, "exceptionAssign", case_id, owner="bob") == "WRONG_STATE"
    assert [(event["actor"], event["action"]) for event in first["timeline"]] == [
        ("system", "OPENED"),
        ("test", "RESOLVED"),
    ]


async def test_filters_and_pages(company: ChannelCompany) -> None:
    await open_case(company, CaseKind.OVERSELL, channel_id=(await company.channel("shop")).id)
    await open_case(company, CaseKind.ORDER_PROBLEM, subject="order:2")
    await open_case(company, CaseKind.DRIFT, subject="listing:1")
    for chosen, kinds in (
        ({}, ["DRIFT", "ORDER_PROBLEM", "OVERSELL"]),
        ({"kinds": ["DRIFT", "OVERSELL"]}, ["DRIFT", "OVERSELL"]),
        ({"states": ["RESOLVED"]}, []),
        ({"severities": ["LOW"]}, []),
        ({"owner": "ECOMMERCE"}, ["DRIFT"]),
        ({"channel": "shop"}, ["OVERSELL"]),
        ({"sku": "SKU-0"}, []),
        ({"overdue": True}, []),
    ):
        assert [case["kind"] for case in await cases(company, **chosen)] == kinds, chosen
    await company.execute("UPDATE exception_cases SET due_at = now() - interval '1 minute' WHERE kind = 'DRIFT'")
    assert [case["kind"] for case in await cases(company, overdue=True)] == ["DRIFT"]
    first = (await company.admin.data(CASES, first=2))["exceptionCases"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
    rest = (await company.admin.data(CASES, first=2, after=first["pageInfo"]["endCursor"]))["exceptionCases"]
    assert [case["kind"] for case in rest["nodes"]] == ["OVERSELL"]
    assert not rest["pageInfo"]["hasNextPage"]


async def test_limited_tokens_see_and_touch_only_what_is_theirs(company: ChannelCompany) -> None:
    shop, market = (await company.channel("shop")).id, (await company.channel("market")).id
    houses = {row[0]: row[1] for row in await company.state.database.hot.fetch("SELECT code, id FROM warehouses")}
    await open_case(company, CaseKind.OVERSELL, channel_id=shop)
    hidden = await open_case(company, CaseKind.DRIFT, channel_id=market, subject="listing:1")
    await open_case(company, CaseKind.ORDER_PROBLEM, warehouse_id=houses["NYC"], subject="x:1")
    await open_case(company, CaseKind.EVENT_FAILED, subject="event:1")
    query = "{ exceptionCases { totalCount nodes { kind } } }"
    for limits, kinds in (
        ({"channel_ids": [shop]}, ["OVERSELL"]),
        ({"warehouse_ids": [houses["NYC"]]}, ["ORDER_PROBLEM", "DRIFT"]),
        ({"warehouse_ids": [houses["BER"]]}, []),
        ({"channel_ids": []}, []),
        ({}, ["EVENT_FAILED", "ORDER_PROBLEM", "DRIFT", "OVERSELL"]),
    ):
        client = await company.client(Role.SUPPORT, **limits)
        found = (await client.data(query))["exceptionCases"]
        assert [case["kind"] for case in found["nodes"]] == kinds, limits
        assert found["totalCount"] == len(kinds)
    limited = await company.client(Role.SUPPORT, channel_ids=[shop])
    for name, fields in (
        ("exceptionAcknowledge", {}),
        ("exceptionAssign", {"owner": "x"}),
        ("exceptionRetry", {}),
        ("exceptionResolve", {"note": "x"}),
    ):
        made = await limited.mutate(name, "", id=hidden, **fields)
        assert [error["code"] for error in made["userErrors"]] == ["EXCEPTION_NOT_FOUND"]
    node = await limited.data("query($id: ID!) { node(id: $id) { id } }", id=hidden)
    assert node["node"] is None


@pytest.mark.parametrize(
    ("fault", "tries", "attempts"),
    [
        (Throttled("The budget is used up.", 0.0), ATTEMPTS_MAX + 1, 0),
        (Fault("The token was refused.", transient=False, cause=CauseClass.AUTH), ATTEMPTS_MAX + 1, 0),
    ],
)
async def test_an_event_that_waits_for_quota_or_a_token_has_not_failed(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch, fault: Fault, tries: int, attempts: int
) -> None:
    def read(_self: Any, topic: str, body: bytes) -> Sequence[ChannelNews]:
        raise fault

    monkeypatch.setattr("adapters.channels.memory.MemoryChannel.read_event", read)
    headers = {"id": "e-1", "topic": "orders/create"}
    assert (await company.http.post("/webhooks/shopify/shop", content=b"raw", headers=headers)).status_code == 200
    for _ in range(tries):
        await company.execute("UPDATE inbound_events SET next_attempt_at = NULL")
        assert await process_events(company.state) == 1
    (event,) = await company.state.database.hot.fetch("SELECT attempts, processed_at, error FROM inbound_events")
    assert tuple(event) == (attempts, None, str(fault))
    assert await cases(company) == []
