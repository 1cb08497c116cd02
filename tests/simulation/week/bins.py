"""Bins: goods are put away where Onhand says or somewhere else, moved about, and bins come into use in the middle.

Which unit stands in which bin is not played: what is audited is that bins never hold more than the ledger has on the
shelves, and that each bin is what its records add up to (`verify_ledger`), whoever takes units and from where.
"""

from __future__ import annotations

import random
from typing import Any

from tests.simulation.week.company import World
from tests.simulation.week.tablet import Act, Tablet, ask

BINNED = ("BER", "HAM", "NYC")
LATER = "MUC"
"""Begins with bins when goods stand there already."""
ZONES = (("P", "PICK", 6), ("B", "BULK", 3))
_TASKS = "query($w: String!) { putAwayTasks(warehouse: $w, first: 20) { sku quantity places { bin quantity } } }"
_HELD = "query($w: String!) { bins(warehouse: $w, first: 50) { nodes { code contents { sku quantity } } } }"


async def furnish(world: World, house: str) -> None:
    """Two zones, and bins of both kinds."""
    zones = [{"code": code, "kind": kind, "sequence": n} for n, (code, kind, _) in enumerate(ZONES)]
    await world.must(world.boss, "zoneUpsert", "zones { code }", warehouse=house, lines=zones)
    lines: list[dict[str, Any]] = [
        {"code": f"{zone}-{n}", "zone": zone, "sequence": n} for zone, _, count in ZONES for n in range(count)
    ]
    await world.must(world.boss, "binUpsert", "bins { code }", warehouse=house, lines=lines)
    world.bins[house] = [line["code"] for line in lines]


def some_bin(world: World, house: str, chance: random.Random) -> dict[str, str]:
    """A bin to be named in a line, or none."""
    bins = world.bins.get(house)
    return {"bin": chance.choice(bins)} if bins and chance.random() < 0.5 else {}


async def shelve(world: World, tablet: Tablet) -> None:
    """What stands on the floor into bins, or from one bin into another. Without network it is told later."""
    house, chance = tablet.house, tablet.chance
    if house not in world.bins:
        return
    move = await _put_away(world, tablet) if chance.random() < 0.7 else await _move_on(world, tablet)
    if move is not None:
        await tablet.do(Act("binMove", {"warehouse": house, "lines": [move]}), "moves { toHolds }")


async def _put_away(world: World, tablet: Tablet) -> dict[str, Any] | None:
    tasks = (await ask(tablet.client, world.tally, _TASKS, {"w": tablet.house}))["putAwayTasks"]
    tasks = [task for task in tasks if task["places"]]
    if not tasks:
        return None
    task = tablet.chance.choice(tasks)
    place = tablet.chance.choice(task["places"])
    return {"sku": task["sku"], "quantity": tablet.chance.randint(1, place["quantity"]), "to": place["bin"]}


async def _move_on(world: World, tablet: Tablet) -> dict[str, Any] | None:
    found = (await ask(tablet.client, world.tally, _HELD, {"w": tablet.house}))["bins"]["nodes"]
    held = [(one["code"], line["sku"], line["quantity"]) for one in found for line in one["contents"]]
    if not held:
        return None
    code, sku, units = tablet.chance.choice(held)
    target = tablet.chance.choice([other for other in world.bins[tablet.house] if other != code])
    return {"sku": sku, "quantity": tablet.chance.randint(1, units), "from": code, "to": target}
