"""Absolute quantities in bulk: every item judged by its own answer, resending harmless, limits kept."""

from __future__ import annotations

import pytest

from adapters.channels.base import ListingRef, QuantityWrite, Throttled, WriteOutcome
from adapters.channels.ebay.channel import EbayChannel
from adapters.sandbox.ebay import ProductConfig
from adapters.sandbox.ebay.config import CALLS_PER_DAY, AtZero
from domain.errors import CauseClass, Fault
from tests.adapters.ebay.market import Market, connect, open_market
from tests.adapters.ebay.quota import MemoryQuota

BULK = "/bulk_update_price_quantity"


async def test_sets_the_offer_and_the_item(market: Market, ebay: EbayChannel) -> None:
    results = await ebay.set_quantities([market.write("TEA-1", 7), market.write("CUP-1", 0)])
    assert [result.outcome for result in results] == [WriteOutcome.OK, WriteOutcome.OK]
    assert (await market.state())["quantities"] == {"TEA-1": 7, "CUP-1": 0, "POT-1": 5}
    assert market.account.items["TEA-1"].quantity == 7
    assert market.account.offers_by_sku["TEA-1"][0].available == 7


async def test_sixty_writes_are_three_requests() -> None:
    products = tuple(ProductConfig(f"S-{n}", f"Thing {n}", quantity=1) for n in range(60))
    async with open_market(products=products) as market, connect(market) as ebay:
        results = await ebay.set_quantities([market.write(product.sku, 4) for product in products])
        assert {result.outcome for result in results} == {WriteOutcome.OK}
        assert market.recorder.count(BULK) == 3
        assert set((await market.state())["quantities"].values()) == {4}


async def test_a_partial_failure_is_no_success(market: Market, ebay: EbayChannel) -> None:
    await market.break_it("partial")
    results = await ebay.set_quantities([market.write("TEA-1", 7), market.write("CUP-1", 2)])
    assert [result.outcome for result in results] == [WriteOutcome.TRANSIENT, WriteOutcome.OK]
    assert results[0].cause is CauseClass.OUTAGE
    assert market.recorder.exchanges[-1].status == 207
    assert (await market.state())["quantities"]["TEA-1"] == 10


async def test_an_item_refused_by_itself(market: Market, ebay: EbayChannel) -> None:
    await market.break_it("item_refused")
    results = await ebay.set_quantities([market.write("TEA-1", 7), market.write("CUP-1", 2)])
    assert [result.outcome for result in results] == [WriteOutcome.REFUSED, WriteOutcome.OK]
    assert results[0].cause is CauseClass.VALIDATION
    assert "25002" in (results[0].message or "")


async def test_an_item_left_out_of_the_answer_is_tried_again(market: Market, ebay: EbayChannel) -> None:
    await market.break_it("partial_missing")
    results = await ebay.set_quantities([market.write("TEA-1", 7), market.write("CUP-1", 2)])
    assert [result.outcome for result in results] == [WriteOutcome.TRANSIENT, WriteOutcome.OK]


async def test_answers_are_matched_by_name_not_by_place() -> None:
    products = tuple(ProductConfig(f"S-{n}", f"Thing {n}", quantity=1) for n in range(20))
    async with open_market(products=products) as market, connect(market) as ebay:
        await market.faults(seed=3, shuffled={"rate": 1}, item_refused={"rate": 1, "times": 1})
        results = await ebay.set_quantities([market.write(product.sku, 4) for product in products])
    assert [n for n, result in enumerate(results) if result.outcome is WriteOutcome.REFUSED] == [0]


async def test_a_lost_reply_may_be_sent_again(market: Market, ebay: EbayChannel) -> None:
    await market.break_it("lost_reply")
    with pytest.raises(Fault) as caught:
        await ebay.set_quantities([market.write("TEA-1", 7)])
    assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)
    assert (await market.state())["quantities"]["TEA-1"] == 7
    [again] = await ebay.set_quantities([market.write("TEA-1", 7)])
    assert again.outcome is WriteOutcome.OK
    assert (await market.state())["quantities"]["TEA-1"] == 7


