"""Patches: accepted is not applied, 200 may be a refusal, and nothing else of the listing changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest

from adapters.channels.amazon.read_listing import Terms, format_reference, parse_reference
from adapters.channels.base import ListingRef, QuantityWrite, Throttled, WriteOutcome
from adapters.sandbox.amazon import Limit, ProductConfig
from domain.errors import CauseClass, Fault
from tests.adapters.amazon.conftest import CONNECTION, Ledger, Setup, answering, open_setup, write
from tests.adapters.sandbox_amazon.serving import GENEROUS


async def test_accepted_first_and_sold_from_later() -> None:
    async with open_setup(apply_seconds=0.3) as setup:
        [result] = await setup.channel.set_quantities([write("TEA-1", 4)])
        assert (result.outcome, result.receipt) == (WriteOutcome.ACCEPTED, None)
        [seen] = await setup.channel.observe([ListingRef("TEA-1")])
        assert seen.quantity == 10
        await setup.market.wait_for("TEA-1", 4)
        [seen] = await setup.channel.observe([ListingRef("TEA-1")])
        assert seen.quantity == 4


async def test_lead_time_survives_and_is_read_once(setup: Setup) -> None:
    for quantity in (4, 5, 6):
        await setup.channel.set_quantities([write("TEA-1", quantity)])
    await setup.market.wait_for("TEA-1", 6)
    assert (await setup.market.state())["lead_times"]["TEA-1"] == 3
    assert setup.quota.count("getListingsItem") == 1
    assert setup.quota.count("patchListingsItem") == 3


async def test_reference_spares_the_reading(setup: Setup) -> None:
    page = await setup.channel.list_items()
    reference = next(item.reference for item in page.items if item.sku == "TEA-1")
    assert reference == "TEA:3"
    async with open_setup() as other:
        await other.channel.set_quantities([write("TEA-1", 2, reference)])
        await other.market.wait_for("TEA-1", 2)
        assert other.quota.count("getListingsItem") == 0
        assert (await other.market.state())["lead_times"]["TEA-1"] == 3


async def test_urgent_zero_waits_for_no_reading_and_keeps_the_lead_time(setup: Setup) -> None:
    [result] = await setup.channel.set_quantities([write("TEA-1", 0)], urgent=True)
    assert result.outcome is WriteOutcome.ACCEPTED
    await setup.market.wait_for("TEA-1", 0)
    assert setup.quota.taken == [("patchListingsItem", True)]
    assert (await setup.market.state())["lead_times"]["TEA-1"] == 3


async def test_fields_the_adapter_does_not_know_are_kept_by_merging(setup: Setup) -> None:
    entry = setup.market.market.state.listings["TEA-1"].entries[0]
    entry["restock_date"] = "2027-01-01"
    await setup.channel.set_quantities([write("TEA-1", 1)])
    await setup.market.wait_for("TEA-1", 1)
    [entry] = setup.market.market.state.listings["TEA-1"].entries
    assert (entry["restock_date"], entry["lead_time_to_ship_max_days"], entry["quantity"]) == ("2027-01-01", 3, 1)


async def test_sku_with_slash_space_and_comma() -> None:
    async with open_setup(products=(ProductConfig("A/B c,d%", "Odd", quantity=1),)) as setup:
        [result] = await setup.channel.set_quantities([write("A/B c,d%", 9)])
        assert result.outcome is WriteOutcome.ACCEPTED
        await setup.market.wait_for("A/B c,d%", 9)
        [seen] = await setup.channel.observe([ListingRef("A/B c,d%")])
        assert seen.quantity == 9


async def test_unknown_sku_is_a_mapping_fault_of_that_write_alone(setup: Setup) -> None:
    gone, good = await setup.channel.set_quantities([write("GONE", 1), write("CUP-1", 1)])
    assert (gone.outcome, gone.cause) == (WriteOutcome.REFUSED, CauseClass.MAPPING)
    assert good.outcome is WriteOutcome.ACCEPTED
    [urgent] = await setup.channel.set_quantities([write("GONE", 0)], urgent=True)
    assert (urgent.outcome, urgent.cause) == (WriteOutcome.REFUSED, CauseClass.MAPPING)


async def test_invalid_is_refused_although_the_answer_is_200(setup: Setup) -> None:
    [result] = await setup.channel.set_quantities([write("CUP-1", 2_000_000_000, "PRODUCT:")])
    assert (result.outcome, result.cause) == (WriteOutcome.REFUSED, CauseClass.VALIDATION)
    assert result.message is not None
    assert "90000900" in result.message


async def test_listing_stocked_at_amazon_is_never_given_a_second_stock(setup: Setup) -> None:
    [result] = await setup.channel.set_quantities([write("FBA-1", 5)])
    assert (result.outcome, result.cause) == (WriteOutcome.REFUSED, CauseClass.MAPPING)
    assert list(setup.market.market.state.listings["FBA-1"].effective) == ["AMAZON_NA"]
    assert setup.quota.count("patchListingsItem") == 0


async def test_another_channel_code_would_add_an_entry() -> None:
    """The trap itself, so that the refusal above is known to guard something."""
    connection = replace(CONNECTION, fulfillment_channel="OTHER")
    async with open_setup(connection) as setup:
        await setup.channel.set_quantities([write("FBA-1", 5)], urgent=True)
        codes = [entry["fulfillment_channel_code"] for entry in setup.market.market.state.listings["FBA-1"].entries]
        assert codes == ["AMAZON_NA", "OTHER"]


async def test_lost_reply_is_transient_and_sending_again_is_safe(setup: Setup) -> None:
    await setup.market.break_it("lost_reply")
    with pytest.raises(Fault) as caught:
        await setup.channel.set_quantities([write("CUP-1", 1, "PRODUCT:")])
    assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)
    await setup.market.wait_for("CUP-1", 1)
    [again] = await setup.channel.set_quantities([write("CUP-1", 1, "PRODUCT:")])
    assert again.outcome is WriteOutcome.ACCEPTED


async def test_one_lost_reply_does_not_fail_its_neighbours(setup: Setup) -> None:
    await setup.market.break_it("lost_reply")
    writes = [write(sku, 1, "PRODUCT:") for sku in ("CUP-1", "POT/1 a", "CUP-1")]
    outcomes = [result.outcome for result in await setup.channel.set_quantities(writes)]
    assert sorted(outcomes) == [WriteOutcome.ACCEPTED, WriteOutcome.ACCEPTED, WriteOutcome.TRANSIENT]


async def test_accepted_and_never_applied_is_seen_by_observing_only(setup: Setup) -> None:
    await setup.market.break_it("not_applied")
    [result] = await setup.channel.set_quantities([write("TEA-1", 4)])
    assert result.outcome is WriteOutcome.ACCEPTED
    await asyncio.sleep(0.1)
    [seen] = await setup.channel.observe([ListingRef("TEA-1")])
    assert seen.quantity == 10
    # What was submitted already shows the new number: reading attributes back would prove nothing.
    assert setup.market.market.state.listings["TEA-1"].entries[0]["quantity"] == 4


async def test_outside_change_is_seen_by_observing(setup: Setup) -> None:
    await setup.market.break_it("outside_change")
    await setup.channel.set_quantities([write("TEA-1", 4)])
    await setup.market.wait_for("TEA-1", 3)
    [seen] = await setup.channel.observe([ListingRef("TEA-1")])
    assert seen.quantity == 3


async def test_tokens_dying_mid_batch_are_refreshed_once(setup: Setup) -> None:
    await setup.channel.observe([ListingRef("TEA-1")])
    setup.market.market.faults.add_counted({"kind": "token_expired", "count": 1})
    writes = [write("CUP-1", number, "PRODUCT:") for number in range(8)]
    results = await setup.channel.set_quantities(writes)
    assert {result.outcome for result in results} == {WriteOutcome.ACCEPTED}
    assert len(setup.market.market.tokens) == 1


async def test_server_errors_are_an_outage_that_passes(setup: Setup) -> None:
    for kind in ("server_error", "unavailable"):
        await setup.market.break_it(kind)
        with pytest.raises(Fault) as caught:
            await setup.channel.set_quantities([write("CUP-1", 1, "PRODUCT:")])
        assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)
    [result] = await setup.channel.set_quantities([write("CUP-1", 1, "PRODUCT:")])
    assert result.outcome is WriteOutcome.ACCEPTED


async def test_a_batch_waits_a_little_for_the_vendors_quota() -> None:
    async with open_setup(limits={**GENEROUS, "patchListingsItem": Limit(20, 5)}) as setup:
        writes = [write("CUP-1", number, "PRODUCT:") for number in range(10)]
        results = await setup.channel.set_quantities(writes)
        assert {result.outcome for result in results} == {WriteOutcome.ACCEPTED}
        assert (await setup.market.state())["throttled"]["patchListingsItem"] > 0
        assert ("patchListingsItem", None, 0.0) in setup.quota.announced
        assert setup.channel.batch_size(1_000, urgent=False) == 40


async def test_a_burst_of_429_ends_the_batch_not_the_writes() -> None:
    """Longer than the batch's patience: nobody is refused, everybody is told when."""
    async with open_setup(limits={**GENEROUS, "patchListingsItem": Limit(0.4, 2)}) as setup:
        writes = [write("CUP-1", number, "PRODUCT:") for number in range(6)]
        results = await setup.channel.set_quantities(writes)
        waiting = [result for result in results if result.outcome is not WriteOutcome.ACCEPTED]
        assert len(waiting) == 4
        assert {(result.outcome, result.cause) for result in waiting} == {(WriteOutcome.TRANSIENT, CauseClass.QUOTA)}
        assert waiting[0].wait_seconds == pytest.approx(2.5)
        with pytest.raises(Throttled) as caught:
            await setup.channel.set_quantities([write("CUP-1", 1, "PRODUCT:")])
        assert caught.value.wait_seconds == pytest.approx(2.5)


