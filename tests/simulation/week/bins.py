"""Bins: goods are put away where Onhand says or somewhere else, moved about, and bins come into use in the middle.

In one tidy warehouse people say of every unit where they take it from and where they put it: there each bin is held
against what stands in it, to the unit. Elsewhere they name a bin or none, right or wrong: there bins never hold more
than the ledger has on the shelves, and each is what its records add up to (`verify_ledger`).
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from tests.simulation.week.company import TIDY, World, lines_of
from tests.simulation.week.tablet import Act, Tablet, ask
from tests.simulation.week.truth import Placed, shelf
from tests.simulation.week.untold import PICKS

BINNED = ("BER", "HAM", TIDY)
LATER = "MUC"
"""Begins with bins when goods stand there already."""
ZONES = (("P", "PICK", 6), ("B", "BULK", 3))
NAMED = 0.7
"""Of what stands in bins and on the floor, how often somebody goes to a bin."""
_TASKS = "query($w: String!) { putAwayTasks(warehouse: $w, first: 20) { sku quantity places { bin quantity } } }"
_HELD = "query($w: String!) { bins(warehouse: $w, first: 50) { nodes { code contents { sku quantity } } } }"
_BOOKS = """
SELECT b.code AS bin, s.code AS sku, c.quantity FROM bin_contents c JOIN bins b ON b.id = c.bin_id
JOIN skus s ON s.id = c.sku_id JOIN warehouses w ON w.id = b.warehouse_id WHERE w.code = $1
"""


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


def put_somewhere(world: World, house: str, units: dict[str, int], chance: random.Random) -> tuple[Any, list[Placed]]:
    """Lines of these units with their bins, and what stands in bins then."""
    lines, placed = lines_of(units), []
    for line in lines:
        line |= some_bin(world, house, chance)
        if house == TIDY and "bin" in line:
            placed.append(Placed(house, line["bin"], line["sku"], line["quantity"]))
    return lines, placed


def take_somewhere(
    world: World, house: str, sku: str, units: int, chance: random.Random
) -> tuple[dict[str, str], list[Placed]] | None:
    """The bin to be named in a line, and what leaves it; None when no place has so many that Onhand knows of."""
    if house != TIDY:
        return some_bin(world, house, chance), []
    bins = [name for name in world.bins[house] if count_known(world, house, name, sku) >= units]
    on_floor = count_known(world, house, None, sku) >= units
    if bins and not (on_floor and chance.random() > NAMED):
        name = chance.choice(bins)
        return {"bin": name}, [Placed(house, name, sku, -units)]
    return ({}, []) if on_floor else None


def take_apart(world: World, house: str, sku: str, units: int, chance: random.Random) -> list[dict[str, Any]]:
    """Lines of a pick, each from one place, until there are so many, or no more that Onhand knows of."""
    places: list[str | None] = [None, *world.bins[house]]
    chance.shuffle(places)
    lines: list[dict[str, Any]] = []
    for name in places:
        taken = min(units, count_known(world, house, name, sku))
        if taken > 0:
            lines.append({"sku": sku, "quantity": taken, **({"bin": name} if name else {})})
            units -= taken
    return lines


def count_known(world: World, house: str, name: str | None, sku: str) -> int:
    """Units in a bin (None: on the floor), without those that were put there and are not told yet."""
    there = world.truth.floor(house, sku) if name is None else world.truth.bins[house, name, sku]
    return max(0, there - sum(max(0, _put(act, house, name, sku)) for act in _list_pending(world, house)))


def _list_pending(world: World, house: str) -> list[Act]:
    tablets = [tablet for tablet in world.tablets if tablet.house == house]
    queued = [one.act for tablet in tablets for one in tablet.queue]
    return [*queued, *(act for act, _ in world.waiting.values()), *(act for t in tablets for act in t.in_flight)]


def _put(act: Act, house: str, name: str | None, sku: str) -> int:
    """Units that an act put into a bin, or on the floor."""
    placed = [one for one in act.places if (one.house, one.sku) == (house, sku)]
    if name is not None:
        return sum(one.units for one in placed if one.bin == name)
    if act.name in PICKS:
        return 0
    moved = sum(m.units for m in act.moves if (m.target, m.sku) == (shelf(house), sku))
    return (
        moved
        - sum(m.units for m in act.moves if (m.source, m.sku) == (shelf(house), sku))
        - sum(one.units for one in placed)
    )


async def shelve(world: World, tablet: Tablet) -> None:
    """What stands on the floor into bins, or from one bin into another. Without network it is told later."""
    house, chance = tablet.house, tablet.chance
    if house not in world.bins:
        return
    line = await _put_away(world, tablet) if chance.random() < 0.7 else await _move_on(world, tablet)
    if line is None:
        return

    def make() -> Act | None:
        placed = []
        if house == TIDY:
            line["quantity"] = min(line["quantity"], count_known(world, house, line.get("from"), line["sku"]))
            placed = [Placed(house, line["to"], line["sku"], line["quantity"])]
            if "from" in line:
                placed.append(Placed(house, line["from"], line["sku"], -line["quantity"]))
        return Act("binMove", {"warehouse": house, "lines": [line]}, places=placed) if line["quantity"] else None

    await tablet.do(make, "moves { toHolds }")


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


async def audit_bins(world: World) -> list[str]:
    """Each bin of the tidy warehouse against what stands in it, of every SKU that its books were never wrong about."""
    said = Counter(
        {(row["bin"], row["sku"]): row["quantity"] for row in await world.state.database.hot.fetch(_BOOKS, TIDY)}
    )
    known = Counter({(name, sku): n for (house, name, sku), n in world.truth.bins.items() if house == TIDY})
    for act in _list_pending(world, TIDY):
        for _, name, sku, units in act.places:
            known[name, sku] -= units
    clean = {sku for sku in world.skus if (TIDY, sku) not in world.truth.dirty}
    lines = [key for key in sorted(set(said) | set(known)) if key[1] in clean]
    world.bin_lines = len([key for key in lines if known[key]])
    return [
        f"{sku} in bin {name} of {TIDY}: {said[name, sku]} in the books, and must be {known[name, sku]}"
        for name, sku in lines
        if said[name, sku] != known[name, sku]
    ]
