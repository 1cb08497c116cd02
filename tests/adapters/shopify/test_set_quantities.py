"""Quantities set and read back: sales in between, lost replies, refusals of single items, tokens, limits."""

from __future__ import annotations

import pytest

from adapters.channels.base import ListingRef, QuantityWrite, Throttled, WriteOutcome
from adapters.channels.shopify import observe as observing
from domain.errors import CauseClass, Fault
from tests.adapters.shopify.conftest import BERLIN, NEW_YORK, Setup, open_setup

UNKNOWN = "gid://shopify/InventoryItem/1"


async def test_each_location_has_its_own_quantity(setup: Setup) -> None:
    writes = [setup.write("TEA-1", 7, 10), setup.write("TEA-1", 2, 4, "2", NEW_YORK), setup.write("CUP-1", 0)]
    results = await setup.channel.set_quantities(writes)
    assert [result.outcome for result in results] == [WriteOutcome.OK] * 3
    seen = await setup.channel.observe([setup.ref("TEA-1", NEW_YORK), setup.ref("CUP-1"), setup.ref("TEA-1")])
    assert [(one.quantity, one.location) for one in seen] == [(2, NEW_YORK), (0, BERLIN), (7, BERLIN)]


async def test_a_sale_in_between_makes_the_write_stale_and_is_not_overwritten(setup: Setup) -> None:
    await setup.buy(("TEA-1", 3))
    results = await setup.channel.set_quantities([setup.write("TEA-1", 9, 10), setup.write("CUP-1", 2, 3)])
    assert [result.outcome for result in results] == [WriteOutcome.STALE, WriteOutcome.TRANSIENT]
    assert results[1].cause is None, "nothing was written: the neighbour need not be read back"
    assert (setup.shown("TEA-1"), setup.shown("CUP-1")) == (7, 3)


async def test_somebody_else_in_the_admin_is_noticed_too(setup: Setup) -> None:
    await setup.strike("outside_change")
    results = await setup.channel.set_quantities([setup.write("TEA-1", 9, 10)])
    assert [result.outcome for result in results] == [WriteOutcome.STALE]
    assert [one.quantity for one in await setup.channel.observe([setup.ref("TEA-1")])] == [9]


async def test_a_lost_reply_is_a_transient_fault_and_reading_back_settles_it(setup: Setup) -> None:
    await setup.strike("lost_write")
    with pytest.raises(Fault) as caught:
        await setup.channel.set_quantities([setup.write("TEA-1", 6, 10)])
    assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)
    assert [one.quantity for one in await setup.channel.observe([setup.ref("TEA-1")])] == [6]


async def test_the_same_write_again_is_answered_and_not_written_again(setup: Setup) -> None:
    write = setup.write("TEA-1", 6, 10)
    await setup.channel.set_quantities([write])
    await setup.buy(("TEA-1", 1))
    assert [result.outcome for result in await setup.channel.set_quantities([write])] == [WriteOutcome.OK]
    assert setup.shown("TEA-1") == 5


async def test_a_key_that_was_used_for_something_else_is_read_back_first(setup: Setup) -> None:
    await setup.channel.set_quantities([setup.write("TEA-1", 6, 10)])
    [result] = await setup.channel.set_quantities([setup.write("TEA-1", 5, 6)])
    assert (result.outcome, result.cause) == (WriteOutcome.TRANSIENT, CauseClass.OUTAGE)
    assert "MISMATCH" in (result.message or "")
    assert setup.shown("TEA-1") == 6


async def test_a_burnt_key_is_worth_another_try_with_another(setup: Setup) -> None:
    stale = setup.write("TEA-1", 6, 99)
    await setup.channel.set_quantities([stale])
    [result] = await setup.channel.set_quantities([stale])
    assert (result.outcome, result.cause) == (WriteOutcome.TRANSIENT, CauseClass.OUTAGE)


