"""Transfers: asked for, approved by another person, picked, shipped, received in parts, closed, called back."""

from __future__ import annotations

from typing import Any

from tests.simulation.week.bins import count_known, some_bin
from tests.simulation.week.company import TIDY, World, lines_of
from tests.simulation.week.tablet import Act, Tablet, ask
from tests.simulation.week.truth import LOST, Effect, Move, Picked, Place, Placed, broken, ghost, shelf, truck

COUNTS = "requested picked shipped received damaged missing returned returnedDamaged writtenOff"
NODE = f"id state source {{ code }} destination {{ code }} lines {{ sku {{ code }} {COUNTS} }}"
_PAGE = f"query($f: TransferFilter) {{ transfers(filter: $f, first: 12) {{ nodes {{ {NODE} }} }} }}"
_NODE = f"query($id: ID!) {{ node(id: $id) {{ ... on Transfer {{ {NODE} }} }} }}"
NODE_OF = f"transfer {{ {NODE} }}"
OPEN = ["AWAITING_APPROVAL", "APPROVED", "PICKING", "IN_TRANSIT", "RETURNING", "RECEIVED"]


async def work_transfers(world: World, tablet: Tablet, taken: set[str]) -> None:
    """A new one, or the next step of one."""
    if tablet.sees_all and tablet.chance.random() < 0.3:
        await _create(world, tablet)
        return
    found = await ask(tablet.client, world.tally, _PAGE, {"f": {"warehouses": [tablet.house], "states": OPEN}})
    known = world.recorded_at(tablet.house)
    free = [
        one
        for one in found["transfers"]["nodes"]
        if one["id"] not in taken | known and world.truck_of(one["id"]) not in known
    ]
    if free:
        one = tablet.chance.choice(free)
        taken.add(one["id"])
        try:
            await _step(world, tablet, one)
        finally:
            taken.discard(one["id"])


async def _create(world: World, tablet: Tablet) -> None:
    chance = tablet.chance
    there = [sku for sku, units in world.truth.stock(tablet.house) if units > 8]
    others = [house for house in world.houses if house != tablet.house]
    if not there or not others:
        return
    units = {sku: chance.randint(1, 8) for sku in chance.sample(there, min(len(there), chance.randint(1, 3)))}
    fields = {"source": tablet.house, "destination": chance.choice(others), "lines": lines_of(units)}
    act = Act("transferCreate", fields)
    if not tablet.online:
        _create_unseen(world, tablet, act, units)
    else:
        await tablet.do(act, "transfer { id state }")


def _create_unseen(world: World, tablet: Tablet, act: Act, units: dict[str, int]) -> None:
    """Without network it is named by the key under which it was made, and on its way before anybody knows of it."""
    if sum(units.values()) > 15 or any(_loose(world, tablet.house, sku) < n for sku, n in units.items()):
        return
    key = tablet.record(act)
    house, name = act.fields["destination"], f"key:{key}"
    world.trucks[name] = house
    tablet.record(_departure(tablet.house, house, name, units, shelf(tablet.house)))


def _departure(source: str, target: str, name: str, units: dict[str, int], place: Place) -> Act:
    """`place`: where the units stand until then."""
    effects = [Effect(source, "sound", sku, -n) for sku, n in units.items()]
    effects += [Effect(target, "in_transit", sku, n) for sku, n in units.items()]
    moves = [Move(sku, place, truck(name), n) for sku, n in units.items()]
    return Act("transferShip", {"id": name, "carrier": "TRUCK"}, moves, effects)


async def _step(world: World, tablet: Tablet, one: Any) -> None:
    chance, state = tablet.chance, one["state"]
    here = one["source"]["code"] == tablet.house
    if state == "AWAITING_APPROVAL":
        await _decide(world, tablet, one)
    elif state in {"APPROVED", "PICKING"} and here:
        await _leave(world, tablet, one)
    elif state == "IN_TRANSIT" and not here:
        await _arrive(world, tablet, one, tablet.house)
    elif state == "IN_TRANSIT" and chance.random() < 0.04:
        await _call_back(world, one)
    elif state == "RETURNING" and here:
        await _arrive(world, tablet, one, tablet.house)
    elif state == "RECEIVED" and chance.random() < 0.5:
        await _close(world, one)


