"""Listings, failed calls and exception cases as streams: snapshot, changes, resuming, and what a token may see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.exceptions.open_cases import open_cases
from app.settings import Settings
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from domain.identity import Role
from tests.channel_company import ChannelCompany, open_channel_company
from tests.company import Client
from tests.sockets import open_socket

LISTINGS = """subscription($filter: ListingChangedFilter, $after: String) { listingChanged(filter: $filter, after: $after) {
  cursor kind listingId listing { externalId published acknowledged state channel { code status } sku { code frozen } } } }"""
FAILURES = """subscription($filter: SyncFailureFilter) { syncFailures(filter: $filter) {
  kind attempt { channel lane failed cause error startedAt } } }"""
CASES = """subscription($filter: ExceptionChangedFilter, $after: String) { exceptionChanged(filter: $filter, after: $after) {
  cursor kind exception { id kind state owner channel timeline { actor action } proof } } }"""


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as opened:
        yield opened


class Stream:
    """One subscription, read event by event."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def read(self) -> Any:
        message = await self._socket.read()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (value,) = message["payload"]["data"].values()
        return value

    async def until(self, kind: str) -> list[Any]:
        """What came before an event of this kind, and the event."""
        found = [await self.read()]
        while found[-1]["kind"] != kind:
            found.append(await self.read())
        return found


@asynccontextmanager
async def streaming(company: ChannelCompany, client: Client, query: str, **variables: Any) -> AsyncIterator[Stream]:
    async with open_socket(company.app, client.secret) as socket:
        await socket.send(id="1", type="subscribe", payload={"query": query, "variables": variables})
        yield Stream(socket)


async def refusal(company: ChannelCompany, client: Client, query: str, **variables: Any) -> str:
    async with open_socket(company.app, client.secret) as socket:
        message = await socket.ask(query, variables)
        assert message["type"] == "error"
        return str(message["payload"][0]["message"])


async def test_a_listing_from_change_to_acknowledgement(company: ChannelCompany) -> None:
    await company.settle("shop", "market")
    chosen = {"channel": "shop", "skus": ["SKU-0"]}
    async with streaming(company, company.admin, LISTINGS, filter=chosen) as stream:
        start = await stream.until("READY")
        assert [(one["kind"], one["listing"]["externalId"]) for one in start[:-1]] == [("SNAPSHOT", "item-0")]
        lines = [{"sku": "SKU-0", "delta": -3}]
        await company.admin.mutate("stockAdjust", "", warehouse="BER", reason="COUNT", lines=lines)
        await company.relay()
        change = await stream.read()
        listing = change["listing"]
        assert (change["kind"], listing["published"], listing["acknowledged"], listing["state"]) == (
            "CHANGE",
            17,
            20,
            "PENDING",
        )
        await company.push("shop")
        listing = (await stream.read())["listing"]
        assert (listing["published"], listing["acknowledged"], listing["state"]) == (17, 17, "IN_SYNC")
        await company.admin.mutate("skuFreeze", "", sku="SKU-0")
        listing = (await stream.read())["listing"]
        assert (listing["published"], listing["state"], listing["sku"]["frozen"]) == (0, "PENDING", True)
        await company.settle("shop")
        last = await stream.read()
        assert last["listing"]["state"] == "FROZEN"
    await company.admin.mutate("skuUnfreeze", "", sku="SKU-0")
    async with streaming(company, company.admin, LISTINGS, filter=chosen, after=last["cursor"]) as stream:
        missed = await stream.until("READY")
        assert [one["listing"]["published"] for one in missed[:-1]] == [17]
        gone = await company.admin.mutate("listingUnlink", "unlinked", channel="shop", lines=[{"sku": "SKU-0"}])
        removed = await stream.read()
        assert (removed["kind"], removed["listing"], removed["listingId"]) == ("REMOVED", None, gone["unlinked"][0])
        link = [{"sku": "SKU-0", "externalId": "item-0"}]
        await company.admin.mutate("listingLink", "", channel="shop", lines=link)
        assert (await stream.read())["listing"]["externalId"] == "item-0"


async def test_what_waits_is_blocked_while_the_channel_is_paused(company: ChannelCompany) -> None:
    await company.settle("shop")
    async with streaming(company, company.admin, LISTINGS, filter={"channel": "shop"}) as stream:
        assert len(await stream.until("READY")) == 4
        lines = [{"sku": "SKU-2", "delta": -1}]
        await company.admin.mutate("stockAdjust", "", warehouse="BER", reason="COUNT", lines=lines)
        await company.relay()
        assert (await stream.read())["listing"]["state"] == "PENDING"
        await company.admin.mutate("channelPause", "", channel="shop")
        blocked = (await stream.read())["listing"]
        assert (blocked["state"], blocked["channel"]["status"], blocked["sku"]["code"]) == (
            "BLOCKED",
            "PAUSED",
            "SKU-2",
        )
        await company.admin.mutate("channelResume", "", channel="shop")
        assert (await stream.read())["listing"]["state"] == "PENDING"


