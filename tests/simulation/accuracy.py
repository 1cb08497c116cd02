"""Bar 2: a week of mis-picks and losses, once without counts, once with counts by turn, once with the whole plan.

`python -m tests.simulation.accuracy` runs it in full size through the real use cases on a real PostgreSQL: orders are
placed, routed, released, picked, and shipped; in the evening each warehouse's plan is made, two people scan and a third
reviews. The three runs have the same seed and the same demand. Prints the share of lines that are right after each
day, and writes a PNG of them.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from app.counts.plan_counts import plan_warehouse
from app.counts.read_accuracy import AccuracyFilter, read_accuracy
from app.counts.read_counts import read_count
from app.counts.report_doubt import DoubtLine, report_doubt
from app.counts.review_count import review_count
from app.counts.submit_count import CountScan, submit_count
from app.embedded import start_servers
from app.fulfillment.change_work import Ask, accept_work, start_picking
from app.fulfillment.pick_work import PickLine, pick_work
from app.fulfillment.release_work import release_work
from app.fulfillment.ship_work import Parcel, ship_work
from app.orders.place_order import place_order
from app.replenishment.relay_demand import relay_demand
from app.settings import Settings
from app.state import State, open_state
from app.stock.move_stock import MoveLine, move_stock
from app.stock.verify_ledger import verify_ledger
from domain.identity import Principal, Role
from domain.provenance import Provenance, Remarks
from migrations.run import upgrade
from tests.seed import TESTER, make_catalog
from tests.simulation.draw_plot import draw_shares
from tests.simulation.shelves import Mishaps, Shelves

ANNA, BERT, CARA = (Principal(name, name, frozenset({Role.WAREHOUSE})) for name in ("anna", "bert", "cara"))
UNITS_A_DAY, ORDER_UNITS = 3.2, 8
"""Units ordered a day for each SKU there is, and in one order."""
TARGET = range(4, 9)
"""Units that a shelf is filled up to when its book is at `LOW` or below."""
LOW = 1
SHARE_PERCENT = 5.0
MISHAPS = Mishaps()
_BOOKS = """
SELECT s.code, l.available + l.reserved + l.committed AS sound FROM stock_levels l JOIN skus s ON s.id = l.sku_id
JOIN warehouses w ON w.id = l.warehouse_id WHERE w.code = $1
"""
_CHANNEL = "INSERT INTO channels (code, name, kind, status) VALUES ($1, $1, 'B2B', 'LIVE') RETURNING id"
_SOURCE = """
INSERT INTO channel_warehouses (channel_id, warehouse_id, location)
SELECT $1, id, '' FROM warehouses WHERE code = $2 RETURNING warehouse_id
"""
_WORK = """
SELECT f.id, s.code, l.quantity FROM fulfillment_orders f
JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id JOIN skus s ON s.id = l.sku_id
WHERE f.warehouse_id = $1 AND f.status = 'RELEASED' ORDER BY f.id, l.line
"""
_OLD = "UPDATE sku_activity SET first_at = first_at - make_interval(days => (sku_id * 37 + warehouse_id) % 180)"
"""The lines were last right at some time of the last half year."""


@dataclass(slots=True)
class House:
    """One warehouse, its channel, and what really stands in it."""

    code: str
    id: int
    channel_id: int
    shelves: Shelves
    counted: int = 0
    wrong_found: int = 0


@dataclass(slots=True)
class Week:
    """`plan`: None: no counts; False: by turn and class alone; True: the whole plan."""

    state: State
    houses: list[House]
    plan: bool | None
    draw: random.Random
    accuracy: list[float] = field(default_factory=list)
    orders: int = 0

    async def books(self, house: House) -> dict[str, int]:
        return dict(await self.state.database.hot.fetch(_BOOKS, house.code))

    async def measure(self) -> None:
        """The share of lines whose book is what stands there."""
        right = lines = 0
        for house in self.houses:
            books = await self.books(house)
            right += sum(books[sku] == there for sku, there in house.shelves.units.items())
            lines += len(house.shelves.units)
        self.accuracy.append(right / lines)

    async def fill(self, house: House) -> None:
        """Shelves that are empty or nearly so by the books are filled up."""
        books = await self.books(house)
        lines = {
            sku: self.draw.choice(TARGET) - books.get(sku, 0) for sku in house.shelves.order if books.get(sku, 0) <= LOW
        }
        if lines:
            given = [MoveLine(sku, units) for sku, units in lines.items()]
            remarks = Remarks("RECEIPT")
            await move_stock(self.state, TESTER, "receive", house.code, given, Provenance("dock"), remarks, None)
            for sku, units in lines.items():
                house.shelves.receive(sku, units)

    async def sell(self, house: House) -> None:
        """Orders of a day: what the books have is sold, whatever is there."""
        skus = house.shelves.order
        for _ in range(round(len(skus) * UNITS_A_DAY / ORDER_UNITS)):
            chosen = Counter(self.draw.choices(skus, house.shelves.weights(), k=ORDER_UNITS))
            lines = tuple(ChannelOrderLine(f"{n}", *(sku, sku), units) for n, (sku, units) in enumerate(chosen.items()))
            self.orders += 1
            name = f"{house.code}-{self.orders}"
            order = ChannelOrder(name, name, datetime.datetime.now(datetime.UTC), lines, "DE")
            await place_order(self.state, house.channel_id, order)

    async def work(self, house: House) -> None:
        """Everything released is picked from the shelves and shipped."""
        while await release_work(self.state):
            pass
        works: dict[UUID, list[tuple[str, int]]] = {}
        for work_id, sku, units in await self.state.database.hot.fetch(_WORK, house.id):
            works.setdefault(work_id, []).append((sku, units))
        for work_id, lines in works.items():
            await self._pick(house, work_id, lines)

    async def _pick(self, house: House, work_id: UUID, lines: Sequence[tuple[str, int]]) -> None:
        ask = Ask(work_id, Provenance("picker"))
        await accept_work(self.state, TESTER, ask)
        await start_picking(self.state, TESTER, ask)
        picks, found_any = [], False
        for sku, units in lines:
            found = house.shelves.pick(sku, units)
            found_any = found_any or found > 0
            picks.append(PickLine(sku, found, short=units - found))
        await pick_work(self.state, TESTER, ask, picks)
        if found_any:
            await ship_work(self.state, TESTER, ask, Parcel("DHL", f"T-{work_id}"))
        books = await self.books(house)
        seen = [(sku, house.shelves.look(sku, books[sku])) for sku, _ in lines]
        doubts = [DoubtLine(sku, cause) for sku, cause in seen if cause is not None]
        if doubts:
            await report_doubt(self.state, TESTER, house.code, doubts, "seen while picking", None)

    async def count(self, house: House, day: datetime.date) -> None:
        """The day's plan: Anna scans, Bert scans again what differs, Cara reviews."""
        if self.plan is None:
            return
        count_id = await plan_warehouse(self.state, house.id, day, SHARE_PERCENT, suspicious=self.plan)
        if count_id is None:
            return
        for who in (ANNA, BERT):
            count = await read_count(self.state.database.hot, TESTER, count_id)
            assert count is not None
            due = [line["sku"] for line in count["lines"] if line["status"] in ("OPEN", "RECOUNT")]
            scans = [CountScan(sku, house.shelves.units[sku]) for sku in due]
            if scans:
                house.counted += len(scans) if who is ANNA else 0
                house.wrong_found += len(scans) if who is BERT else 0
                await submit_count(self.state, who, count_id, scans, Provenance(who.name), None)
        count = await read_count(self.state.database.hot, TESTER, count_id)
        assert count is not None
        if count["status"] == "REVIEW":
            await review_count(self.state, CARA, count_id, (), None, Provenance("cara"), None)

    async def run(self, days: int) -> None:
        for house in self.houses:
            await self.fill(house)
        while (await relay_demand(self.state))[0]:
            pass
        await self.state.database.hot.execute(_OLD)
        await self.measure()
        today = datetime.datetime.now(datetime.UTC).date()
        for day in range(days):
            for house in self.houses:
                await self.fill(house)
                await self.sell(house)
                house.shelves.lose()
                await self.work(house)
            while (await relay_demand(self.state))[0]:
                pass
            for house in self.houses:
                await self.count(house, today + datetime.timedelta(days=day))
            await self.measure()