async def test_a_system_error_is_transient(market: Market, ebay: EbayChannel) -> None:
    await ebay.observe([ListingRef("TEA-1")])  # the limits are read before the fault
    await market.break_it("server_error")
    with pytest.raises(Fault) as caught:
        await ebay.set_quantities([market.write("TEA-1", 7)])
    assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)
    assert "25001" in str(caught.value)


async def test_a_late_answer_is_transient(market: Market) -> None:
    async with connect(market, timeout_seconds=0.2) as ebay:
        await ebay.observe([ListingRef("TEA-1")])
        await market.faults(latency={"rate": 1, "times": 1, "seconds": 1})
        with pytest.raises(Fault) as caught:
            await ebay.set_quantities([market.write("TEA-1", 7)])
    assert caught.value.transient


async def test_a_failure_after_the_first_request_keeps_its_results() -> None:
    products = tuple(ProductConfig(f"S-{n}", f"Thing {n}", quantity=1) for n in range(30))
    async with open_market(products=products) as market, connect(market) as ebay:
        first = [market.write(product.sku, 4) for product in products]
        await ebay.set_quantities(first[:1])
        await market.faults(seed=1, server_error={"rate": 0.5})
        seen = set()
        for _ in range(12):
            try:
                results = await ebay.set_quantities(first)
            except Fault:
                continue
            seen |= {tuple({result.outcome for result in part}) for part in (results[:25], results[25:])}
        assert seen == {(WriteOutcome.OK,), (WriteOutcome.TRANSIENT,)}


async def test_one_bad_item_does_not_condemn_its_neighbours(market: Market, ebay: EbayChannel) -> None:
    """eBay refuses a whole request for a number that is none of its numbers."""
    writes = [market.write("TEA-1", 7), market.write("CUP-1", 2**40), market.write("POT-1", 1)]
    results = await ebay.set_quantities(writes)
    assert [result.outcome for result in results] == [WriteOutcome.OK, WriteOutcome.REFUSED, WriteOutcome.OK]
    assert results[1].cause is CauseClass.VALIDATION
    assert (await market.state())["quantities"] == {"TEA-1": 7, "CUP-1": 3, "POT-1": 1}


async def test_unknown_items_and_foreign_offers_are_refused(market: Market, ebay: EbayChannel) -> None:
    stranger = QuantityWrite("NONE", 1, None, "k1", reference="8000000001")
    foreign = QuantityWrite("CUP-1", 1, None, "k2", reference=market.reference("TEA-1"))
    results = await ebay.set_quantities([stranger, foreign, market.write("POT-1", 1)])
    assert [result.outcome for result in results] == [WriteOutcome.REFUSED, WriteOutcome.REFUSED, WriteOutcome.OK]


async def test_an_item_without_an_offer_has_its_total_set(market: Market, ebay: EbayChannel) -> None:
    [result] = await ebay.set_quantities([QuantityWrite("TEA-1", 2, None, "k")])
    assert result.outcome is WriteOutcome.OK
    assert (await market.state())["quantities"]["TEA-1"] == 2


async def test_zero_is_not_sent_unless_the_listing_survives_it(market: Market) -> None:
    async with connect(market, out_of_stock_control=False) as ebay:
        results = await ebay.set_quantities([market.write("TEA-1", 0), market.write("CUP-1", 2)])
        assert [result.outcome for result in results] == [WriteOutcome.REFUSED, WriteOutcome.OK]
        assert results[0].cause is CauseClass.VALIDATION
        [alone] = await ebay.set_quantities([market.write("TEA-1", 0)])
        assert alone.outcome is WriteOutcome.REFUSED
    assert market.recorder.count(BULK) == 1
    assert (await market.state())["quantities"]["TEA-1"] == 10


@pytest.mark.parametrize(("at_zero", "first"), [(AtZero.END, WriteOutcome.OK), (AtZero.REFUSE, WriteOutcome.REFUSED)])
async def test_what_zero_does_without_the_preference(at_zero: AtZero, first: WriteOutcome) -> None:
    async with open_market(at_zero=at_zero) as market, connect(market) as ebay:
        [zero] = await ebay.set_quantities([market.write("TEA-1", 0)])
        [back] = await ebay.set_quantities([market.write("TEA-1", 5)])
        assert zero.outcome is first
        if at_zero is AtZero.END:
            assert back.outcome is WriteOutcome.REFUSED
            assert (await market.state())["ended"] == ["TEA-1"]
            [seen] = await ebay.observe([ListingRef("TEA-1", reference=market.reference("TEA-1"))])
            assert seen.quantity == 0
        else:
            assert (zero.cause, back.outcome) == (CauseClass.VALIDATION, WriteOutcome.OK)