async def test_leases_and_looks_that_change_nothing_tell_nothing(company: ChannelCompany) -> None:
    await company.settle("shop", "market")
    await company.observe("shop")
    rows = "SELECT count(*) FROM feed WHERE topic = 'listing'"
    before = await company.value(rows)
    await company.observe("shop")
    await company.execute("UPDATE listings SET lease_owner = 'x', lease_until = now(), attempts = 3, velocity = 1")
    assert await company.value(rows) == before


async def test_failed_calls_as_they_happen(company: ChannelCompany) -> None:
    company.shops["market"].refused = {"item-0": CauseClass.POLICY}
    await company.settle("market")
    async with streaming(company, company.admin, FAILURES, filter={"lanes": ["BULK", "ZERO"]}) as stream:
        start = await stream.until("READY")
        assert [(one["kind"], one["attempt"]["channel"], one["attempt"]["cause"]) for one in start[:-1]] == [
            ("SNAPSHOT", "market", "POLICY")
        ]
        company.shops["shop"].refused = {"item-1": CauseClass.VALIDATION}
        await company.settle("shop")
        failure = (await stream.read())["attempt"]
        assert failure["startedAt"].endswith("Z")
        assert (failure["channel"], failure["lane"], failure["failed"], failure["cause"], failure["error"]) == (
            "shop",
            "BULK",
            1,
            "VALIDATION",
            "refused",
        )


async def make_case(company: ChannelCompany, code: str, kind: CaseKind, subject: str) -> None:
    channel_id = (await company.channel(code)).id
    problem = Problem(kind, Severity.HIGH, CauseClass.UNKNOWN, subject, "A title", channel_id=channel_id)
    async with company.state.database.hot.acquire() as connection, connection.transaction():
        await open_cases(connection, [problem])
    company.state.doorbell.ring("feed")


async def test_cases_with_their_timeline_from_opened_to_resolved(company: ChannelCompany) -> None:
    await make_case(company, "shop", CaseKind.DRIFT, "listing:1")
    await make_case(company, "shop", CaseKind.OVERSELL, "order:1")
    async with streaming(company, company.admin, CASES, filter={"kinds": ["OVERSELL"]}) as stream:
        start = await stream.until("READY")
        assert [(one["kind"], one["exception"]["kind"]) for one in start[:-1]] == [("SNAPSHOT", "OVERSELL")]
        case_id = start[0]["exception"]["id"]
        await make_case(company, "market", CaseKind.DRIFT, "listing:2")
        await make_case(company, "market", CaseKind.OVERSELL, "order:2")
        opened = (await stream.read())["exception"]
        assert (opened["channel"], opened["timeline"]) == ("market", [{"actor": "system", "action": "OPENED"}])
        await company.admin.mutate("exceptionAssign", "", id=case_id, owner="ada")
        taken = (await stream.read())["exception"]
        assert (taken["owner"], [event["action"] for event in taken["timeline"]]) == ("ada", ["OPENED", "ASSIGNED"])
        await company.admin.mutate("exceptionResolve", "", id=case_id, note="refunded")
        last = await stream.read()
        assert (last["exception"]["state"], last["exception"]["proof"]["note"]) == ("RESOLVED", "refunded")
    await make_case(company, "shop", CaseKind.OVERSELL, "order:3")
    async with streaming(company, company.admin, CASES, after=last["cursor"]) as stream:
        assert [one["kind"] for one in await stream.until("READY")] == ["CHANGE", "READY"]


async def test_limited_tokens_hear_only_of_their_channels(company: ChannelCompany) -> None:
    market = await company.client(Role.ECOMMERCE, channel_ids=[(await company.channel("market")).id])
    async with (
        streaming(company, market, LISTINGS) as listings,
        streaming(company, market, CASES) as cases,
        streaming(company, market, FAILURES) as failures,
    ):
        assert {one["listing"]["channel"]["code"] for one in (await listings.until("READY"))[:-1]} == {"market"}
        assert len(await cases.until("READY")) == len(await failures.until("READY")) == 1
        for code in ("shop", "market"):
            company.shops[code].refused = {"item-0": CauseClass.POLICY}
            await company.settle(code)
        assert (await failures.read())["attempt"]["channel"] == "market"
        assert (await cases.read())["exception"]["channel"] == "market"
        assert (await listings.read())["listing"]["channel"]["code"] == "market"
    assert "There is no channel 'shop'" in await refusal(company, market, LISTINGS, filter={"channel": "shop"})
    houses = [row[0] for row in await company.state.database.hot.fetch("SELECT id FROM warehouses")]
    partner = await company.client(Role.PARTNER, warehouse_ids=houses)
    for query in (LISTINGS, FAILURES, CASES):
        assert "limited to warehouses" in await refusal(company, partner, query)
    assert "SKU" in await refusal(company, market, LISTINGS, filter={"skus": ["none"]})
