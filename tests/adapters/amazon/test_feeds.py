"""Many quantities in one feed, and what became of each."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import httpx
import orjson
import pytest

from adapters.channels.amazon.read_listing import Terms
from adapters.channels.amazon.settle_feed import REPORT_BYTES_MAX, read_report, unpack_report
from adapters.channels.amazon.submit_feed import UPLOAD_SECONDS, number_message, submit_feed
from adapters.channels.base import QuantityWrite, WriteOutcome, WriteResult
from adapters.channels.news import BatchFinished, ChannelNews
from adapters.sandbox.amazon import ProductConfig
from domain.errors import CauseClass, Fault
from tests.adapters.amazon.conftest import CONNECTION, Setup, answering, open_setup, write

# So quick that twenty writes are worth a feed.
QUICK_FEEDS = replace(CONNECTION, feed_seconds=0.5)
MANY = tuple(ProductConfig(f"S-{n}", f"Thing {n}", quantity=1, lead_time_days=n % 5 or None) for n in range(30))


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with open_setup(QUICK_FEEDS, products=MANY) as opened:
        yield opened


def writes_of(count: int, quantity: int = 8) -> list[QuantityWrite]:
    """Half of them with a reference that spares the reading, half without."""
    return [
        write(f"S-{n}", quantity, f"PRODUCT:{n % 5 or ''}" if n % 2 else None, key=f"listing-{n}.v1")
        for n in range(count)
    ]


async def settled(setup: Setup, receipt: str, keys: Sequence[str] = ()) -> Mapping[str, WriteResult]:
    for _ in range(250):
        results = await setup.channel.settle(receipt, keys)
        if results is not None:
            return results
        await asyncio.sleep(0.02)
    pytest.fail("the feed is never done")


async def test_feed_sets_every_quantity_and_keeps_every_lead_time(setup: Setup) -> None:
    assert setup.channel.batch_size(30, urgent=False) == 30
    results = await setup.channel.set_quantities(writes_of(30))
    assert {result.outcome for result in results} == {WriteOutcome.ACCEPTED}
    [receipt] = {result.receipt for result in results}
    assert receipt is not None
    outcomes = await settled(setup, receipt)
    assert outcomes == {f"listing-{n}.v1": WriteResult(WriteOutcome.ACCEPTED) for n in range(30)}
    await setup.market.wait_for("S-29", 8)
    state = await setup.market.state()
    assert set(state["quantities"].values()) == {8}
    assert state["lead_times"] == {f"S-{n}": n % 5 for n in range(30) if n % 5}
    assert setup.quota.count("createFeed") == 1
    assert setup.quota.count("patchListingsItem") == setup.quota.count("getListingsItem") == 0


async def test_urgent_ones_never_go_by_feed(setup: Setup) -> None:
    assert setup.channel.batch_size(30, urgent=True) == 10
    await setup.channel.set_quantities(writes_of(10, 0), urgent=True)
    assert setup.quota.count("createFeed") == 0


async def test_only_a_feed_asks_for_the_time_of_an_upload(setup: Setup) -> None:
    assert setup.channel.patience_seconds(30, urgent=False) > UPLOAD_SECONDS
    assert setup.channel.patience_seconds(30, urgent=True) == 0
    assert setup.channel.patience_seconds(1, urgent=False) == 0


async def test_refused_messages_are_told_apart_by_their_keys(setup: Setup) -> None:
    writes = [*writes_of(20), write("GONE", 1, key="gone.v1"), write("S-25", -1, "PRODUCT:", key="negative.v1")]
    [receipt] = {result.receipt for result in await setup.channel.set_quantities(writes)}
    assert receipt is not None
    outcomes = await settled(setup, receipt)
    assert (outcomes["gone.v1"].outcome, outcomes["gone.v1"].cause) == (WriteOutcome.REFUSED, CauseClass.MAPPING)
    assert outcomes["negative.v1"].cause is CauseClass.VALIDATION
    assert sum(result.outcome is WriteOutcome.ACCEPTED for result in outcomes.values()) == 20


async def test_another_process_settles_by_the_keys(setup: Setup) -> None:
    writes = writes_of(20)
    [receipt] = {result.receipt for result in await setup.channel.set_quantities(writes)}
    assert receipt is not None
    setup.channel.feeds.keys.clear()
    keys = [item.key for item in writes]
    assert set(await settled(setup, receipt, keys)) == set(keys)
    with pytest.raises(Fault) as caught:
        await setup.channel.settle(receipt)
    assert caught.value.transient is False


async def test_while_it_is_worked_on_there_is_no_answer() -> None:
    async with open_setup(QUICK_FEEDS, products=MANY, feed_work_seconds=0.3) as setup:
        [receipt] = {result.receipt for result in await setup.channel.set_quantities(writes_of(20))}
        assert receipt is not None
        assert await setup.channel.settle(receipt) is None
        assert len(await settled(setup, receipt)) == 20


@pytest.mark.parametrize("kind", ["feed_fatal", "feed_cancelled"])
async def test_a_feed_that_ended_badly_is_worth_another_try(setup: Setup, kind: str) -> None:
    await setup.market.break_it(kind)
    [receipt] = {result.receipt for result in await setup.channel.set_quantities(writes_of(20))}
    assert receipt is not None
    outcomes = await settled(setup, receipt)
    assert {(result.outcome, result.cause) for result in outcomes.values()} == {
        (WriteOutcome.TRANSIENT, CauseClass.OUTAGE)
    }
    assert (await setup.market.state())["quantities"]["S-3"] == 1


async def test_plain_report_is_read_too() -> None:
    async with open_setup(QUICK_FEEDS, products=MANY, gzip_reports=False) as setup:
        [receipt] = {result.receipt for result in await setup.channel.set_quantities(writes_of(20))}
        assert receipt is not None
        assert len(await settled(setup, receipt)) == 20


async def test_finished_feed_is_announced_under_its_receipt(setup: Setup) -> None:
    [receipt] = {result.receipt for result in await setup.channel.set_quantities(writes_of(20))}
    news: list[ChannelNews] = []
    async with asyncio.timeout(5):
        while not any(isinstance(entry, BatchFinished) for entry in news):
            for message in await setup.queue.receive(10, wait_seconds=1):
                event = await setup.channel.verify_event(setup.channel.seal_event(message.body), message.body)
                assert event is not None
                news += setup.channel.read_event(event.topic, message.body)
    assert BatchFinished(str(receipt)) in news


async def test_lost_reply_to_the_feed_is_transient_and_sending_again_is_safe(setup: Setup) -> None:
    await setup.market.set_faults(lost_reply={"times": 1})
    with pytest.raises(Fault) as caught:
        await setup.channel.set_quantities(writes_of(20))
    assert caught.value.transient
    results = await setup.channel.set_quantities(writes_of(20))
    assert {result.outcome for result in results} == {WriteOutcome.ACCEPTED}
    await setup.market.wait_for("S-19", 8)


async def test_token_dying_between_document_and_feed(setup: Setup) -> None:
    await setup.channel.list_items()
    setup.market.market.faults.add_counted({"kind": "token_expired", "count": 1})
    results = await setup.channel.set_quantities(writes_of(20))
    assert {result.outcome for result in results} == {WriteOutcome.ACCEPTED}


async def test_expired_upload_address_is_an_outage_that_passes() -> None:
    async with open_setup(QUICK_FEEDS, products=MANY, document_seconds=-5) as setup:
        with pytest.raises(Fault) as caught:
            await setup.channel.set_quantities(writes_of(20))
    assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)


async def test_throttled_feeds_fall_back_to_patches_until_they_may_be_created(setup: Setup) -> None:
    setup.quota.refusals["createFeed"] = [60.0]
    results = await setup.channel.set_quantities(writes_of(20))
    assert [result.outcome for result in results[:10]] == [WriteOutcome.ACCEPTED] * 10
    assert {result.cause for result in results[10:]} == {CauseClass.QUOTA}
    assert setup.channel.batch_size(20_000, urgent=False) < 20_000
    setup.channel.feeds_from -= 60.0
    assert setup.channel.batch_size(20_000, urgent=False) == 20_000


async def test_how_long_feeds_take_is_learnt_and_how_little_of_it_is_believed(setup: Setup) -> None:
    """Half a minute at least, or what the connection itself says when that is less."""
    quick = setup.channel.api.connection
    for said, least, most in ((0.5, 0.5, 29.9), (300.0, 30.0, 30.0)):
        setup.channel.feed_seconds, setup.channel.api.connection = None, quick
        [receipt] = {result.receipt for result in await setup.channel.set_quantities(writes_of(20, int(said)))}
        assert receipt is not None
        setup.channel.api.connection = replace(quick, feed_seconds=said)
        await settled(setup, receipt)
        assert least <= setup.channel.pace().feed_seconds <= most


async def test_a_feed_without_messages_is_not_sent() -> None:
    channel = answering()
    channel.terms.remember("FBA-1", Terms("TEA", foreign="AMAZON_NA"), channel.api.clock())
    [result] = await submit_feed(channel.api, channel.terms, channel.feeds, [write("FBA-1", 3)])
    assert (result.outcome, result.cause) == (WriteOutcome.REFUSED, CauseClass.MAPPING)
    assert channel.feeds.keys == {}


def test_message_numbers_are_stable_and_within_the_vendors_range() -> None:
    numbers = [number_message(f"listing-{n}.v{n % 7}") for n in range(25_000)]
    assert numbers[:3] == [number_message(f"listing-{n}.v{n % 7}") for n in range(3)]
    assert all(1 <= number <= 2**31 - 1 for number in numbers)
    assert len(set(numbers)) >= 24_990


async def test_two_keys_with_one_number_do_not_share_a_feed() -> None:
    answers = [
        httpx.Response(201, json={"feedDocumentId": "d", "url": "http://documents/d"}),
        httpx.Response(200),
        httpx.Response(202, json={"feedId": "77"}),
    ]
    channel = answering(*answers)
    twins = [write("A", 1, key="same"), write("B", 1, key="same")]
    first, second = await submit_feed(channel.api, channel.terms, channel.feeds, twins)
    assert (first.outcome, first.receipt) == (WriteOutcome.ACCEPTED, "77")
    assert (second.outcome, second.receipt) == (WriteOutcome.TRANSIENT, None)


def test_a_fault_of_the_whole_document_blames_no_listing() -> None:
    report = {"issues": [{"severity": "ERROR", "message": "not JSON", "code": "1"}]}
    outcomes = read_report(report, ["a", "b"])
    assert {result.outcome for result in outcomes.values()} == {WriteOutcome.TRANSIENT}


def test_warnings_are_no_refusal() -> None:
    issue = {"messageId": number_message("a"), "severity": "WARNING", "message": "dull title"}
    [result] = read_report({"issues": [issue]}, ["a"]).values()
    assert result.outcome is WriteOutcome.ACCEPTED
    assert result.message is not None


def test_report_is_unpacked_within_bounds() -> None:
    assert unpack_report(gzip.compress(orjson.dumps({"a": 1}))) == b'{"a":1}'
    assert unpack_report(b"{}") == b"{}"
    with pytest.raises(Fault):
        unpack_report(gzip.compress(bytes(REPORT_BYTES_MAX + 10), 1))
    with pytest.raises(zlib.error):
        unpack_report(b"\x1f\x8b\x00broken")