async def open_week(state: State, plan: bool | None, seed: int, houses: int, lines: int, mishaps: Mishaps) -> Week:
    """Warehouses with `lines` SKUs each, nothing in them yet."""
    codes = [f"W{number}" for number in range(houses)]
    skus = [f"SKU-{number:04}" for number in range(lines)]
    await make_catalog(state, codes, skus)
    await state.database.hot.execute("UPDATE skus SET unit_cost = 10")
    made = []
    for number, code in enumerate(codes):
        channel_id = await state.database.hot.fetchval(_CHANNEL, f"shop-{code}")
        house_id = await state.database.hot.fetchval(_SOURCE, channel_id, code)
        shelves = Shelves(list(skus), random.Random(f"{seed}-{number}"), mishaps)
        made.append(House(code, house_id, channel_id, shelves))
    return Week(state, made, plan, random.Random(seed))


@asynccontextmanager
async def fresh_states(count: int) -> AsyncIterator[list[Settings]]:
    """Settings of so many empty databases on a PostgreSQL of their own."""
    with tempfile.TemporaryDirectory() as folder:
        servers = start_servers(Path(folder), durable=False)
        try:
            found = []
            for number in range(count):
                name = f"accuracy_{number}"
                servers.create_database(name)
                url = servers.owner_url_for(name)
                await asyncio.to_thread(upgrade, url)
                found.append(
                    Settings(
                        database_url=servers.url_for(name), migration_database_url=url, redis_url=servers.redis_url
                    )
                )
            yield found
        finally:
            servers.stop()


