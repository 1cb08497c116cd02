"""Access tokens: fetched once for all who wait, again when eBay says so, and nowhere to be read."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from adapters.channels.base import ListingRef, WriteOutcome
from adapters.channels.ebay.channel import EbayChannel
from adapters.channels.ebay.request import Request
from adapters.sandbox.ebay import ProductConfig
from domain.errors import CauseClass, Fault
from tests.adapters.ebay.market import CREDENTIALS, Market, connect, open_market

TEA = ListingRef("TEA-1")


async def grants(market: Market) -> int:
    granted: int = (await market.state())["tokens_granted"]
    return granted


async def test_many_calls_share_one_token(market: Market, ebay: EbayChannel) -> None:
    """Two are granted: the seller's, and the application's for reading the limits."""
    await asyncio.gather(*(ebay.observe([TEA]) for _ in range(20)))
    assert await grants(market) == 2


@pytest.mark.parametrize("kind", ["token_expired", "token_expired_403"])
async def test_a_token_that_expires_between_requests_is_renewed(kind: str) -> None:
    products = tuple(ProductConfig(f"S-{n}", f"Thing {n}", quantity=1) for n in range(75))
    async with open_market(products=products) as market, connect(market) as ebay:
        await ebay.observe([ListingRef("S-1")])
        before = await grants(market)
        await market.break_it(kind)
        results = await ebay.set_quantities([market.write(product.sku, 4) for product in products])
        assert {result.outcome for result in results} == {WriteOutcome.OK}
        assert await grants(market) == before + 1
        assert market.recorder.count("/bulk_update_price_quantity") == 4


async def test_many_rejected_calls_share_one_renewal(market: Market, ebay: EbayChannel) -> None:
    await ebay.observe([TEA])
    before = await grants(market)
    await market.faults(token_expired={"rate": 1, "times": 1}, latency={"rate": 1, "seconds": 0.05})
    seen = await asyncio.gather(*(ebay.observe([TEA]) for _ in range(20)))
    assert {one.quantity for [one] in seen} == {10}
    assert await grants(market) == before + 1


async def test_a_token_that_stays_rejected_ends_after_one_renewal(market: Market, ebay: EbayChannel) -> None:
    await ebay.observe([TEA])
    before = await grants(market)
    await market.break_it("token_expired", 100)
    with pytest.raises(Fault) as caught:
        await ebay.observe([TEA])
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.AUTH)
    assert await grants(market) == before + 1


async def test_a_missing_permission_is_not_a_stale_token(market: Market, ebay: EbayChannel) -> None:
    request = Request("GET", "/sell/inventory/v1/inventory_item", "inventory", application=True)
    with pytest.raises(Fault) as caught:
        await ebay.client.call(request)
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.AUTH)
    assert "1100" in str(caught.value)
    assert await grants(market) == 2


async def test_a_token_is_renewed_before_its_end() -> None:
    async with open_market(token_seconds=1.0) as market, connect(market) as ebay:
        await ebay.observe([TEA])
        await asyncio.sleep(1.0)
        assert (await ebay.observe([TEA]))[0].quantity == 10
        statuses = [exchange.status for exchange in market.recorder.exchanges]
        assert 401 not in statuses


async def test_a_refused_refresh_token_needs_a_person_and_shows_no_secret(
    market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = replace(CREDENTIALS, refresh_token="stolen-refresh-token")
    async with connect(market, credentials=wrong) as ebay:
        results = await asyncio.gather(*(ebay.observe([TEA]) for _ in range(5)), return_exceptions=True)
        assert {type(result) for result in results} == {Fault}
        fault = results[0]
        assert isinstance(fault, Fault)
        assert (fault.transient, fault.cause) == (False, CauseClass.AUTH)
        told = f"{fault!r} {ebay!r} {caplog.text}"
    for secret in (wrong.refresh_token, wrong.client_secret, "v^1.1"):
        assert secret not in told


async def test_secrets_stay_out_of_logs_and_faults(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with connect(market) as ebay:
        await ebay.observe([TEA])
        await market.break_it("server_error")
        with pytest.raises(Fault) as caught:
            await ebay.observe([TEA])
        told = f"{caught.value!r} {ebay!r} {caplog.text}"
    for secret in (CREDENTIALS.refresh_token, CREDENTIALS.client_secret, "v^1.1"):
        assert secret not in told


async def test_a_marketplace_that_is_away_is_an_outage() -> None:
    async with open_market() as market:
        pass
    async with connect(market) as ebay:
        with pytest.raises(Fault) as caught:
            await ebay.observe([TEA])
    assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)
