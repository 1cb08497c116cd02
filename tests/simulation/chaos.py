"""Seeded chaos: traffic on every channel, every fault, workers and Valkey killed; then peace, and an audit.

    python -m tests.simulation.chaos --seconds 600 --seed 7

The audit asks: does every listing show what it should, everywhere the same number; is every order of every marketplace
on record exactly once, with the units that its buyer still wants; is nothing counted twice; was no more oversold than
the exposure that Onhand itself reported then; does the ledger hold.
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
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psutil

from adapters.postgres.database import open_database
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.channels.measure_exposure import measure_exposure
from app.channels.resync_listings import resync_listings
from app.embedded import read_secrets
from app.initialize_postgres import OWNER
from app.state import State, open_state
from app.stock.verify_ledger import verify_ledger
from tests.instance import Running, running_instance
from tests.marketplaces import running_marketplace, settings_of
from tests.seed import TESTER, make_catalog
from tests.simulation.audit import Sale, Verdict, judge_oversold
from tests.simulation.books import Truth, compare_books, read_books
from tests.simulation.dispatch import Parcels, compare_parcels
from tests.simulation.market import Market, PutBack
from tests.simulation.markets import MARKETS, gather_states
from tests.simulation.trace import NEVER, Key, OrderKey, read_trace, start_trace
from tests.simulation.traffic import WAREHOUSES, Traffic

ENVIRONMENT = {
    "ONHAND_DRIFT_SECONDS": "2",
    "ONHAND_OBSERVE_AGAIN_SECONDS": "1",
    "ONHAND_ORDERS_POLL_SECONDS": "2",
    "ONHAND_ORDERS_OVERLAP_SECONDS": "3600",
    "ONHAND_PUSH_LEASE_SECONDS": "6",
}
WAITING = """
SELECT c.code, e.topic, e.error, max(e.attempts) AS attempts, max(e.next_attempt_at) - now() AS waits, count(*) AS events
FROM inbound_events e JOIN channels c ON c.id = e.channel_id WHERE e.processed_at IS NULL GROUP BY 1, 2, 3 LIMIT 20
"""
TOLD = """
SELECT bool_and(l.desired_version = l.acknowledged_version AND (l.observed_at IS NOT NULL OR c.kind = 'B2B'))
FROM listings l JOIN channels c ON c.id = l.channel_id
"""
CONVERGE_SECONDS_MAX = 300.0
EVERY_FAULT_SECONDS = 300.0
"""In a run so long each fault happens for which there is occasion."""
STRIKES_DUE = 5.0
WORKERS = 2
DIRECT = "sim-direct"
UNTOLD = """
SELECT c.code, o.external_id, n.state, n.attempts, n.error FROM cancel_notices n JOIN orders o ON o.id = n.order_id
JOIN channels c ON c.id = o.channel_id WHERE n.state NOT IN ('ACKNOWLEDGED', 'LAPSED') LIMIT 20
"""
UNCONFIRMED = """
SELECT c.code, o.external_id, f.attempts, f.error FROM fulfillments f JOIN orders o ON o.id = f.order_id
JOIN channels c ON c.id = o.channel_id WHERE f.confirmation = 'PENDING' LIMIT 20
"""
UNFILLED = """
SELECT o.external_id, k.code, v.available FROM order_lines l JOIN orders o ON o.id = l.order_id
JOIN skus k ON k.id = l.sku_id JOIN stock_levels v ON v.sku_id = l.sku_id AND v.available > 0
WHERE l.quantity > l.allocated + l.shipped + l.cancelled AND o.hold_reason IS NULL LIMIT 20
"""
UNSETTLED = """
SELECT l.external_id, c.code, l.desired, l.acknowledged, l.observed, l.error FROM listings l
JOIN channels c ON c.id = l.channel_id
WHERE l.desired_version <> l.acknowledged_version OR l.desired IS DISTINCT FROM l.acknowledged
   OR (c.kind <> 'B2B' AND l.observed IS DISTINCT FROM l.desired) LIMIT 20