async def _decide(world: World, tablet: Tablet, one: Any) -> None:
    """By a second person; some wait for long."""
    roll = tablet.chance.random()
    if roll < 0.25:
        await world.tell(world.second, "transferApprove", "transfer { id }", id=one["id"])
    elif roll < 0.3:
        await _cancel(world, one)


async def _cancel(world: World, one: Any) -> None:
    """Before it leaves: whoever says so has what was picked put back on its shelf, before anybody counts there."""
    name, source = one["id"], one["source"]["code"]
    async with world.alone(source):
        found = (await ask(world.boss, world.tally, _NODE, {"id": name}))["node"]
        if found["state"] not in {"AWAITING_APPROVAL", "APPROVED", "PICKING"} or name in world.recorded_at(source):
            return
        made = await world.tell(world.second, "transferCancel", "transfer { id }", id=name)
        if not made["userErrors"]:
            for unit in list(world.truth.table.get(name, ())):
                world.truth.put_back(name, unit.label, 1)


def _left(line: Any) -> int:
    """Units on the way by the books."""
    gone = sum(line[name] for name in ("received", "damaged", "returned", "returnedDamaged", "writtenOff"))
    return int(line["shipped"] - gone)


async def _leave(world: World, tablet: Tablet, one: Any) -> None:
    """Picked, and shipped when all is picked or nobody will pick more."""
    chance = tablet.chance
    if chance.random() < 0.06:
        await _cancel(world, one)
        return
    if not await _pick(world, tablet, one):
        return
    source, target = one["source"]["code"], one["destination"]["code"]

    def make() -> Act | None:
        on_table = {x["sku"]["code"]: world.truth.labelled(one["id"], x["sku"]["code"]) for x in one["lines"]}
        units = {sku: n for sku, n in on_table.items() if n}
        if not units:
            return None
        world.trucks[one["id"]] = target
        return _departure(source, target, one["id"], units, Place("table", one["id"]))

    await tablet.do(make, NODE_OF)
    _clear_table(world, one["id"])
    if one["id"] not in world.trucks:
        await _cancel(world, one)


def _loose(world: World, house: str, sku: str) -> int:
    """Units that can be taken without the name of a bin: where bins are kept tidy, those on the floor."""
    return count_known(world, house, None, sku) if house == TIDY else world.truth.at(shelf(house), sku)


async def _pick(world: World, tablet: Tablet, one: Any) -> bool:
    """Whether it may leave. What is not there is left out."""
    await tablet.aisle.enter(alone=False)
    try:
        picked, lines = [], []
        for line in one["lines"]:
            sku = line["sku"]["code"]
            wanted = min(line["requested"] - line["picked"], _loose(world, tablet.house, sku))
            if wanted > 0:
                picked += [Picked(sku, sku)] * wanted
                lines.append({"sku": sku, "quantity": wanted})
        if not lines:
            return True
        world.truth.pick(one["id"], tablet.house, picked)
        act = Act("transferPick", {"id": one["id"], "lines": lines})
        if not tablet.online:
            tablet.record(act)
            return True
        if await tablet.send(act, "transfer { id }") is None:
            for unit in picked:
                world.truth.put_back(one["id"], unit.label, 1)
            return False
        return True
    finally:
        await tablet.aisle.leave(alone=False)


def _clear_table(world: World, name: str) -> None:
    """The labels go with the goods: a departure moved the units, and what was refused stands there still."""
    kept = world.truth.table.get(name, [])
    for sku in {unit.label for unit in kept}:
        there = world.truth.at(Place("table", name), sku)
        mine = [unit for unit in kept if unit.label == sku]
        for unit in mine[there:]:
            kept.remove(unit)