async def test_a_burst_of_429_while_tokens_are_left_passes(setup: Setup) -> None:
    await setup.market.break_it("throttled", 5)
    results = await setup.channel.set_quantities([write("CUP-1", number, "PRODUCT:") for number in range(5)])
    assert {result.outcome for result in results} == {WriteOutcome.ACCEPTED}
    assert (await setup.market.state())["throttled"]["patchListingsItem"] == 5


async def test_own_quota_is_asked_before_anything_is_sent() -> None:
    quota = Ledger(refusals={"patchListingsItem": [60.0]})
    channel = answering(quota=quota)
    with pytest.raises(Throttled):
        await channel.set_quantities([write("CUP-1", 1, "PRODUCT:")])
    assert quota.taken == []


async def test_revoked_access_fails_the_call_and_refuses_no_listing() -> None:
    denied = {"errors": [{"code": "AccessDenied", "message": "no", "details": ""}]}
    accepted = {"sku": "A", "status": "ACCEPTED", "submissionId": "1", "issues": []}
    channel = answering(httpx.Response(403, json=denied))
    with pytest.raises(Fault) as caught:
        await channel.set_quantities([write("CUP-1", 1, "PRODUCT:")])
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.AUTH)
    channel = answering(httpx.Response(200, json=accepted), httpx.Response(403, json=denied))
    good, bad = await channel.set_quantities([write("A", 1, "PRODUCT:"), write("B", 1, "PRODUCT:")])
    assert good.outcome is WriteOutcome.ACCEPTED
    assert (bad.outcome, bad.cause) == (WriteOutcome.TRANSIENT, CauseClass.AUTH)