"""


@dataclass(slots=True)
class Chaos:
    """One run and what it saw."""

    traffic: Traffic
    kills: Counter[str] = field(default_factory=Counter)
    exposed: Counter[str] = field(default_factory=Counter)
    """The most units that Onhand reported as exposed, by channel, and over all of them."""
    last: list[str] = field(default_factory=list)
    """What took longest to converge."""
    struck: dict[str, Counter[str]] = field(default_factory=dict)
    """How often each fault struck, by the marketplace's kind."""
    occasions: dict[str, Counter[str]] = field(default_factory=dict)
    """How often each could have."""

    @property
    def seed(self) -> int:
        return self.traffic.seed

    @property
    def state(self) -> State:
        return self.traffic.state

    @property
    def markets(self) -> list[Market]:
        return self.traffic.markets

    async def run(self, seconds: float) -> None:
        """Traffic and faults for so long, then peace."""
        for market in self.markets:
            await market.set_faults(self.seed)
        loops = [*self.traffic.loops(), self._kill(), self._watch_exposure()]
        tasks = [asyncio.create_task(one) for one in loops]
        await asyncio.sleep(seconds)
        self.traffic.ending.set()
        await asyncio.gather(*tasks)
        for kind, shown in (await gather_states(self.markets)).items():
            self.struck[kind] = Counter(shown["faults"]["struck"])
            self.occasions[kind] = Counter(shown["faults"]["occasions"])
        for market in self.markets:
            await market.set_faults(0)
        await self._settle_refusals()

    def list_unstruck(self) -> list[str]:
        """Faults that were on, and never happened."""
        return [f"{m.kind} {name}" for m in self.markets for name in m.faults if not self.struck[m.kind][name]]

    def list_missed(self) -> list[str]:
        """Those of them that should have: `STRIKES_DUE` strikes were to be expected of the occasions that there were.

        Amazon's order quota is a page in three minutes once its burst is used up: many runs never see a second page.
        """
        return [
            f"{m.kind} {name}"
            for m in self.markets
            for name, fault in m.faults.items()
            if not self.struck[m.kind][name] and self.occasions[m.kind][name] * fault["rate"] >= STRIKES_DUE
        ]

    async def _kill(self) -> None:
        """Whatever it is at. Many are let live for a while, so that there is something to be at on a busy machine too."""
        chance = random.Random(f"{self.seed}kill")
        async for _ in self.traffic.at_times(lambda: chance.uniform(2, 5)):
            name, seconds = chance.choice(("app.worker", "app.worker", "app.worker", "valkey")), chance.uniform(0, 15)
            for process in psutil.Process(self.traffic.instance.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if name in " ".join(process.cmdline()) and time.time() - process.create_time() > seconds:
                        os.kill(process.pid, signal.SIGKILL)
                        self.kills[name] += 1
                        break

    async def _watch_exposure(self) -> None:
        """What `oversellExposure` says, a few times a second."""
        while not self.traffic.ending.is_set():
            found = await measure_exposure(self.state.database, TESTER)
            for row in found.channels:
                self.exposed[row["c_code"]] = max(self.exposed[row["c_code"]], row["units"])
            self.exposed["in all"] = max(self.exposed["in all"], found.units)
            await asyncio.sleep(0.3)

    async def _settle_refusals(self) -> None:
        """A listing that a vendor refused for good waits for a person: this is the person."""
        refused = await self.state.database.hot.fetch("SELECT id FROM listings WHERE rejected")
        async with self.state.database.hot.acquire() as connection, connection.transaction():
            await resync_listings(connection, [row["id"] for row in refused])
        self.state.doorbell.ring("push")

    async def take_all(self, sku: str) -> None:
        """What the houses hold of it goes, as in a count that finds nothing."""
        query = """SELECT w.code, v.available FROM stock_levels v JOIN warehouses w ON w.id = v.warehouse_id
                   JOIN skus k ON k.id = v.sku_id WHERE k.code = $1 AND v.available > 0"""
        for house, units in await self.state.database.hot.fetch(query, sku):
            await self.traffic.move(house, sku, -units)

    async def wait_until(self, query: str, *values: Any) -> None:
        """Until the database answers true. Raises AssertionError."""
        end = time.monotonic() + CONVERGE_SECONDS_MAX
        while not await self.state.database.hot.fetchval(query, *values):
            assert time.monotonic() < end, query
            await asyncio.sleep(0.02)

    async def converge(self) -> float:
        """Seconds until every listing shows what it should. Raises AssertionError with what does not."""
        started = time.monotonic()
        while True:
            left = await self._find_unsettled()
            if not left:
                return time.monotonic() - started
            assert time.monotonic() - started < CONVERGE_SECONDS_MAX, f"seed {self.seed}: {left}"
            self.last = left
            await self.traffic.work_cases()
            await asyncio.sleep(0.5)

    async def _find_unsettled(self) -> list[str]:
        rows = await self.state.database.hot.fetch(UNSETTLED)
        waiting = await self.state.database.hot.fetch(WAITING)
        untold = await self.state.database.hot.fetch(UNTOLD)
        unfilled = await self.state.database.hot.fetch(UNFILLED)
        unconfirmed = await self.state.database.hot.fetch(UNCONFIRMED)
        problems = [str(tuple(row)) for row in (*rows, *waiting, *untold, *unfilled, *unconfirmed)]
        if problems:
            return problems
        states = await gather_states(self.markets)
        for market in self.markets:
            shown = states[market.kind]["quantities"]
            wanted = await self._desired(market)
            problems += [f"{market.kind} {sku}: {shown[sku]}, not {n}" for sku, n in wanted.items() if shown[sku] != n]
            missing = await self._missing_orders(market, states[market.kind])
            problems += [f"{market.kind}: orders {sorted(missing)[:5]} are not on record"] * bool(missing)
        differing = compare_books(self._truth(states), await read_books(self.state.database.hot))
        return problems + differing[:9]

    def _truth(self, states: Mapping[str, Any]) -> Truth:
        live = {
            (market.code, str(order["id"]), order["lines"][0]["sku"]): market.count_live(order)
            for market in self.markets
            for order in states[market.kind]["orders"]
        }
        dispatch = self.traffic.dispatch
        held = self.traffic.put_in.copy()
        held.subtract(dispatch.left)
        return Truth(held, self.traffic.reserved, live, dispatch.gone)

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
            assert len(placed) == states[market.kind]["order_count"], f"{hint}: {market.kind} forgot orders"
        await self.audit_books(states)
        await self.audit_parcels(states)
        oversold = await self.audit_exposure(states)
        async with open_database(self.state.settings.database_url, pool_size=1, hot_pool_size=2, name="audit") as audit:
            report = await verify_ledger(audit)
        assert report.problems == [], hint
        allocated = await self.state.database.hot.fetch("SELECT status, count(*) FROM orders GROUP BY 1")
        open_cases = (
            "SELECT kind, title, detail FROM exception_cases WHERE state <> 'RESOLVED' AND kind <> 'OVERSELL' LIMIT 9"
        )
        cases = await self.state.database.hot.fetch("SELECT kind, state, count(*) FROM exception_cases GROUP BY 1, 2")
        return {
            "done": dict(sorted(self.traffic.done.items())),
            "kills": dict(self.kills),
            "faults that struck": {kind: dict(sorted(struck.items())) for kind, struck in self.struck.items()},
            "faults that did not": self.list_unstruck(),
            "orders": {row[0]: row[1] for row in allocated},
            "units oversold, reported on their listing": oversold.alone,
            "units oversold, reported for all channels together": oversold.jointly,
            "units sold again by a marketplace that had put them back": oversold.resold,
            "most units exposed": dict(self.exposed),
            "cases": {f"{row[0]} {row[1]}": row[2] for row in cases},
            "left to people": [tuple(row) for row in await self.state.database.hot.fetch(open_cases)],
            "movements": report.movements,
        }

    async def audit_books(self, states: Mapping[str, Any]) -> None:
        """Nothing is counted twice. Raises AssertionError."""
        problems = compare_books(self._truth(states), await read_books(self.state.database.hot))
        assert problems == [], f"seed {self.seed}: {problems[:9]}"

    async def audit_parcels(self, states: Mapping[str, Any]) -> None:
        """Each parcel was told once, or refused for a reason. Raises AssertionError."""
        query = """SELECT c.code, o.external_id, f.confirmation, count(*) FROM fulfillments f
                   JOIN orders o ON o.id = f.order_id JOIN channels c ON c.id = o.channel_id GROUP BY 1, 2, 3"""
        rows = await self.state.database.hot.fetch(query)
        told = {(code, order, confirmation): parcels for code, order, confirmation, parcels in rows}
        dispatch, parcels = self.traffic.dispatch, dict[tuple[str, str], Parcels]()
        for market in self.markets:
            for order in states[market.kind]["orders"]:
                name = (market.code, str(order["id"]))
                counts = (dispatch.parcels[name], market.count_parcels(order))
                answers = (told.get((*name, "CONFIRMED"), 0), told.get((*name, "REFUSED"), 0))
                late = market.count_live(order) < dispatch.gone[*name, order["lines"][0]["sku"]]
                parcels[name] = Parcels(*counts, *answers, late)
        problems = compare_parcels(parcels)
        assert problems == [], f"seed {self.seed}: {problems[:9]}"

    async def audit_exposure(self, states: Mapping[str, Any]) -> Verdict:
        """How units oversold in the whole run were reported. Raises AssertionError when one of them was not reported as exposed."""
        trace = await read_trace(self.state.database.hot)
        rows = await self.state.database.hot.fetch("SELECT code, id FROM channels")
        channels = {row["code"]: row["id"] for row in rows}
        skus = {row["code"]: row["id"] for row in await self.state.database.hot.fetch("SELECT code, id FROM skus")}
        sales, put_back = dict[OrderKey, Sale](), defaultdict[Key, list[PutBack]](list)
        for market in self.markets:
            lies, channel_id = market.find_lies(states[market.kind]), channels[market.code]
            for order in states[market.kind]["orders"]:
                sku = order["lines"][0]["sku"]
                since = [applied for start, end, applied in lies.get(sku, ()) if start <= order["at"] <= end]
                sales[channel_id, str(order["id"])] = Sale(order["at"], min(since, default=NEVER))
            for one in market.list_put_back(states[market.kind]):
                put_back[channel_id, skus[one.sku]].append(one)
        verdict = judge_oversold(trace, sales, put_back)
        assert verdict.problems == [], f"seed {self.seed}: {verdict.problems}"
        return verdict


async def _connect(state: State, wanted: ChannelConnect, links: Sequence[ListingLink]) -> None:
    async with state.database.hot.acquire() as connection:
        channel_id = await connect_channel(connection, state.settings, wanted)
        await link_listings(connection, channel_id, links)


def _owner_url(instance: Running) -> str:
    """Only the owner of the tables may add triggers."""
    password = read_secrets(Path(instance.info["token_file"]).parent / "secrets.json")[OWNER]
    parts = urlsplit(instance.info["database_url"])
    return urlunsplit(parts._replace(netloc=f"{OWNER}:{password}@{parts.hostname}:{parts.port}"))


@asynccontextmanager
async def prepared(
    folder: Path,
    seed: int,
    kinds: Sequence[str],
    skus: int,
    *,
    units: tuple[int, int] = (5, 40),
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Chaos]:
    """An instance and its marketplaces, connected and showing the same stock: from `units` of each SKU in a house."""
    with ExitStack() as processes:
        settings = {**ENVIRONMENT, **(environment or {})}
        instance = processes.enter_context(
            running_instance(folder / "data", api_processes=1, workers=WORKERS, environment=settings)
        )
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(httpx.AsyncClient())
            state = await stack.enter_async_context(open_state(settings_of(instance), "onhand simulation"))
            codes = [f"SKU-{n}" for n in range(skus)]
            await make_catalog(state, WAREHOUSES, skus)
            await start_trace(_owner_url(instance))
            traffic = Traffic(seed, instance, state, [], codes)
            chance = random.Random(seed)
            for house in WAREHOUSES:
                for code in codes:
                    await traffic.move(house, code, chance.randint(*units))
            await _connect(
                state,
                ChannelConnect(DIRECT, "Direct", "B2B", dict.fromkeys(WAREHOUSES, ""), status="LIVE"),
                [ListingLink(code, code) for code in codes],
            )
            for kind in kinds:
                make = MARKETS[kind]
                url = f"{instance.info['url']}/webhooks/{kind}/sim-{kind}"
                running = processes.enter_context(
                    running_marketplace(kind, folder, *make.arguments(url, folder / f"{kind}.json"))
                )
                market = make(running, http)
                wanted, links = await market.connect(codes, WAREHOUSES)
                await _connect(state, wanted, links)
                traffic.markets.append(market)
            state.doorbell.ring("push")
            chaos = Chaos(traffic)
            await chaos.wait_until(TOLD)
            yield chaos


async def run_chaos(folder: Path, *, seed: int, seconds: float, kinds: Sequence[str], skus: int) -> dict[str, Any]:
    """The whole: prepare, break, wait, audit."""
    async with prepared(folder, seed, kinds, skus) as chaos:
        await chaos.run(seconds)
        took = await chaos.converge()
        audited = await chaos.audit()
        if seconds >= EVERY_FAULT_SECONDS:
            assert chaos.list_missed() == [], f"seed {seed}: {chaos.list_missed()} never struck; {audited}"
        return {**audited, "converged after seconds": round(took, 1), "the last were": chaos.last}


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
