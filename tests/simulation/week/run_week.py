"""A week: days of traffic with everything that goes wrong, and a quiet hour with an audit after each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.simulation.chaos import UNSETTLED
from tests.simulation.week.audit import audit, report, tell_story
from tests.simulation.week.bins import BINNED, LATER, furnish, shelve
from tests.simulation.week.company import DIRECT, NEW_HOUSE, SHOP, World, open_company
from tests.simulation.week.count import check, count, review, settle_counts
from tests.simulation.week.legacy import OLD, make_legacy, run_legacy
from tests.simulation.week.move import settle_transfers, work_transfers
from tests.simulation.week.outside import calm_markets, find_unequal, lose_market, open_markets
from tests.simulation.week.ship import settle_tables, work_orders
from tests.simulation.week.tablet import Tablet, flush_all
from tests.simulation.week.tend import (
    buy_in,
    correct,
    decide_adjustments,
    dispose,
    lose,
    receive,
    report_damage,
    take_back,
)
from tests.simulation.week.trade import buy

QUIET_SECONDS = 60.0
KILLS_PER_SECOND = 0.1
NEEDED_SECONDS_MAX = 60.0
KEEP_DAYS = 2
"""Checkpoints after which a record that is refused all the time is given up."""
_BUSY = """
SELECT (SELECT count(*) FROM orders WHERE reroute_at IS NOT NULL)
     + (SELECT count(*) FROM inbound_events WHERE processed_at IS NULL)
     + (SELECT count(*) FROM fulfillments WHERE confirmation = 'PENDING')
