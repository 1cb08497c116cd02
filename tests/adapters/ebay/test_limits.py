"""The day's calls: read from eBay, told to the quota so that a token bucket serves a window, waited for."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from adapters.channels.base import ListingRef, Throttled
from adapters.channels.ebay.spend_revisions import RevisionBudget
from adapters.sandbox.ebay.config import CALLS_PER_DAY
from adapters.sandbox.ebay.count_calls import count_call
from domain.errors import CauseClass
from tests.adapters.ebay.market import connect, open_market
from tests.adapters.ebay.quota import MemoryQuota

TEA = ListingRef("TEA-1")


async def test_every_request_is_paid_for() -> None:
    quota = MemoryQuota()
    async with open_market() as market, connect(market, quota) as ebay:
        await ebay.observe([ListingRef("TEA-1", reference=market.reference("TEA-1"))])
        await ebay.set_quantities([market.write("TEA-1", 3)])
        await ebay.pull_orders(datetime(2026, 1, 1, tzinfo=UTC), datetime.now(UTC))
        calls = (await market.state())["calls"]
        paid = {name: count for name, count in quota.taken.items() if not name.startswith("revisions:")}
        assert calls == paid == {"analytics": 2, "inventory": 3, "fulfillment": 1}
        assert [count for name, count in quota.taken.items() if name.startswith("revisions:")] == [1]


async def test_a_bucket_holds_what_is_left_until_the_reset() -> None:
    """Full now, and one more in the time until the reset: what a window allows and not one call more."""
    quota = MemoryQuota()
    async with open_market(calls_per_day={**CALLS_PER_DAY, "inventory": 50}) as market, connect(market, quota) as ebay:
        await ebay.observe([TEA])
        bucket = quota.buckets["inventory"]
        left = 86_400 - time.time() % 86_400
        assert (bucket.burst, bucket.level) == (50, 49)
        assert 1 / bucket.rate == pytest.approx(left, abs=5)


async def test_a_new_window_gives_new_calls() -> None:
    calls, quota = {**CALLS_PER_DAY, "inventory": 2}, MemoryQuota()
    async with open_market(calls_per_day=calls) as market, connect(market, quota) as ebay:
        await ebay.observe([TEA])
        with pytest.raises(Throttled) as caught:
            await ebay.observe([TEA])
        assert caught.value.cause is CauseClass.QUOTA
        reset_at = ebay.client.limits.windows["inventory"].reset_at
        quota.clock = reset_at + 2
        ebay.client.limits.clock = lambda: reset_at + 2
        market.account.calls.clear()
        assert (await ebay.observe([TEA]))[0].quantity == 10


async def test_refused_by_ebay_waits_for_the_reset() -> None:
    """Another process used the calls up: eBay says 429, and the Analytics API says until when."""
    async with open_market(calls_per_day={**CALLS_PER_DAY, "inventory": 20}) as market, connect(market) as ebay:
        await ebay.observe([TEA])
        while count_call(market.account, "inventory"):
            pass
        ebay.client.limits.tried_at -= 60  # what was read is a minute old
        with pytest.raises(Throttled) as caught:
            await ebay.observe([TEA])
        left = 86_400 - time.time() % 86_400
        assert caught.value.wait_seconds == pytest.approx(left, abs=5)
        before = market.recorder.count("/bulk_get_inventory_item")
        with pytest.raises(Throttled):
            await ebay.observe([TEA])
        assert market.recorder.count("/bulk_get_inventory_item") == before


async def test_a_short_refusal_is_a_short_wait() -> None:
    async with open_market() as market, connect(market) as ebay:
        await ebay.observe([TEA])
        await market.break_it("limit_exceeded")
        with pytest.raises(Throttled) as caught:
            await ebay.observe([TEA])
        assert caught.value.wait_seconds == 5
        assert (await ebay.observe([TEA]))[0].quantity == 10


async def test_limits_that_cannot_be_read_stop_nothing() -> None:
    async with open_market(calls_per_day={**CALLS_PER_DAY, "analytics": 1}) as market, connect(market) as ebay:
        await market.break_it("server_error", 1)
        assert (await ebay.observe([TEA]))[0].quantity == 10
        assert (await ebay.observe([TEA]))[0].quantity == 10
        assert market.recorder.count("rate_limit/") == 2


async def test_revisions_last_until_midnight_where_ebay_counts() -> None:
    at = datetime(2026, 7, 1, 6, 30, tzinfo=UTC).timestamp()  # half past eleven in the evening in California
    quota = MemoryQuota(clock=at)
    budget = RevisionBudget(quota, 10, ZoneInfo("America/Los_Angeles"), clock=lambda: at)
    taken = [await budget.take("110", urgent=False) for _ in range(10)]
    assert taken == [None] * 9 + [30.0]
    assert await budget.take("110", urgent=True) is None
    assert await budget.take("110", urgent=True) == 30.0
    assert await budget.take("111", urgent=False) is None
    assert list(quota.buckets) == ["revisions:110:2026-06-30", "revisions:111:2026-06-30"]
    assert 1 / quota.buckets["revisions:110:2026-06-30"].rate == pytest.approx(1800)


async def test_what_is_spent_is_remembered_and_not_asked_again() -> None:
    budget = RevisionBudget(MemoryQuota(), 10, ZoneInfo("UTC"))
    assert budget.wait("110", urgent=False) is None
    while await budget.take("110", urgent=False) is None:
        pass
    assert budget.wait("110", urgent=False) == 30.0
    assert budget.wait("110", urgent=True) is None
    await budget.exhaust("110")
    assert budget.wait("110", urgent=True) == 30.0
    assert budget.wait("111", urgent=True) is None


async def test_a_second_process_finds_the_revisions_that_are_left() -> None:
    quota = MemoryQuota()
    first, second = (RevisionBudget(quota, 10, ZoneInfo("UTC")) for _ in range(2))
    assert [await first.take("110", urgent=False) for _ in range(5)] == [None] * 5
    taken = [await second.take("110", urgent=False) for _ in range(5)]
    assert taken[:4] == [None] * 4
    assert taken[4] is not None


async def test_a_new_day_is_a_new_bucket() -> None:
    at = [datetime(2026, 7, 1, 23, 59, 59, tzinfo=UTC).timestamp()]
    quota = MemoryQuota()
    budget = RevisionBudget(quota, 1, ZoneInfo("UTC"), clock=lambda: at[0])
    assert await budget.take("110", urgent=True) is None
    assert await budget.take("110", urgent=True) == 1.0
    at[0] += 2
    assert await budget.take("110", urgent=True) is None