async def test_terms_that_cannot_be_read_now_do_not_stop_the_write(setup: Setup) -> None:
    setup.quota.refusals["getListingsItem"] = [30.0]
    [result] = await setup.channel.set_quantities([write("TEA-1", 2, "TEA")])
    assert result.outcome is WriteOutcome.ACCEPTED
    await setup.market.wait_for("TEA-1", 2)
    assert (await setup.market.state())["lead_times"]["TEA-1"] == 3


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("LUGGAGE:3", Terms("LUGGAGE", 3, whole=True)),
        ("LUGGAGE:", Terms("LUGGAGE", None, whole=True)),
        ("LUGGAGE", Terms("LUGGAGE")),
    ],
)
def test_reference_and_terms(text: str, terms: Terms) -> None:
    assert parse_reference(text) == terms
    assert format_reference(terms) == text


def test_odd_references_say_as_little_as_none() -> None:
    assert parse_reference(None) == parse_reference("") == Terms()
    assert parse_reference("TEA:x") == Terms("TEA")
    assert format_reference(Terms()) is None


async def test_with_no_feed_to_be_had_the_first_writes_go_by_patch_and_the_rest_come_again(setup: Setup) -> None:
    setup.quota.refusals["createFeedDocument"] = [120.0]
    writes = [QuantityWrite("CUP-1", 1, None, f"k{number}", reference="PRODUCT:") for number in range(20_000)]
    results = await setup.channel.set_quantities(writes)
    sent = [result for result in results if result.outcome is WriteOutcome.ACCEPTED]
    rest = [result for result in results if result.cause is CauseClass.QUOTA]
    assert 1 <= len(sent) <= 2_000
    assert len(sent) + len(rest) == len(writes)
    assert setup.channel.batch_size(20_000, urgent=False) < 20_000
