"""Bar 2: a week of mis-picks and losses, once without counts, once with counts by turn, once with the whole plan.

`python -m tests.simulation.accuracy` runs it in full size through the real use cases on a real PostgreSQL: orders are
placed, routed, released, picked, and shipped. With the plan pickers say what is left where few units are, and the
second scan of what differs is another picker's or takes its part of the evening's 5 %. In the evening each warehouse's
plan is made, two people scan and a third reviews. The runs have the same seed and the same demand. Prints the share of
lines that are right after each day, and writes a PNG of them.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from app.counts.check_shelf import check_shelf
from app.counts.plan_counts import plan_warehouse
from app.counts.read_accuracy import AccuracyFilter, read_accuracy
from app.counts.read_counts import CountFilter, read_counts
from app.counts.report_doubt import DoubtLine, Doubts, report_doubt
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
from domain.count_plan import lines_limit
from domain.counts import CountCause
from domain.identity import Principal, Role
from domain.provenance import Provenance, Remarks
from migrations.run import upgrade
from tests.seed import TESTER, make_catalog
from tests.simulation.draw_plot import draw_shares
from tests.simulation.shelves import Mishaps, Shelves

ANNA, BERT, CARA, *PICKERS = (
    Principal(name, name, frozenset({Role.WAREHOUSE})) for name in ("anna", "bert", "cara", "dora", "emil", "fred")
)
UNITS_A_DAY, ORDER_UNITS = 3.2, 8
"""Units ordered a day for each SKU there is, and in one order."""
TARGET = range(4, 9)
"""Units that a shelf is filled up to when its book is at `LOW` or below."""
LOW = 1
SHARE_PERCENT = 5.0
PAGE = 1_000
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


class Way(StrEnum):
    """How a week is counted: not at all; by turn and class alone; with what people report; with what they count."""

    NOT = "without counts"
    TURN = "by turn and class"
    PLAN = "the plan"
    CHECKS = "the plan, with checks"


class Said(NamedTuple):
    """Lines that were `walked` to, lines that were `decided` on, and how many of those were `wrong`."""

    walked: int
    decided: int
    wrong: int


@dataclass(slots=True)
class House:
    """One warehouse, its channel, and what really stands in it."""

    code: str
    id: int
    channel_id: int
    shelves: Shelves
    counted: int = 0
    """Lines that were walked to in the evenings: at most the share of each day."""


@dataclass(slots=True)
class Week:
    state: State
    houses: list[House]
    way: Way
    draw: random.Random
    who: random.Random
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
        await self._look(house, [sku for sku, _ in lines])

    async def _look(self, house: House, skus: Sequence[str]) -> None:
        """What the picker sees left where few are left: counted, or only that it is more or less than it should be."""
        books = await self.books(house)
        looks = [(sku, left) for sku in skus if (left := house.shelves.look(sku, books[sku])) is not None]
        if looks and self.way is Way.CHECKS:
            await self._check(house, self.who.choice(PICKERS), looks)
            return
        looks = [(sku, house.shelves.count(sku) if left != books[sku] else left) for sku, left in looks]
        doubts = [
            DoubtLine(sku, CountCause.SURPLUS if left > books[sku] else CountCause.SHORT_PICK)
            for sku, left in looks
            if left != books[sku]
        ]
        if doubts:
            await report_doubt(self.state, TESTER, Doubts(house.code, doubts, "seen while picking"), None)

    async def _check(self, house: House, who: Principal, looks: Sequence[tuple[str, int]]) -> None:
        """What differs is counted once more before the picker goes on."""
        for again in (True, False):
            scans = [CountScan(sku, left) for sku, left in looks]
            said = await check_shelf(self.state, who, house.code, scans, None, Provenance(who.name), None)
            differing = [sku for (sku, _), result in zip(looks, said["results"], strict=True) if result == "DIFFERS"]
            if not (again and differing):
                return
            looks = [(sku, house.shelves.count(sku)) for sku in differing]

    async def count(self, house: House, day: datetime.date) -> None:
        """The day's plan, and what waits for a second scan: Anna scans, Bert scans again what differs, Cara reviews."""
        if self.way is Way.NOT:
            return
        await plan_warehouse(self.state, house.id, day, SHARE_PERCENT, suspicious=self.way is not Way.TURN)
        due = (await self._due(house))[: lines_limit(len(house.shelves.units), SHARE_PERCENT)]
        house.counted += len(due)
        await self._scan(house, ANNA, due)
        await self._scan(house, BERT, [one for one in await self._due(house) if one in due])
        for count in await self._counts(house, "REVIEW"):
            await review_count(self.state, CARA, UUID(count["id"]), (), None, Provenance("cara"), None)

    async def _due(self, house: House) -> list[tuple[UUID, str]]:
        """Lines to be scanned, of the oldest counts first."""
        counts = [*await self._counts(house, "COUNTING"), *await self._counts(house, "PLANNED")]
        lines = [(UUID(count["id"]), line["sku"], line["status"]) for count in counts for line in count["lines"]]
        return [(count_id, sku) for count_id, sku, status in lines if status in {"OPEN", "RECOUNT"}]

    async def _counts(self, house: House, status: str) -> list[dict[str, Any]]:
        chosen = CountFilter([house.code], [status])
        return (await read_counts(self.state.database.hot, TESTER, chosen, None, PAGE))[::-1]

    async def _scan(self, house: House, who: Principal, due: Sequence[tuple[UUID, str]]) -> None:
        for count_id in dict.fromkeys(count_id for count_id, _ in due):
            skus = [sku for other, sku in due if other == count_id]
            scans = [CountScan(sku, house.shelves.units[sku]) for sku in skus]
            await submit_count(self.state, who, count_id, scans, Provenance(who.name), None)

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


