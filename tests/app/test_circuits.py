"""A channel that fails or forbids one thing that it is called for, and does the others."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from adapters.channels.base import Channel, WriteOutcome, WriteResult
from adapters.channels.memory import MemoryChannel
from adapters.channels.refuse_call import NotPermitted
from app.channels import health
from app.channels.claim_listings import Lane
from app.channels.health import FAILURES_OPEN
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.observe_listings import observe_listings
from app.channels.pull_orders import pull_orders
from app.channels.run_channels import read_channel
from app.channels.settle_batches import settle_batches
from app.channels.tell_channel import tell_channel
from app.settings import Settings
from domain.errors import CauseClass, Fault
from tests.channel_company import SKUS, ChannelCompany, open_channel_company

AWAY = Fault("no answer", transient=True, cause=CauseClass.OUTAGE)
DENIED = NotPermitted("This needs the scope read_orders.")
_CASES = "SELECT cause || ' ' || state || ' ' || count FROM exception_cases WHERE kind = 'CHANNEL_DOWN' ORDER BY id"


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as company:
        yield company


async def note(company: ChannelCompany, lane: str, fault: Fault | None = None, times: int = 1) -> None:
    channel = await company.channel("shop")
    for _ in range(times):
        now = datetime.datetime.now(datetime.UTC)
        await note_attempt(company.state, Attempt(channel, lane, now, 0.0, 1, int(fault is None), 0), fault)


async def cases(company: ChannelCompany) -> list[str]:
    return [row[0] for row in await company.state.database.hot.fetch(_CASES)]


async def change_stock(company: ChannelCompany) -> None:
    lines = [{"sku": "SKU-0", "delta": 1}]
    await company.admin.mutate("stockAdjust", "", warehouse="BER", reason="COUNT", lines=lines)
    await company.relay()


async def test_orders_that_may_not_be_read_are_not_forgiven_because_quantities_go_out(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deny(*_: Any) -> Any:
        raise DENIED

    pull = MemoryChannel.pull_orders
    monkeypatch.setattr(MemoryChannel, "pull_orders", deny)
    channel = await company.channel("shop")
    for turn in range(3):
        await company.execute("UPDATE channel_health SET orders_polled_at = NULL")
        await pull_orders(company.state, channel)
        await change_stock(company)
        assert await company.push("shop", Lane.BULK)
        assert await cases(company) == [f"AUTH OPEN {turn + 1}"], "one case, as long as it lasts"
    title = await company.value("SELECT title FROM exception_cases WHERE kind = 'CHANNEL_DOWN'")
    assert title == "Channel shop does not permit us to read orders"
    monkeypatch.setattr(MemoryChannel, "pull_orders", pull)
    await company.execute("UPDATE channel_circuits SET open_until = now()")
    await company.execute("UPDATE channel_health SET orders_polled_at = NULL")
    await pull_orders(company.state, channel)
    assert await cases(company) == ["AUTH RESOLVED 3"]
    assert await company.value("SELECT proof->>'lane' FROM exception_cases WHERE kind = 'CHANNEL_DOWN'") == "ORDERS"


async def test_an_outage_is_over_although_something_else_is_forbidden(company: ChannelCompany) -> None:
    await note(company, "RETURNS", DENIED)
    await note(company, "BULK", AWAY, FAILURES_OPEN)
    await note(company, "OBSERVE", AWAY, FAILURES_OPEN)
    await note(company, "BULK")
    assert await cases(company) == ["AUTH OPEN 1", "OUTAGE OPEN 2"], "nothing can be read yet"
    await note(company, "OBSERVE")
    assert await cases(company) == ["AUTH OPEN 1", "OUTAGE RESOLVED 2"]


@pytest.mark.parametrize(
    ("lane", "change"),
    [
        ("BULK", "UPDATE listings SET acknowledged_version = desired_version"),
        ("BULK", "UPDATE channels SET status = 'PAUSED'"),
        ("SETTLE", "UPDATE listings SET receipt = NULL"),
        ("OBSERVE", "UPDATE channels SET status = 'PAUSED'"),
    ],
)
async def test_what_is_not_called_any_more_keeps_no_case_open(company: ChannelCompany, lane: str, change: str) -> None:
    await company.execute("UPDATE listings SET receipt = 'r', receipt_key = id::text")
    await note(company, lane, AWAY, FAILURES_OPEN)
    await note(company, "ORDERS")
    assert await cases(company) == ["OUTAGE OPEN 1"]
    await company.execute(change)
    await note(company, "ORDERS")
    assert await cases(company) == ["OUTAGE RESOLVED 1"]


async def test_what_reads_waits_behind_its_own_circuit(company: ChannelCompany) -> None:
    for lane in ("OBSERVE", "SETTLE", "ORDERS"):
        await note(company, lane, AWAY, FAILURES_OPEN + 3)
    channel, asked = await company.channel("shop"), []
    for step in (observe_listings, settle_batches, pull_orders):
        seen, wait_seconds = await step(company.state, channel)
        asked.append((seen, 0.0 < wait_seconds <= 30.0))
    assert asked == [(0, True)] * 3
    assert await company.value("SELECT orders_polled_at FROM channel_health") is None, "its turn is not used up"
    assert await company.push("shop", Lane.BULK), "and no push waits for it"
    await company.execute("UPDATE channel_circuits SET open_until = now() - interval '1 second'")
    assert await observe_listings(company.state, channel) == (1, 0.0), "a small one first"
    assert await observe_listings(company.state, channel) == (SKUS - 1, 0.0), "it closed the circuit"


async def test_after_an_outage_all_is_tried_at_once(company: ChannelCompany) -> None:
    for lane in ("OBSERVE", "ORDERS", "RETURNS", "BULK"):
        await note(company, lane, AWAY, FAILURES_OPEN + 3)
    await company.execute(
        "INSERT INTO channel_health (channel_id, orders_polled_at, returns_polled_at)"
        " SELECT id, now(), now() FROM channels WHERE code = 'shop'"
    )
    waiting = "SELECT count(*) FROM channel_circuits WHERE open_until > now()"
    assert await company.value(waiting) == 4
    await note(company, "OBSERVE")
    assert await company.value(waiting) == 0
    assert await company.value("SELECT orders_polled_at IS NULL AND returns_polled_at IS NULL FROM channel_health")


@pytest.mark.parametrize("connected", [True, False])
async def test_a_call_that_is_not_permitted_is_refused_unless_nothing_is(
    company: ChannelCompany, connected: bool
) -> None:
    async def deny(_: Channel) -> WriteResult:
        raise DENIED

    if not connected:
        await note(company, "OBSERVE", DENIED)
    record = await read_channel(company.state, "shop")
    result = await tell_channel(company.state, record, "CONFIRM", "parcel", deny)
    assert result.outcome is (WriteOutcome.REFUSED if connected else WriteOutcome.TRANSIENT)
    assert result.cause is CauseClass.AUTH
    assert await cases(company) == ([] if connected else ["AUTH OPEN 1"])


async def test_a_parcel_that_a_channel_cannot_be_told_is_no_outage(company: ChannelCompany) -> None:
    await note(company, "CONFIRM", AWAY, FAILURES_OPEN + 1)
    assert await cases(company) == []
    await note(company, "CONFIRM", Fault("401", transient=False, cause=CauseClass.AUTH))
    assert await cases(company) == ["AUTH OPEN 1"]
    await note(company, "ORDERS")
    assert await cases(company) == ["AUTH RESOLVED 1"]


async def test_health_is_that_of_the_worst_part_and_of_each(company: ChannelCompany) -> None:
    await note(company, "BULK")
    await note(company, "ORDERS", DENIED, FAILURES_OPEN)
    await note(company, "OBSERVE", AWAY)
    query = """{ channel(code: "shop") { health { state failures lastError lastCause
      circuits { scope state failures lastError lastCause nextAttemptAt lastSuccessAt } } } }"""
    health = (await company.admin.data(query))["channel"]["health"]
    circuits = {one.pop("scope"): one for one in health.pop("circuits")}
    assert health == {"state": "DOWN", "failures": FAILURES_OPEN, "lastError": str(DENIED), "lastCause": "AUTH"}
    assert {scope: (one["state"], one["lastCause"]) for scope, one in circuits.items()} == {
        "OBSERVE": ("FAILING", "OUTAGE"),
        "ORDERS": ("DOWN", "AUTH"),
        "PUSH": ("HEALTHY", None),
    }
    assert [one["nextAttemptAt"] is not None for one in circuits.values()] == [False, True, False]
    assert circuits["PUSH"]["lastSuccessAt"] is not None


async def test_one_process_reads_at_a_time_and_another_takes_over(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    await company.execute("UPDATE listings SET receipt = 'r', receipt_key = id::text")
    channel, mine = await company.channel("shop"), health.PROCESS
    for step, seen in ((observe_listings, 3), (settle_batches, 0)):
        monkeypatch.setattr(health, "PROCESS", mine)
        assert await step(company.state, channel) == (seen, 0.0)
        await company.execute("UPDATE listings SET observed_at = NULL")
        monkeypatch.setattr(health, "PROCESS", "another")
        assert await step(company.state, channel) == (0, 0.0), "it is not its turn"
        await company.execute("UPDATE channel_circuits SET reads_until = now() - interval '1 second'")
        assert await step(company.state, channel) == (seen, 0.0)
        readers = await company.value(
            "SELECT array_agg(DISTINCT reader) FROM channel_circuits WHERE reads_until > now()"
        )
        assert readers == ["another"]
    query = '{ channel(code: "shop") { health { circuits { scope } } } }'
    assert (await company.admin.data(query))["channel"]["health"]["circuits"] == [{"scope": "OBSERVE"}], (
        "a turn is no call"
    )


async def test_calls_are_measured_by_lane(company: ChannelCompany) -> None:
    def count(outcome: str) -> float:
        labels = {"channel": "shop", "lane": "BULK", "outcome": outcome}
        return REGISTRY.get_sample_value("onhand_sync_calls_total", labels) or 0.0

    before = count("OK"), count("OUTAGE")
    await company.relay()
    assert await company.push("shop", Lane.BULK)
    await note(company, "BULK", AWAY)
    assert (count("OK"), count("OUTAGE")) == (before[0] + 1, before[1] + 1)
    labels = {"channel": "shop", "lane": "BULK"}
    assert (REGISTRY.get_sample_value("onhand_push_lag_seconds_count", labels) or 0) >= 3
