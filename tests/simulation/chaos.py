"""Seeded chaos: traffic on every channel, every fault, workers and Valkey killed; then peace, and an audit.

    python -m tests.simulation.chaos --seconds 600 --seed 7

The audit asks: does every listing show what it should, everywhere the same number; is every order of every marketplace
on record exactly once; was no more oversold than the exposure that Onhand itself reported then; does the ledger hold.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from adapters.postgres.database import open_database
from app.channels.connect_channel import connect_channel
from app.channels.link_listing import link_listings
from app.channels.relay_stock import SELLABLE
from app.state import State, open_state
from app.stock.verify_ledger import verify_ledger
from domain.errors import Refusal
from tests.instance import Running, running_instance
from tests.marketplaces import running_marketplace, settings_of
from tests.seed import add_stock, make_catalog
from tests.simulation.markets import MARKETS, Market, gather_states

ENVIRONMENT = {
    "ONHAND_DRIFT_SECONDS": "2",
    "ONHAND_OBSERVE_AGAIN_SECONDS": "1",
    "ONHAND_ORDERS_POLL_SECONDS": "2",
    "ONHAND_ORDERS_OVERLAP_SECONDS": "3600",
    "ONHAND_PUSH_LEASE_SECONDS": "6",
}
WAREHOUSES = ("SIM-A", "SIM-B")
CONVERGE_SECONDS_MAX = 180.0
EXPOSURE = f"""
SELECT l.channel_id, l.sku_id, greatest(0, coalesce(l.acknowledged, 0) - greatest(0, a.available))
FROM listings l CROSS JOIN LATERAL ({SELLABLE}) a
"""
UNSETTLED = """
SELECT l.external_id, c.code, l.desired, l.acknowledged, l.observed, l.error FROM listings l
JOIN channels c ON c.id = l.channel_id
WHERE l.desired_version <> l.acknowledged_version OR l.desired IS DISTINCT FROM l.acknowledged
   OR l.observed IS DISTINCT FROM l.desired LIMIT 20