async def open_week(state: State, way: Way, seed: int, houses: int, lines: int, mishaps: Mishaps) -> Week:
    """Warehouses with `lines` SKUs each, nothing in them yet."""
    codes = [f"W{number}" for number in range(houses)]
    skus = [f"SKU-{number:04}" for number in range(lines)]
    await make_catalog(state, codes, skus)
    await state.database.hot.execute("UPDATE skus SET unit_cost = 10")
    made = []
    for number, code in enumerate(codes):
        channel_id = await state.database.hot.fetchval(_CHANNEL, f"shop-{code}")
        house_id = await state.database.hot.fetchval(_SOURCE, channel_id, code)
        name = f"{seed}-{number}"
        shelves = Shelves(list(skus), random.Random(name), mishaps, eyes=random.Random(f"{name}-eyes"))
        made.append(House(code, house_id, channel_id, shelves))
    return Week(state, made, way, random.Random(seed), random.Random(f"{seed}-who"))


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
    settings: Settings, way: Way, *, seed: int, houses: int, lines: int, days: int, mishaps: Mishaps
) -> tuple[Week, Said]:
    """The week, and what Onhand itself says of its counts."""
    async with open_state(settings, "onhand accuracy") as state:
        week = await open_week(state, way, seed, houses, lines, mishaps)
        await week.run(days)
        report = await verify_ledger(state.database)
        assert report.problems == [], report.problems
        rows = await read_accuracy(state.database.hot, TESTER, AccuracyFilter(), None)
        decided = sum(row["lines"] for row in rows)
        walked = sum(house.counted for house in week.houses)
        assert walked <= days * houses * lines_limit(lines, SHARE_PERCENT)
        assert way is Way.CHECKS or decided == walked, "a line is decided on by who walks to it, or by pickers"
        return week, Said(walked, decided, decided - sum(row["lines_right"] for row in rows))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--houses", type=int, default=1)
    parser.add_argument("--lines", type=int, default=300, help="SKUs in each warehouse")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--mispicks", type=float, default=MISHAPS.mispicks)
    parser.add_argument("--losses", type=float, default=MISHAPS.losses)
    parser.add_argument("--ways", nargs="*", choices=list(Way), help="all of them unless named")
    parser.add_argument("--png", type=Path, default=Path("accuracy.png"))
    given = parser.parse_args()
    mishaps = replace(MISHAPS, mispicks=given.mispicks, losses=given.losses)
    size = {"seed": given.seed, "houses": given.houses, "lines": given.lines, "days": given.days}
    shares: dict[str, list[float]] = {}
    ways = [Way(name) for name in given.ways] if given.ways else list(Way)
    async with fresh_states(len(ways)) as settings:
        for one, way in zip(settings, ways, strict=True):
            week, said = await run_week(one, way, **size, mishaps=mishaps)
            shares[way] = week.accuracy
            days = " ".join(f"{share:6.1%}" for share in week.accuracy)
            counted = f"{said.walked} walked to, {said.decided} decided on, {said.wrong} wrong"
            print(f"{way:20} {days}   {counted}", flush=True)  # noqa: T201
    draw_shares(given.png, shares)
    colours = "red, orange, blue, green"
    print(f"seed {given.seed}; line accuracy after each day; {given.png} ({colours} in this order)")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
