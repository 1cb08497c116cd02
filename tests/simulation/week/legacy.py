"""A warehouse with a system of its own: it moves in during the week, first written down, then compared, then ours.

Until then its own people sell and receive, and Onhand hears of it by snapshots alone. What those differ by is what the
simulator made the books wrong by, to the unit.
"""

from __future__ import annotations

import asyncio
import datetime
import random
from typing import Any

from tests.simulation.week.company import DIRECT, SHOP, World, lines_of
from tests.simulation.week.truth import CUSTOMER, SUPPLIER, Move, shelf

OLD = "OLD"
UNITS = (10, 30)
SNAPSHOT_SECONDS = 1.0
_SNAPSHOT = "snapshot { applied differences { sku told least most difference outcome } }"
_WORK_THERE = """
SELECT w.code, count(*) FROM fulfillment_orders f JOIN warehouses w ON w.id = f.warehouse_id
WHERE w.status <> 'LIVE' GROUP BY 1
"""


async def make_legacy(world: World) -> None:
    """As data, with what its list says that it holds."""
    made = {"code": OLD, "name": "The old warehouse", "status": "ONBOARDING", "cutOff": "23:59"}
    await world.must(world.boss, "warehouseCreate", "warehouse { id }", **made)
    await world.state.lookup.reload_warehouses()
    chance = random.Random(f"{world.seed}{OLD}")
    units = {sku: chance.randint(*UNITS) for sku in world.skus}
    opening = {"warehouse": OLD, "reason": "OPENING", "lines": lines_of(units)}
    await world.must(world.boss, "stockReceive", "levels { sku { code } }", **opening)
    world.truth.move(Move(sku, SUPPLIER, shelf(OLD), n) for sku, n in units.items())
    sources = [{"warehouse": house} for house in (*world.houses, OLD)]
    for channel in (SHOP, DIRECT):
        await world.must(world.boss, "channelUpdate", "channel { code }", channel=channel, warehouses=sources)


async def run_legacy(world: World, seconds: float, *, then: str | None) -> None:
    """Its own day, for so long; `then` the status that it gets."""
    chance = random.Random(f"{world.seed}{OLD}{then}")
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        for _ in range(chance.randint(0, 3)):
            _sell_or_receive(world, chance)
        await _report(world, live=False)
        await asyncio.sleep(SNAPSHOT_SECONDS)
    if then is not None:
        await world.must(world.boss, "warehouseUpdate", "warehouse { status }", warehouse=OLD, status=then)
    if then == "LIVE":
        await _take_charge(world)


def _sell_or_receive(world: World, chance: random.Random) -> None:
    sku, place = chance.choice(world.skus), shelf(OLD)
    if chance.random() < 0.7 and world.truth.at(place, sku):
        world.truth.move([Move(sku, place, CUSTOMER, 1)])
        world.truth.falsify(OLD, "sound", sku, 1, "sold by a system of its own")
    else:
        world.truth.move([Move(sku, SUPPLIER, place, 1)])
        world.truth.falsify(OLD, "sound", sku, -1, "received by a system of its own")


async def _report(world: World, *, live: bool) -> list[Any]:
    """What it holds by its own list, which is right. Onhand must answer what the simulator knows."""
    units = {sku: world.truth.at(shelf(OLD), sku) for sku in world.skus}
    wrong = {sku: -world.truth.error[OLD, "sound", sku] for sku in world.skus if world.truth.error[OLD, "sound", sku]}
    now = datetime.datetime.now(datetime.UTC).isoformat()
    lines = [{"sku": sku, "onHand": n} for sku, n in units.items()]
    fields = {"warehouse": OLD, "asOf": now, "lines": lines, "complete": True}
    found = (await world.must(world.boss, "partnerSnapshotReport", _SNAPSHOT, **fields))["snapshot"]
    said = {one["sku"]: one["difference"] for one in found["differences"]}
    outcomes = {one["outcome"] for one in found["differences"]}
    assert found["applied"] is live, found
    if not live:
        assert said == wrong, f"seed {world.seed}: a snapshot differs by {said}, and must by {wrong}"
        assert outcomes <= {"NOTED"}, found
    else:
        # orders may be promised from it already: what could have left explains some of what is missing
        assert all(abs(units) <= abs(wrong.get(sku, 0)) for sku, units in said.items()), (said, wrong)
        world.differing = {sku for sku, units in said.items() if units}
    return list(found["differences"])


async def _take_charge(world: World) -> None:
    """The last snapshot makes cases of what differs; somebody puts it right, and the next one ends them."""
    found = await _report(world, live=True)
    for one in found:
        line = {"sku": one["sku"], "delta": one["difference"]}
        fields = {"warehouse": OLD, "reason": "TAKEN_OVER", "lines": [line]}
        made = await world.tell(world.boss, "stockAdjust", "levels { available }", **fields)
        if not made["userErrors"]:
            world.truth.error[OLD, "sound", one["sku"]] += one["difference"]
    await _report(world, live=True)


async def audit_legacy(world: World) -> list[str]:
    """Nobody works for us where we are not in charge."""
    rows = await world.state.database.hot.fetch(_WORK_THERE)
    return [f"{row['count']} fulfilment orders at {row['code']}, which is not LIVE" for row in rows]