async def test_an_unknown_item_is_refused_and_its_neighbour_is_not(setup: Setup) -> None:
    unknown = QuantityWrite(UNKNOWN, 1, None, "u", BERLIN)
    results = await setup.channel.set_quantities([setup.write("TEA-1", 6, 10), unknown])
    assert [result.outcome for result in results] == [WriteOutcome.TRANSIENT, WriteOutcome.REFUSED]
    assert results[1].cause is CauseClass.MAPPING
    assert results[0].wait_seconds == 0.0


async def test_after_a_user_error_that_wrote_all_the_same_the_neighbours_are_read_back(setup: Setup) -> None:
    await setup.strike("error_after_write")
    results = await setup.channel.set_quantities([setup.write("TEA-1", 6, 10), setup.write("CUP-1", 1, 3)])
    assert [result.outcome for result in results] == [WriteOutcome.REFUSED, WriteOutcome.TRANSIENT]
    assert results[1].cause is CauseClass.OUTAGE
    assert setup.shown("CUP-1") == 1


async def test_a_refusal_that_names_no_item_is_left_to_halving(setup: Setup) -> None:
    twice = [setup.write("TEA-1", 6, 10), setup.write("TEA-1", 5, 10, "2")]
    with pytest.raises(Fault, match="NO_DUPLICATE") as caught:
        await setup.channel.set_quantities(twice)
    assert not caught.value.transient


async def test_throttling_names_the_wait_and_writes_nothing() -> None:
    async with open_setup(points_max=12, restore_rate=1) as poor:
        await poor.channel.set_quantities([poor.write("TEA-1", 6, 10)])
        with pytest.raises(Throttled) as caught:
            await poor.channel.set_quantities([poor.write("TEA-1", 5, 6, "2")], urgent=True)
        assert 6 <= caught.value.wait_seconds <= 9
        assert poor.shown("TEA-1") == 6
        assert poor.quota.urgent == [False, True]
        assert poor.quota.announced[0] == (1, 12, 2)


async def test_without_quota_nothing_is_sent(setup: Setup) -> None:
    setup.quota.refusals.append(1.5)
    with pytest.raises(Throttled):
        await setup.channel.set_quantities([setup.write("TEA-1", 6, 10)])
    assert setup.shown("TEA-1") == 10


async def test_a_batch_is_as_long_as_the_vendor_takes(setup: Setup) -> None:
    assert [setup.channel.batch_size(pending, urgent=True) for pending in (1, 250, 25_000)] == [1, 250, 250]
    assert await setup.channel.settle("none") == {}


async def test_what_is_not_counted_is_seen_as_such_whatever_was_written(setup: Setup) -> None:
    [result] = await setup.channel.set_quantities([setup.write("BAG-1", 5)])
    assert result.outcome is WriteOutcome.OK, "the vendor takes it, and goes on selling without counting"
    await setup.buy(("BAG-1", 40))
    [seen] = await setup.channel.observe([setup.ref("BAG-1")])
    assert (seen.quantity, seen.tracked) == (None, False)


async def test_what_the_store_does_not_know_is_none_and_repeated_references_are_answered_each(setup: Setup) -> None:
    refs = [ListingRef(UNKNOWN, BERLIN), setup.ref("TEA-1"), setup.ref("CUP-1", NEW_YORK), setup.ref("TEA-1")]
    seen = await setup.channel.observe(refs)
    assert [one.quantity for one in seen] == [None, 10, None, 10]
    assert all(one.tracked for one in seen)


async def test_reading_too_much_at_once_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_setup(query_points_max=7) as small:
        monkeypatch.setattr(observing, "ITEMS_MAX", 5)
        unknown = [ListingRef(f"gid://shopify/InventoryItem/{n}", BERLIN) for n in range(3)]
        seen = await small.channel.observe([*unknown, small.ref("TEA-1"), small.ref("CUP-1")])
        assert [one.quantity for one in seen] == [None, None, None, 10, 3]