async def test_an_answer_of_success_may_have_changed_nothing(market: Market, ebay: EbayChannel) -> None:
    await market.break_it("not_applied")
    [result] = await ebay.set_quantities([market.write("TEA-1", 7)])
    [seen] = await ebay.observe([ListingRef("TEA-1", reference=market.reference("TEA-1"))])
    assert (result.outcome, seen.quantity) == (WriteOutcome.OK, 10)


async def test_the_last_write_wins_over_a_change_from_outside(market: Market, ebay: EbayChannel) -> None:
    await market.break_it("outside_change")
    [result] = await ebay.set_quantities([market.write("TEA-1", 7)])
    assert result.outcome is WriteOutcome.OK
    assert [write["cause"] for write in (await market.state())["history"]] == ["outside", "api"]
    assert (await market.state())["quantities"]["TEA-1"] == 7


async def test_the_revisions_of_a_day_are_not_overdrawn() -> None:
    """Ten in a day, one of them kept back for a zero."""
    async with open_market(revisions_per_day=10) as market, connect(market, revisions_per_day=10) as ebay:
        results = [(await ebay.set_quantities([market.write("TEA-1", n + 1)]))[0] for n in range(12)]
        assert [result.outcome for result in results[:9]] == [WriteOutcome.OK] * 9
        assert {(result.outcome, result.cause) for result in results[9:]} == {
            (WriteOutcome.TRANSIENT, CauseClass.QUOTA)
        }
        assert results[9].wait_seconds == 30.0
        zero, other = await ebay.set_quantities([market.write("TEA-1", 0), market.write("CUP-1", 1)])
        assert (zero.outcome, other.outcome) == (WriteOutcome.OK, WriteOutcome.OK)
        assert market.recorder.count(BULK) == 10
        listing = market.account.offers_by_sku["TEA-1"][0].listing_id
        assert (await market.state())["revisions"][listing] == 10


async def test_variations_share_the_revisions_of_their_listing() -> None:
    products = tuple(ProductConfig(f"V-{n}", f"Shirt {n}", quantity=1, group="SHIRT") for n in range(3))
    async with open_market(products=products, revisions_per_day=10) as market:
        async with connect(market, revisions_per_day=10) as ebay:
            writes = [market.write(product.sku, 4) for product in products]
            outcomes = [result.outcome for _ in range(4) for result in await ebay.set_quantities(writes)]
        assert outcomes == [WriteOutcome.OK] * 9 + [WriteOutcome.TRANSIENT] * 3


async def test_a_revision_limit_that_ebay_reached_first_is_remembered() -> None:
    async with open_market(revisions_per_day=1) as market, connect(market) as ebay:
        results = [(await ebay.set_quantities([market.write("TEA-1", n + 1)]))[0] for n in range(3)]
        assert [result.outcome for result in results] == [WriteOutcome.OK] + [WriteOutcome.TRANSIENT] * 2
        assert {result.cause for result in results[1:]} == {CauseClass.QUOTA}
        assert market.recorder.count(BULK) == 2


async def test_used_up_calls_send_nothing_and_cost_no_revision() -> None:
    calls = {**CALLS_PER_DAY, "inventory": 10}
    quota = MemoryQuota()
    async with open_market(calls_per_day=calls) as market, connect(market, quota) as ebay:
        for n in range(9):
            await ebay.set_quantities([market.write("TEA-1", n + 1)])
        before = dict(quota.taken)
        with pytest.raises(Throttled) as caught:
            await ebay.set_quantities([market.write("TEA-1", 1)])
        assert 0 < caught.value.wait_seconds <= 86_400 * 1.1
        assert quota.taken == before
        [urgent] = await ebay.set_quantities([market.write("TEA-1", 0)], urgent=True)
        assert urgent.outcome is WriteOutcome.OK
        assert market.recorder.count(BULK) == 10
