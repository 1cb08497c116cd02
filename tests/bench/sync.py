"""The sync engine against the sandbox marketplaces: lag unthrottled, convergence under quota, and the zero lane."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from app.channels.connect_channel import connect_channel
from app.channels.link_listing import link_listings
from app.state import State, open_state
from tests.instance import Running
from tests.marketplaces import running_marketplace, settings_of
from tests.seed import add_stock, make_catalog
from tests.simulation.market import Market
from tests.simulation.markets import MARKETS

UNITS = 100
UNTHROTTLED = {"amazon": ("--limit", "patchListingsItem=500/500")}
"""Of what would bind by itself: one call for each listing."""
WAIT_SECONDS_MAX = 300.0
UNSETTLED = "SELECT count(*) FROM listings WHERE desired_version > acknowledged_version"


@dataclass(frozen=True, slots=True)
class Lags:
    """Seconds, ascending, and how many never came."""

    seconds: list[float]
    missing: int

    def percentile(self, share: float) -> float:
        return self.seconds[min(int(len(self.seconds) * share), len(self.seconds) - 1)]


@asynccontextmanager
async def market_of(
    instance: Running, folder: Path, kind: str, skus: Sequence[str], arguments: Sequence[str] = (), **config: object
) -> AsyncIterator[tuple[State, Market]]:
    """A marketplace connected LIVE with a listing for each SKU and `UNITS` in stock; it is told from now on."""
    make = MARKETS[kind]
    url = f"{instance.info['url']}/webhooks/{kind}/sim-{kind}"
    given = [*make.arguments(url, folder / f"{kind}.json"), *arguments]
    async with httpx.AsyncClient() as http, open_state(settings_of(instance), "onhand bench") as state:
        with running_marketplace(kind, folder, *given) as running:
            market, house = make(running, http), house_of(skus)
            await make_catalog(state, [house], skus)
            for start in range(0, len(skus), 1_000):
                await add_stock(state, house, dict.fromkeys(skus[start : start + 1_000], UNITS))
            wanted, links = await market.connect(skus, [house])
            async with state.database.hot.acquire() as connection:
                settled = replace(wanted, config={**wanted.config, **config})
                channel_id = await connect_channel(connection, state.settings, settled)
                await link_listings(connection, channel_id, links)
            yield state, market


def house_of(skus: Sequence[str]) -> str:
    """A warehouse for each measurement, named after its SKUs."""
    return f"HOUSE-{skus[0].split('-', maxsplit=1)[0]}"


async def wait_until_told(state: State) -> None:
    end = time.monotonic() + WAIT_SECONDS_MAX
    while await state.database.hot.fetchval(UNSETTLED):
        assert time.monotonic() < end, "the channel does not converge"
        await asyncio.sleep(0.05)


async def measure_lag(
    instance: Running, folder: Path, kind: str, *, listings: int, per_second: float, seconds: float
) -> Lags:
    """From sending a stock change to the marketplace's own record of the new quantity, at a steady rate of changes."""
    skus = [f"{kind}-{n}" for n in range(listings)]
    async with market_of(instance, folder, kind, skus, UNTHROTTLED.get(kind, ())) as (state, market):
        state.doorbell.ring("push")
        await wait_until_told(state)
        chance, expected, sent = random.Random(3), dict.fromkeys(skus, UNITS), []
        started = time.monotonic()
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, started + number / per_second - time.monotonic()))
            sku = chance.choice(skus)
            expected[sku] += 1
            sent.append((sku, expected[sku], time.time()))
            await add_stock(state, house_of(skus), {sku: 1})
        await wait_until_told(state)
        await asyncio.sleep(1.0)
        return await _match(market, sent)


async def measure_convergence(instance: Running, folder: Path, *, listings: int, rate: float, burst: float) -> float:
    """Time to tell Amazon all listings by patches alone, over the least time its quota allows."""
    skus = [f"quota-{n}" for n in range(listings)]
    limit = ("--limit", f"patchListingsItem={rate:g}/{burst:g}")
    async with market_of(instance, folder, "amazon", skus, limit, feed_seconds=1e9) as (state, _):
        started = time.monotonic()
        state.doorbell.ring("push")
        await wait_until_told(state)
        return (time.monotonic() - started) / ((listings - burst) / rate)


async def measure_zeros(instance: Running, folder: Path, *, listings: int, zeros: int, seconds: float) -> Lags:
    """From the commit of a fall to zero to Amazon's acknowledgement, while `listings` wait on 5 patches a second."""
    skus = [f"zero-{n}" for n in range(listings)]
    limit = ("--limit", "patchListingsItem=5/5")
    async with market_of(instance, folder, "amazon", skus, limit, feed_seconds=1e9) as (state, _):
        state.doorbell.ring("push")
        chance = random.Random(5)
        fallen = chance.sample(skus, zeros)
        moments = sorted(chance.uniform(0, seconds) for _ in fallen)
        started, sent = time.monotonic(), {}
        for sku, moment in zip(fallen, moments, strict=True):
            await asyncio.sleep(max(0.0, started + moment - time.monotonic()))
            await add_stock(state, house_of(skus), {sku: -UNITS})
            sent[sku] = time.time()
        await asyncio.sleep(5.0)
        query = """SELECT k.code, extract(epoch FROM l.acknowledged_at)::float8 FROM listings l
                   JOIN skus k ON k.id = l.sku_id WHERE k.code = ANY($1::text[]) AND l.acknowledged = 0"""
        found = {row[0]: row[1] for row in await state.database.hot.fetch(query, fallen)}
        lags = sorted(max(0.0, found[sku] - at) for sku, at in sent.items() if sku in found)
        return Lags(lags, len(fallen) - len(lags))


async def _match(market: Market, sent: Sequence[tuple[str, int, float]]) -> Lags:
    acknowledged: dict[str, list[tuple[int, float]]] = {}
    for one in (await market.state())["acknowledgements"]:
        acknowledged.setdefault(one["sku"], []).append((one["quantity"], one["at"]))
    lags, missing = [], 0
    for sku, quantity, at in sent:
        times = [when for shown, when in acknowledged.get(sku, ()) if shown >= quantity]
        if times:
            lags.append(max(0.0, min(times) - at))
        else:
            missing += 1
    return Lags(sorted(lags), missing)