async def settle_transfers(world: World) -> None:
    """What was picked for a transfer that will not leave goes back."""
    for name in [name for name, units in world.truth.table.items() if units]:
        found = await ask(world.boss, world.tally, _NODE, {"id": name})
        if found["node"] and found["node"].get("state") in {"CANCELLED", "CLOSED", "RECEIVED", "IN_TRANSIT"}:
            for unit in list(world.truth.table[name]):
                world.truth.put_back(name, unit.label, 1)


async def _arrive(world: World, tablet: Tablet, one: Any, house: str) -> None:
    """Unless it was called back while somebody went to the door."""
    await tablet.aisle.enter(alone=False)
    try:
        if world.trucks.get(world.truck_of(one["id"])) == house:
            await _unload(world, tablet, one, house)
    finally:
        await tablet.aisle.leave(alone=False)


async def _unload(world: World, tablet: Tablet, one: Any, house: str) -> None:
    """In parts; some broken, some missing, because they fell off on the way."""
    chance, truth = tablet.chance, world.truth
    name = world.truck_of(one["id"])
    moves: list[Move] = []
    effects: list[Effect] = []
    placed: list[Placed] = []
    lines = []
    last = chance.random() < 0.6
    for line in one["lines"]:
        sku = line["sku"]["code"]
        there, due = truth.at(truck(name), sku), _left(line) - line["missing"]
        if there and chance.random() < 0.06:
            truth.move([Move(sku, truck(name), ghost(name), 1)])
            truth.injected["lost on the way"] += 1
            there -= 1
        some = min(there, due) if last else chance.randint(0, min(there, max(due, 0)))
        hurt = int(some > 0 and chance.random() < 0.08)
        gone = max(0, due - some) if last else 0
        if some + gone > 0:
            put = some_bin(world, house, tablet.chance)
            lines.append({"sku": sku, "received": some - hurt, "damaged": hurt, "missing": gone, **put})
            if house == TIDY and put and some > hurt:
                placed.append(Placed(house, put["bin"], sku, some - hurt))
        for units, place, book in ((some - hurt, shelf(house), "sound"), (hurt, broken(house), "damaged")):
            if units:
                moves.append(Move(sku, truck(name), place, units))
                effects += [Effect(house, book, sku, units), Effect(house, "in_transit", sku, -units)]
    if lines:
        if any(line["damaged"] + line["missing"] for line in lines):
            world.discrepant.add(one["id"])
        fields = {"id": one["id"], "warehouse": house, "lines": lines}
        await tablet.do(Act("transferReceive", fields, moves, effects, placed), NODE_OF)


async def _call_back(world: World, one: Any) -> None:
    """Only while nobody has received what the books do not know yet: a truck turns round as it is."""
    target, name, truth = one["destination"]["code"], world.truck_of(one["id"]), world.truth
    async with world.alone(target):
        found = (await ask(world.boss, world.tally, _NODE, {"id": one["id"]}))["node"]
        loads = [
            (truth.at(truck(name), x["sku"]["code"]) + truth.at(ghost(name), x["sku"]["code"]), x)
            for x in found["lines"]
        ]
        if found["state"] != "IN_TRANSIT" or any(load != _left(line) for load, line in loads):
            return
        made = await world.tell(world.second, "transferCancel", NODE_OF, id=one["id"])
        if not made["userErrors"]:
            world.trucks[name] = one["source"]["code"]


async def _close(world: World, one: Any) -> None:
    """What never came is written off, and with it what came to a tablet that has not told it yet."""
    house, name = one["destination"]["code"], world.truck_of(one["id"])
    made = await world.tell(world.second, "transferClose", NODE_OF, id=one["id"])
    if made["userErrors"]:
        return
    before = {line["sku"]["code"]: line["writtenOff"] for line in one["lines"]}
    for line in made["transfer"]["lines"]:
        sku = line["sku"]["code"]
        off, lost = line["writtenOff"] - before[sku], world.truth.at(ghost(name), sku)
        if lost:
            world.truth.move([Move(sku, ghost(name), LOST, lost)])
        if off != lost:
            world.truth.falsify(house, "in_transit", sku, lost - off, "written off although it came")