"""


@dataclass(slots=True)
class Chaos:
    """One run and what it saw."""

    seed: int
    instance: Running
    state: State
    markets: list[Market]
    skus: list[str]
    chance: random.Random
    sold: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    exposed: Counter[tuple[int, int]] = field(default_factory=Counter)
    """The largest exposure reported for each channel and SKU."""
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, seconds: float) -> None:
        """Traffic and faults for so long, then peace."""
        for market in self.markets:
            await market.set_faults(self.seed)
        loops = [self._buy(market) for market in self.markets]
        tasks = [asyncio.create_task(one) for one in (*loops, self._move_stock(), self._kill(), self._watch_exposure())]
        await asyncio.sleep(seconds)
        self.ending.set()
        await asyncio.gather(*tasks)
        for market in self.markets:
            await market.set_faults(0)

    async def _buy(self, market: Market) -> None:
        chance = random.Random(f"{self.seed}{market.kind}")
        while not self.ending.is_set():
            with contextlib.suppress(httpx.HTTPError):
                sku = self.skus[min(int(chance.expovariate(0.15)), len(self.skus) - 1)]
                self.sold[market.kind] += await market.buy(sku, chance.choice((1, 1, 1, 2)))
            await asyncio.sleep(chance.expovariate(8))

    async def _move_stock(self) -> None:
        while not self.ending.is_set():
            sku, house = self.chance.choice(self.skus), self.chance.choice(WAREHOUSES)
            change = self.chance.choice((-3, -1, 2, 4, 8))
            with contextlib.suppress(Refusal, asyncpg.PostgresError, OSError):
                await add_stock(self.state, house, {sku: change})
            await asyncio.sleep(self.chance.expovariate(5))

    async def _kill(self) -> None:
        while not self.ending.is_set():
            await asyncio.sleep(self.chance.uniform(2, 5))
            name = self.chance.choice(("app.worker", "app.worker", "app.worker", "valkey"))
            for process in psutil.Process(self.instance.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if name in " ".join(process.cmdline()):
                        os.kill(process.pid, signal.SIGKILL)
                        self.kills[name] += 1
                        break

    async def _watch_exposure(self) -> None:
        """As `oversellExposure` reports it, sampled for the whole run."""
        while not self.ending.is_set():
            for channel_id, sku_id, units in await self.state.database.hot.fetch(EXPOSURE):
                key = (channel_id, sku_id)
                self.exposed[key] = max(self.exposed[key], units)
            await asyncio.sleep(0.1)

    async def converge(self) -> float:
        """Seconds until every listing shows what it should. Raises AssertionError with what does not."""
        started = time.monotonic()
        while True:
            left = await self._find_unsettled()
            if not left:
                return time.monotonic() - started
            assert time.monotonic() - started < CONVERGE_SECONDS_MAX, f"seed {self.seed}: {left}"
            await asyncio.sleep(0.5)

    async def _find_unsettled(self) -> list[str]:
        rows = await self.state.database.hot.fetch(UNSETTLED)
        waiting = await self.state.database.hot.fetchval(
            "SELECT count(*) FROM inbound_events WHERE processed_at IS NULL"
        )
        problems = [str(tuple(row)) for row in rows] + [f"{waiting} events waiting"] * bool(waiting)
        if problems:
            return problems
        states = await gather_states(self.markets)
        for market in self.markets:
            shown = states[market.kind]["quantities"]
            wanted = await self._desired(market)
            problems += [f"{market.kind} {sku}: {shown[sku]}, not {n}" for sku, n in wanted.items() if shown[sku] != n]
            missing = await self._missing_orders(market, states[market.kind])
            problems += [f"{market.kind}: orders {sorted(missing)[:5]} are not on record"] * bool(missing)
        return problems

    async def _desired(self, market: Market) -> dict[str, int]:
        query = """SELECT k.code, l.desired FROM listings l JOIN skus k ON k.id = l.sku_id
                   JOIN channels c ON c.id = l.channel_id WHERE c.code = $1"""
        return {row[0]: row[1] for row in await self.state.database.hot.fetch(query, market.code)}

    async def _missing_orders(self, market: Market, shown: Any) -> set[str]:
        query = "SELECT o.external_id FROM orders o JOIN channels c ON c.id = o.channel_id WHERE c.code = $1"
        known = {row[0] for row in await self.state.database.hot.fetch(query, market.code)}
        return {str(order["id"]) for order in shown["orders"]} - known

    async def audit(self) -> dict[str, Any]:
        """What must hold. Raises AssertionError, naming the seed."""
        hint = f"seed {self.seed}"
        states = await gather_states(self.markets)
        for market in self.markets:
            query = """SELECT o.external_id, count(*) FROM orders o JOIN channels c ON c.id = o.channel_id
                       WHERE c.code = $1 GROUP BY 1"""
            known = {row[0]: row[1] for row in await self.state.database.hot.fetch(query, market.code)}
            placed = {str(order["id"]) for order in states[market.kind]["orders"]}
            assert set(known) == placed, f"{hint}: {market.kind} orders differ: {set(known) ^ placed}"
            assert set(known.values()) <= {1}, hint
        oversold = await self._count_oversold()
        for key, units in oversold.items():
            assert units <= self.exposed[key], f"{hint}: {units} of {key} oversold, exposed {self.exposed[key]}"
        async with open_database(self.state.settings.database_url, pool_size=1, hot_pool_size=2, name="audit") as audit:
            report = await verify_ledger(audit)
        assert report.problems == [], hint
        allocated = await self.state.database.hot.fetch("SELECT status, count(*) FROM orders GROUP BY 1")
        cases = await self.state.database.hot.fetch("SELECT kind, state, count(*) FROM exception_cases GROUP BY 1, 2")
        return {
            "sold": dict(self.sold),
            "kills": dict(self.kills),
            "orders": {row[0]: row[1] for row in allocated},
            "oversold units": sum(oversold.values()),
            "cases": {f"{row[0]} {row[1]}": row[2] for row in cases},
            "movements": report.movements,
        }

    async def _count_oversold(self) -> Counter[tuple[int, int]]:
        """Units sold that no warehouse had, by channel and SKU."""
        query = """SELECT o.channel_id, l.sku_id, sum(l.quantity - l.cancelled - l.shipped - l.allocated)::int
            FROM orders o JOIN order_lines l ON l.order_id = o.id
            WHERE o.status <> 'CANCELLED' GROUP BY 1, 2 HAVING sum(l.quantity - l.cancelled - l.shipped - l.allocated) > 0"""
        return Counter({(row[0], row[1]): row[2] for row in await self.state.database.hot.fetch(query)})


@asynccontextmanager
async def prepared(folder: Path, seed: int, kinds: Sequence[str], skus: int) -> AsyncIterator[Chaos]:
    """An instance and its marketplaces, connected and showing the same stock."""
    with ExitStack() as processes:
        instance = processes.enter_context(running_instance(folder / "data", api_processes=1, environment=ENVIRONMENT))
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(httpx.AsyncClient())
            state = await stack.enter_async_context(open_state(settings_of(instance), "onhand simulation"))
            codes = [f"SKU-{n}" for n in range(skus)]
            await make_catalog(state, WAREHOUSES, skus)
            chance = random.Random(seed)
            for house in WAREHOUSES:
                await add_stock(state, house, {code: chance.randint(5, 40) for code in codes})
            markets = []
            for kind in kinds:
                make = MARKETS[kind]
                url = f"{instance.info['url']}/webhooks/{kind}/sim-{kind}"
                running = processes.enter_context(
                    running_marketplace(kind, folder, *make.arguments(url, folder / f"{kind}.json"))
                )
                market = make(running, http)
                wanted, links = await market.connect(codes, WAREHOUSES)
                async with state.database.hot.acquire() as connection:
                    channel_id = await connect_channel(connection, state.settings, wanted)
                    await link_listings(connection, channel_id, links)
                markets.append(market)
            state.doorbell.ring("push")
            chaos = Chaos(seed, instance, state, markets, codes, chance)
            await chaos.converge()
            yield chaos


async def run_chaos(folder: Path, *, seed: int, seconds: float, kinds: Sequence[str], skus: int) -> dict[str, Any]:
    """The whole: prepare, break, wait, audit."""
    async with prepared(folder, seed, kinds, skus) as chaos:
        await chaos.run(seconds)
        took = await chaos.converge()
        return {**await chaos.audit(), "converged after seconds": round(took, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.chaos")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--skus", type=int, default=40)
    parser.add_argument("--kinds", default=",".join(MARKETS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onhand-chaos-") as folder:
        report = asyncio.run(
            run_chaos(
                Path(folder), seed=asked.seed, seconds=asked.seconds, kinds=asked.kinds.split(","), skus=asked.skus
            )
        )
    for name, value in report.items():
        sys.stdout.write(f"{name}: {value}\n")


if __name__ == "__main__":
    main()