async def run_week(
    settings: Settings, plan: bool | None, *, seed: int, houses: int, lines: int, days: int, mishaps: Mishaps
) -> tuple[Week, Mapping[str, Any]]:
    """The week, and what Onhand itself says of its counts."""
    async with open_state(settings, "onhand accuracy") as state:
        week = await open_week(state, plan, seed, houses, lines, mishaps)
        await week.run(days)
        report = await verify_ledger(state.database)
        assert report.problems == [], report.problems
        rows = await read_accuracy(state.database.hot, TESTER, AccuracyFilter(), None)
        counted = sum(row["lines"] for row in rows)
        assert counted == sum(house.counted for house in week.houses)
        wrong = counted - sum(row["lines_right"] for row in rows)
        assert wrong == sum(house.wrong_found for house in week.houses), "accuracy is what the shelves say"
        return week, {"counted": counted, "wrong": wrong}


NAMES = {None: "without counts", False: "by turn and class", True: "the plan"}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--houses", type=int, default=1)
    parser.add_argument("--lines", type=int, default=300, help="SKUs in each warehouse")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--mispicks", type=float, default=MISHAPS.mispicks)
    parser.add_argument("--losses", type=float, default=MISHAPS.losses)
    parser.add_argument("--png", type=Path, default=Path("accuracy.png"))
    given = parser.parse_args()
    mishaps = replace(MISHAPS, mispicks=given.mispicks, losses=given.losses)
    size = {"seed": given.seed, "houses": given.houses, "lines": given.lines, "days": given.days}
    shares: dict[str, list[float]] = {}
    async with fresh_states(len(NAMES)) as settings:
        for one, (plan, name) in zip(settings, NAMES.items(), strict=True):
            week, said = await run_week(one, plan, **size, mishaps=mishaps)
            shares[name] = week.accuracy
            days = " ".join(f"{share:6.1%}" for share in week.accuracy)
            print(f"{name:20} {days}   {said['counted']} lines counted, {said['wrong']} were wrong", flush=True)  # noqa: T201
    draw_shares(given.png, shares)
    colours = "red, orange, blue"
    print(f"seed {given.seed}; line accuracy after each day; {given.png} ({colours} in this order)")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
