"""The client against the sandbox, everything on the wire judged by the vendor's document."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from adapters.channels.base import Throttled
from adapters.channels.threepl.base import PartnerOrder, PartnerStatus
from adapters.channels.threepl.call_provider import ConnectSettings
from adapters.channels.threepl.provider import open_provider
from adapters.sandbox.threepl.inject_faults import FaultKind
from domain.errors import CauseClass, Fault
from tests.adapters.threepl.contract import Exchange, judge
from tests.adapters.threepl.partner import START, SandboxPartner, sandbox_partner, work

HOUR = 3_600


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxPartner]:
    async with sandbox_partner() as opened:
        yield opened


@pytest.mark.contract
async def test_a_day_keeps_to_the_vendors_document(contracts: Path) -> None:
    async with sandbox_partner(page_size=2) as sandbox:
        partner = sandbox.partner
        first = await partner.delegate(work(1, TEA_1=2, CUP_1=1))
        await partner.delegate(work(2, CUP_1=9))
        await partner.delegate(work(3, GONE_1=1))
        await partner.delegate(work(4, POT_1=1))
        await partner.request_cancel(first, "changed their mind", work(1).key)
        for seconds in (0, 61, HOUR):
            sandbox.pass_seconds(seconds)
            await sandbox.changes()
        assert await partner.read_order(first) is not None
        assert await partner.read_order("nobody") is None
        cursor = (await partner.read_stock(["TEA-1", "CUP-1"])).cursor
        assert cursor is not None
        await partner.read_stock(["TEA-1", "CUP-1"], cursor)
        assert {exchange.path for exchange in sandbox.exchanges} == {
            *("/delegate_fulfillment", "/cancel_fulfillment", "/get_recent_changes", "/get_fulfillments"),
            "/get_inventory",
        }
        assert [fault for exchange in sandbox.exchanges for fault in judge(contracts, exchange)] == []


@pytest.mark.contract
def test_the_judge_finds_what_is_wrong(contracts: Path) -> None:
    asked = b'{"transaction_id": "x", "auth": {"fulfillment_provider_api_code": "a", "colour": "red"}}'
    told = b'{"inventory": {"sku": "A", "on_hand_quantity": 3}}'
    found = judge(contracts, Exchange("/get_inventory", asked, 200, told))
    assert [fault.split(": ")[1] for fault in found] == ["$.auth", "$.inventory.on_hand_quantity"]
    assert judge(contracts, Exchange("/no_such", b"{}", 200, b"{}")) == ["/no_such is no method"]


async def test_an_order_is_taken_on_and_shipped(sandbox: SandboxPartner) -> None:
    key = await sandbox.partner.delegate(work(1, TEA_1=2, CUP_1=1))
    assert await sandbox.changes() == []
    assert await sandbox.partner.read_order(key) == PartnerOrder(key, None)
    sandbox.pass_seconds(61)
    (taken,) = await sandbox.changes()
    assert (taken.partner_order_id, taken.status, taken.shipments) == (key, PartnerStatus.PROCESSING, ())
    sandbox.pass_seconds(HOUR)
    (shipped,) = await sandbox.changes()
    (parcel,) = shipped.shipments
    assert (shipped.status, shipped.refusals) == (PartnerStatus.SHIPPED, ())
    assert [(units.line_id, units.quantity) for units in parcel.lines] == [("line-TEA-1", 2), ("line-CUP-1", 1)]
    assert (parcel.carrier, parcel.shipped_at) == ("dhl_express", sandbox.now())
    assert await sandbox.changes(sandbox.now() + datetime.timedelta(seconds=1)) == []


async def test_less_is_shipped_than_was_ordered_and_the_rest_is_told(sandbox: SandboxPartner) -> None:
    await sandbox.partner.delegate(work(1, TEA_1=2, CUP_1=5))
    sandbox.pass_seconds(2 * HOUR)
    (order,) = await sandbox.changes()
    assert [(one.line_id, one.quantity) for one in order.shipments[0].lines] == [("line-TEA-1", 2), ("line-CUP-1", 3)]
    (refusal,) = order.refusals
    assert (refusal.status, refusal.reason) == (PartnerStatus.CANCELLED, "out of stock")
    assert [(one.line_id, one.quantity) for one in refusal.lines] == [("line-CUP-1", 2)]


async def test_nothing_there_or_unknown_is_rejected(sandbox: SandboxPartner) -> None:
    await sandbox.partner.delegate(work(1, GONE_1=1))
    await sandbox.partner.delegate(work(2, POT_1=1))
    sandbox.pass_seconds(2 * HOUR)
    orders = await sandbox.changes()
    assert [(one.status, one.refusals[0].reason) for one in orders] == [
        (PartnerStatus.REJECTED, "no such SKU: GONE-1"),
        (PartnerStatus.REJECTED, "out of stock"),
    ]


async def test_the_same_order_again_is_the_same_order(sandbox: SandboxPartner) -> None:
    sandbox.break_(FaultKind.LOST_REPLY)
    with pytest.raises(Fault) as lost:
        await sandbox.partner.delegate(work(1))
    assert lost.value.transient
    key = await sandbox.partner.delegate(work(1))
    assert await sandbox.partner.delegate(work(1)) == key
    assert list(sandbox.state.orders) == [key]


async def test_a_cancellation_is_a_request(sandbox: SandboxPartner) -> None:
    key = await sandbox.partner.delegate(work(1))
    late = await sandbox.partner.delegate(work(2))
    sandbox.pass_seconds(61)
    await sandbox.partner.request_cancel(key, "changed their mind", work(1).key)
    assert await sandbox.partner.read_order(key) == PartnerOrder(key, PartnerStatus.PROCESSING)
    sandbox.break_(FaultKind.CANCEL_RACE)
    await sandbox.partner.request_cancel(late, "changed their mind", work(2).key)
    sandbox.pass_seconds(HOUR)
    statuses = {order.partner_order_id: order.status for order in await sandbox.changes()}
    assert statuses == {key: PartnerStatus.CANCELLED, late: PartnerStatus.SHIPPED}


async def test_changes_come_twice_reordered_late_and_not_at_all(sandbox: SandboxPartner) -> None:
    keys = [await sandbox.partner.delegate(work(number)) for number in (1, 2)]
    sandbox.pass_seconds(61)
    sandbox.break_(FaultKind.DUPLICATE_EVENT)
    assert [order.partner_order_id for order in await sandbox.changes()] == [*keys, keys[0]]
    sandbox.break_(FaultKind.REORDERED_EVENT)
    assert [order.partner_order_id for order in await sandbox.changes()] == keys[::-1]
    sandbox.break_(FaultKind.MISSING_EVENT)
    assert [order.partner_order_id for order in await sandbox.changes()] == keys[:1]
    sandbox.break_(FaultKind.LATE_EVENT, None, 600)
    sandbox.pass_seconds(HOUR)
    assert await sandbox.changes(START) == []
    sandbox.pass_seconds(600)
    assert len(await sandbox.changes(START)) == 2


async def test_a_snapshot_is_a_level_a_page_or_a_list(sandbox: SandboxPartner) -> None:
    await sandbox.partner.delegate(work(1, TEA_1=4))
    page = await sandbox.partner.read_stock()
    (tea,) = page.levels
    assert (tea.sku, tea.warehouse, tea.on_hand, tea.available, tea.committed) == ("TEA-1", "SBX-1", 10, 6, 4)
    assert (page.as_of, page.cursor) == (START, '{"sku":1}')
    async with sandbox_partner(listed=True) as listed:
        page = await listed.partner.read_stock()
        assert ([level.sku for level in page.levels], page.cursor) == (["TEA-1", "CUP-1", "POT-1"], None)


async def test_a_snapshot_is_as_old_as_the_settings_say(sandbox: SandboxPartner) -> None:
    settings = ConnectSettings(sandbox.url, "onhand_sandbox", {"api_key": "sandbox-key"}, snapshot_age_seconds=900)
    page = await open_provider(sandbox.http, settings, sandbox.now).read_stock()
    assert page.as_of == START - datetime.timedelta(minutes=15)


@pytest.mark.parametrize(
    ("kind", "transient", "cause"),
    [
        (FaultKind.DOWN, True, CauseClass.OUTAGE),
        (FaultKind.ERROR_500, True, CauseClass.OUTAGE),
        (FaultKind.TOKEN_EXPIRED, False, CauseClass.AUTH),
        (FaultKind.THROTTLED, True, CauseClass.QUOTA),
    ],
)
async def test_failures_are_sorted(
    sandbox: SandboxPartner, kind: FaultKind, transient: bool, cause: CauseClass
) -> None:
    sandbox.break_(kind)
    with pytest.raises(Fault) as raised:
        await sandbox.partner.delegate(work(1))
    assert (raised.value.transient, raised.value.cause) == (transient, cause)
    assert not isinstance(raised.value, Throttled) or raised.value.wait_seconds == 1.0
    assert await sandbox.partner.delegate(work(1))


async def test_no_secret_is_in_a_failure() -> None:
    settings = ConnectSettings("http://127.0.0.1:1", "code", {"api_key": "very-secret"})
    assert "very-secret" not in repr(settings)
    async with httpx.AsyncClient() as http:
        with pytest.raises(Fault) as raised:
            await open_provider(http, settings).delegate(work(1))
    assert "very-secret" not in repr(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "told",
    [
        '{"changes": {}}',
        '{"changes": [7]}',
        '{"changes": [], "next_request": 7}',
        "[]",
        "nothing",
    ],
)
async def test_a_broken_answer_is_a_fault_and_never_half_read(told: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=told))
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(Fault) as raised:
            await open_provider(http, ConnectSettings("http://partner", "code", {})).recent_changes(START)
    assert raised.value.cause is CauseClass.VALIDATION


@pytest.mark.parametrize(
    "told",
    [
        '{"status": "Shipped"}',
        '{"fulfillment_provider_order_id": "1", "status": "Sent"}',
        '{"fulfillment_provider_order_id": "1", "shipments": [{"items": []}]}',
        '{"fulfillment_provider_order_id": "1", "shipments": [{"notification_id": "n", "items": [{"quantity": 1}]}]}',
        '{"fulfillment_provider_order_id": "1", "shipments": [{"notification_id": "n", "items": [{"sku": "A", "quantity": 1.5}]}]}',
    ],
)
async def test_an_order_that_cannot_be_read_is_named_and_hides_no_other(told: str) -> None:
    good = '{"fulfillment_provider_order_id": "2", "status": "Processing"}'
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=f'{{"changes": [{told}, {good}]}}'))
    async with httpx.AsyncClient(transport=transport) as http:
        page = await open_provider(http, ConnectSettings("http://partner", "code", {})).recent_changes(START)
    assert [order.partner_order_id for order in page.orders] == ["2"]
    assert len(page.broken) == 1
    assert page.broken[0].startswith("Order 1: The partner" if "id" in told else "Order None: The partner")