"""


@dataclass(slots=True)
class Week:
    """`day_seconds`: what a day takes; `quiet_seconds`: until all must be right after it, at most. `kills`: processes ended, by name."""

    world: World
    day_seconds: float
    quiet_seconds: float = QUIET_SECONDS
    needed: Mapping[str, int] = field(default_factory=dict)
    """How often something must have been done before the first day ends, however slow the machine."""
    taken: dict[str, set[str]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    resting: bool = False
    checkpoints: list[str] = field(default_factory=list)

    async def live(self, days: int) -> None:
        """Raises AssertionError at the first quiet hour in which something is not as it must be."""
        for day in range(days):
            self.resting = False
            loops = [self._work(tablet) for tablet in self.world.tablets]
            loops += [self._trade(), self._desk(), self._kill(day)]
            await open_markets(self.world, day)
            if day % 2:
                loops.append(lose_market(self.world, day, self.day_seconds))
            if day == min(3, days - 1):
                loops.append(self._grow())
            if day <= min(2, days - 1):
                loops.append(self._move_in(last=day == min(2, days - 1)))
            tasks = [asyncio.create_task(one) for one in loops]
            await asyncio.sleep(self.day_seconds)
            await self._wait_for_needed()
            self.resting = True
            await asyncio.gather(*tasks)
            await calm_markets(self.world)
            await self.rest(day)

    async def _wait_for_needed(self) -> None:
        for _ in range(int(NEEDED_SECONDS_MAX / 0.2)):
            if all(self.world.tally.done[name] >= times for name, times in self.needed.items()):
                return
            await asyncio.sleep(0.2)
        raise AssertionError(f"seed {self.world.seed}: {self.needed} not done in {NEEDED_SECONDS_MAX:.0f} s more")

    async def _work(self, tablet: Tablet) -> None:
        """One tablet's day."""
        chance = tablet.chance
        taken = self.taken.setdefault(tablet.house, set())
        world = self.world
        acts: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (16, lambda: work_orders(world, tablet, taken)),
            (4, lambda: work_transfers(world, tablet, taken)),
            (1, lambda: receive(world, tablet)),
            (0.6, lambda: report_damage(world, tablet)),
            (0.6, lambda: dispose(world, tablet)),
            (0.4, lambda: correct(world, tablet)),
            (1.5, lambda: take_back(world, tablet)),
            (0.8, lambda: buy_in(world, tablet)),
            (1.5, lambda: count(world, tablet)),
            (1, lambda: check(world, tablet)),
            (0.8, lambda: lose(world, tablet)),
            (2, lambda: shelve(world, tablet)),
        ]
        weights = [weight for weight, _ in acts]
        while not self.resting:
            await self._change_network(tablet)
            await chance.choices(acts, weights)[0][1]()
            await asyncio.sleep(chance.expovariate(10))

    async def _change_network(self, tablet: Tablet) -> None:
        if tablet.online:
            tablet.online = tablet.chance.random() > 0.04
        elif tablet.chance.random() < 0.12:
            tablet.online = True
        if tablet.online and await tablet.flush():
            await settle_counts(self.world)

    async def _trade(self) -> None:
        chance = random.Random(f"{self.world.seed}trade")
        while not self.resting:
            await buy(self.world, chance)
            await asyncio.sleep(chance.expovariate(5))

    async def _desk(self) -> None:
        """The second persons."""
        chance = random.Random(f"{self.world.seed}desk")
        while not self.resting:
            await decide_adjustments(self.world, chance)
            await review(self.world, chance)
            await asyncio.sleep(0.5)

    async def _kill(self, day: int) -> None:
        """Now and then one of Onhand's processes dies, as it stands."""
        chance = random.Random(f"{self.world.seed}kill{day}")
        while not self.resting:
            await asyncio.sleep(min(chance.expovariate(KILLS_PER_SECOND), self.day_seconds / 2))
            name = chance.choice(("app.worker", "app.worker", "app.serve", "valkey"))
            for process in psutil.Process(self.world.instance.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if name in " ".join(process.cmdline()):
                        os.kill(process.pid, signal.SIGKILL)
                        self.kills[name] += 1
                        break

    async def _grow(self) -> None:
        """One more warehouse, as data, in the middle of it."""
        await asyncio.sleep(self.day_seconds / 3)
        world = self.world
        await furnish(world, LATER)
        await world.open_house(NEW_HOUSE)
        sources = [{"warehouse": house} for house in sorted({*world.houses, OLD})]
        for channel in (SHOP, DIRECT):
            await world.must(world.boss, "channelUpdate", "channel { code }", channel=channel, warehouses=sources)
        await self._employ(NEW_HOUSE)

    async def _move_in(self, *, last: bool) -> None:
        """One with a system of its own: compared every day, then taken over at two thirds of the last."""
        world = self.world
        await run_legacy(world, self.day_seconds / 3, then="SHADOW")
        await run_legacy(world, self.day_seconds / 3, then="LIVE" if last else None)
        if last:
            await world.staff(OLD)
            await self._employ(OLD)

    async def _employ(self, house: str) -> None:
        await asyncio.gather(*(self._work(tablet) for tablet in self.world.tablets if tablet.house == house))

    async def rest(self, day: int) -> None:
        """A quiet hour: all have network, the workers finish, and everything is held against the world."""
        world = self.world
        for tablet in world.tablets:
            tablet.online = True
        await flush_all(world.tablets)
        await settle_counts(world)
        if (day + 1) % KEEP_DAYS == 0:
            self._give_up()
        await settle_tables(world)
        await settle_transfers(world)
        started = time.monotonic()
        problems = await self._look_until(time.monotonic() + QUIET_SECONDS, self._find_unsettled)
        problems = problems or await self._look_until(time.monotonic() + self.quiet_seconds, self._find_wrong)
        if problems:
            story = await tell_story(world, problems)
            raise AssertionError("\n".join((f"seed {world.seed}, day {day + 1}: {problems[0]}", *problems[1:], *story)))
        self.checkpoints.append(f"day {day + 1}: quiet after {time.monotonic() - started:.1f} s, all as it must be")

    def _give_up(self) -> None:
        for tablet in self.world.tablets:
            given_up, tablet.queue = tablet.queue, []
            for one in given_up:
                self.world.give_up(one.act, one.at)
                self.world.tally.refused[f"{one.act.name} given up"] += 1

    async def _look_until(self, end: float, find: Callable[[], Awaitable[list[str]]]) -> list[str]:
        """What is still found at `end` of the monotonic clock: nothing, as soon as nothing is found."""
        problems = await find()
        while problems and time.monotonic() < end:
            await asyncio.sleep(0.3)
            problems = await find()
        return problems

    async def _find_wrong(self) -> list[str]:
        return await self._find_unsettled() or await find_unequal(self.world) or await audit(self.world)

    async def _find_unsettled(self) -> list[str]:
        hot = self.world.state.database.hot
        rows = [str(tuple(row)) for row in await hot.fetch(UNSETTLED)]
        busy = await hot.fetchval(_BUSY)
        return rows + [f"{busy} things wait for a worker"] * bool(busy)


async def run_week(
    folder: Path,
    *,
    seed: int,
    days: int,
    day_seconds: float,
    skus: int,
    markets: Sequence[str] = (),
    quiet_seconds: float = QUIET_SECONDS,
    needed: Mapping[str, int] | None = None,
    then: Callable[[World], Awaitable[None]] | None = None,
) -> dict[str, Any]:
    """What happened; `then` is done after it. Raises AssertionError with the seed and what is wrong."""
    async with open_company(folder, seed, skus=skus, markets=markets) as world:
        week = Week(world, day_seconds, quiet_seconds, needed or {})
        await make_legacy(world)
        for house in BINNED:
            await furnish(world, house)
        await week.live(days)
        made = await report(world)
        if then is not None:
            await then(world)
        return {**made, "processes killed": dict(week.kills), "quiet hours": week.checkpoints}
