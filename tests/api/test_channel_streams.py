"""Listings, failed calls and exception cases as streams: snapshot, changes, resuming, and what a token may see."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api import member as member_module
from api.channels.subscriptions import FailureSource
from api.member import Member
from api.streams import Group
from app.channels.health import FAILURES_OPEN
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.open_channel import OpenChannel
from app.channels.tell_drifts import tell_drifts
from app.channels.watch_channels import ChannelWatch
from app.exceptions.open_cases import open_cases
from app.feed import hub as hub_module
from app.settings import Settings
from app.tasks import end_tasks
from domain.cursor import Cursor
from domain.errors import CauseClass, Fault
from domain.exceptions import CaseKind, Problem, Severity
from domain.identity import Role
from tests.api.test_streams import Listed
from tests.channel_company import ChannelCompany, open_channel_company
from tests.company import Client
from tests.sockets import open_socket
from tests.within import until

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


async def test_a_circuit_that_opens_and_closes_is_told_of_what_waits_behind_it(company: ChannelCompany) -> None:
    await company.settle("shop")
    chosen = {"channel": "shop"}
    async with streaming(company, company.admin, LISTINGS, filter=chosen) as stream:
        assert len(await stream.until("READY")) == 4
        lines = [{"sku": "SKU-2", "delta": -1}]
        await company.admin.mutate("stockAdjust", "", warehouse="BER", reason="COUNT", lines=lines)
        await company.relay()
        assert (await stream.read())["listing"]["state"] == "PENDING"
        fault = Fault("It does not answer.", transient=True, cause=CauseClass.OUTAGE)
        channel = await company.channel("shop")
        for _ in range(FAILURES_OPEN + 2):
            await note_attempt(company.state, attempt_of(channel, "BULK"), fault)
        blocked = (await stream.read())["listing"]
        assert (blocked["sku"]["code"], blocked["state"]) == ("SKU-2", "BLOCKED")
        await company.execute("UPDATE channel_circuits SET open_until = now() - interval '1 second'")
        query = 'query { listings(first: 5, filter: {channel: "shop", states: [BLOCKED]}) { nodes { externalId } } }'
        waiting = await company.admin.data(query)
        assert waiting["listings"]["nodes"] == [{"externalId": "item-2"}], "it has not worked again yet"
        await note_attempt(company.state, attempt_of(channel, "BULK"))
        assert (await stream.read())["listing"]["state"] == "PENDING", "once, however often it failed"


def attempt_of(channel: OpenChannel, lane: str = "OBSERVE") -> Attempt:
    return Attempt(channel, lane, datetime.datetime.now(datetime.UTC), 0.0, 1, 1, 0)


async def test_a_drift_that_lasts_is_told_when_it_counts(company: ChannelCompany) -> None:
    await company.settle("shop")
    company.shops["shop"].quantities["item-2", ""] = 3
    await company.execute("UPDATE listings SET acknowledged_at = acknowledged_at - interval '1 second'")
    async with streaming(company, company.admin, LISTINGS, filter={"channel": "shop"}) as stream:
        assert len(await stream.until("READY")) == 4
        await company.observe("shop")
        seen = [(await stream.read())["listing"] for _ in range(3)]
        assert {one["state"] for one in seen} == {"IN_SYNC"}
        assert await tell_drifts(company.state) == 0
        await company.execute("UPDATE listings SET drift_since = drift_since - interval '11 seconds'")
        assert (await stream.read())["listing"]["state"] == "DRIFTED", "of the change by hand"
        assert await tell_drifts(company.state) == 1
        drifted = (await stream.read())["listing"]
        assert (drifted["externalId"], drifted["state"]) == ("item-2", "DRIFTED")
        assert await tell_drifts(company.state) == 0, "each once"


async def test_who_reads_failures_slowly_gets_the_latest_of_each_channel_and_lane(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (hub_module, member_module):
        monkeypatch.setattr(module, "PAGE_MAX", 12)
    source, shops = FailureSource(company.state), [await company.channel(code) for code in ("shop", "market")]
    await company.state.hub.settle()
    watch = ChannelWatch(None)
    group = Group(source, watch, encode_failure, "syncFailures", company.state.hub)
    slow, quick = Listed(), Listed()
    members = [Member(group, outlet, str(Cursor(company.state.hub.position))) for outlet in (slow, quick)]
    group.members.update(members)
    tasks = [asyncio.create_task(member.run()) for member in members]
    try:
        await until(lambda: all(member.live for member in members))
        slow.room.clear()
        for number in range(20):
            for shop, lane in ((shops[0], "BULK"), (shops[1], "BULK"), (shops[0], "ORDERS")):
                fault = Fault(f"{number}", transient=False, cause=CauseClass.VALIDATION)
                await note_attempt(company.state, attempt_of(shop, lane), fault)
                await asyncio.sleep(0)
        await until(lambda: len(quick.got) == 61)
        slow.room.set()
        await until(lambda: members[0].live)
        assert len(slow.got) < 40
        for name in ("shop BULK", "market BULK", "shop ORDERS"):
            assert [told for told in slow.got if told.startswith(name)][-1] == f"{name} 19"
    finally:
        await end_tasks(*tasks)
        group.close()


def encode_failure(value: Any) -> bytes:
    told = value.attempt
    return b"ready" if told is None else f"{told.channel} {told.lane} {told.error}".encode()
