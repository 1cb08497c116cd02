"""What else a warehouse's people do: receipts, purchase orders, returns, damage, corrections; and what nobody sees."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.simulation.week.bins import put_somewhere, some_bin, take_somewhere
from tests.simulation.week.company import ALONE_MAX, SCARCE, TIDY, World, lines_of
from tests.simulation.week.kits import unpack
from tests.simulation.week.tablet import Act, Tablet, ask
from tests.simulation.week.truth import (
    CUSTOMER,
    LOST,
    SCRAP,
    SUPPLIER,
    Effect,
    Move,
    Place,
    Placed,
    broken,
    dock,
    shelf,
)

_DAMAGES = """query($f: DamageFilter) { damages(filter: $f, first: 8) {
  nodes { id sku { code } quantity repaired scrapped sentBack waiting } } }"""
_RETURNS = """query($f: ReturnFilter) { returns(filter: $f, first: 8) {
  nodes { id state lines { sku { code } authorized received inspected finding } } } }"""
_PURCHASES = """query($f: PurchaseOrderFilter) { purchaseOrders(filter: $f, first: 8) {
  nodes { id status lines { sku quantity received } } } }"""
_REQUESTS = """query($f: ReplenishmentRequestFilter) { replenishmentRequests(filter: $f, first: 8) {
  nodes { id status source } } }"""
_ADJUSTMENTS = "{ adjustments(filter: {states: [PENDING]}, first: 50) { nodes { id kind warehouse { code } } } }"
DISPOSALS = {"REPAIR": None, "SCRAP": SCRAP, "RETURN_TO_VENDOR": SUPPLIER}
DISPOSITIONS: dict[str, tuple[str, Place | None]] = {
    "RESTOCK": ("sound", None),
    "DAMAGED": ("damaged", None),
    "QUALITY_CONTROL": ("", None),
    "SCRAP": ("", SCRAP),
    "RETURN_TO_VENDOR": ("", SUPPLIER),
}


async def receive(world: World, tablet: Tablet) -> None:
    """Goods that nobody ordered here."""
    sku, units = tablet.chance.choice(world.skus), tablet.chance.randint(1, 6)
    lines, placed = put_somewhere(world, tablet.house, {sku: units}, tablet.chance)
    fields = {"warehouse": tablet.house, "reason": "RECEIPT", "lines": lines}
    effect = Effect(tablet.house, "sound", sku, units)
    move = Move(sku, SUPPLIER, shelf(tablet.house), units)
    await tablet.do(Act("stockReceive", fields, [move], [effect], placed))


async def report_damage(world: World, tablet: Tablet) -> None:
    there = [sku for sku, _ in world.truth.stock(tablet.house)]
    if not there:
        return
    sku, house = tablet.chance.choice(there), tablet.house

    def make() -> Act | None:
        units = min(tablet.chance.choice((1, 1, 1, 2, 5)), world.truth.at(shelf(house), sku))
        place = take_somewhere(world, house, sku, units, tablet.chance)
        if not units or place is None:
            return None
        line = {"sku": sku, "quantity": units, **place[0]}
        fields = {"warehouse": house, "origin": "STOCK", "cause": "DROPPED", "lines": [line]}
        effects = [Effect(house, "sound", sku, -units), Effect(house, "damaged", sku, units)]
        return Act("damageReport", fields, [Move(sku, shelf(house), broken(house), units)], effects, place[1])

    await tablet.do(make)


async def dispose(world: World, tablet: Tablet) -> None:
    """Repair, scrap, send back; above the limit it waits for a second person."""
    found = await ask(tablet.client, world.tally, _DAMAGES, {"f": {"warehouses": [tablet.house], "open": True}})
    if not found["damages"]["nodes"] or not tablet.online:
        return
    one = tablet.chance.choice(found["damages"]["nodes"])
    sku, house = one["sku"]["code"], tablet.house
    left = one["quantity"] - one["repaired"] - one["scrapped"] - one["sentBack"] - one["waiting"]
    how = tablet.chance.choice(list(DISPOSALS))

    def make() -> Act | None:
        units = min(left, world.truth.at(broken(house), sku))
        if units <= 0:
            return None
        effects = [Effect(house, "damaged", sku, -units)]
        if how == "REPAIR":
            effects.append(Effect(house, "sound", sku, units))
        fields = {"id": one["id"], "disposal": how, "quantity": units}
        return Act("damageDispose", fields, [Move(sku, broken(house), DISPOSALS[how] or shelf(house), units)], effects)

    await do_for_second(world, tablet, make)


async def do_for_second(world: World, tablet: Tablet, make: Callable[[], Act | None]) -> None:
    """The books may wait for a second person. Nobody counts until that is noted.

    What was found or thrown away is so already; what is damaged is put back until somebody allows its disposal.
    """
    await tablet.aisle.enter(alone=False)
    try:
        act = make()
        if act is None:
            return
        made = await tablet.send(act, "adjustment { id }")
        if made is None or made["adjustment"] is None:
            return
        if act.name == "damageDispose":
            world.truth.move(Move(m.sku, m.target, m.source, m.units) for m in act.moves)
            world.allowed_later[made["adjustment"]["id"]] = act
        else:
            world.waiting[made["adjustment"]["id"]] = (act, next(world.turns))
    finally:
        await tablet.aisle.leave(alone=False)


async def correct(world: World, tablet: Tablet) -> None:
    """Somebody finds units that were thrown away or lay behind a shelf, and says so."""
    if not tablet.online:
        return
    chance, house = tablet.chance, tablet.house
    units = chance.choice((1, 1, 2, ALONE_MAX + 2))
    there = [sku for sku, held in world.truth.stock(house) if held >= units]
    if not there:
        return
    sku, more = chance.choice(there), chance.random() < 0.4
    delta = units if more else -units

    def make() -> Act | None:
        source, target = (LOST, shelf(house)) if more else (shelf(house), SCRAP)
        if more:
            (line,), placed = put_somewhere(world, house, {sku: units}, chance)
            place = {name: line[name] for name in line if name == "bin"}
        else:
            taken = take_somewhere(world, house, sku, units, chance)
            if taken is None or world.truth.at(shelf(house), sku) < units:
                return None
            place, placed = taken
        fields = {"warehouse": house, "reason": "FOUND" if more else "THROWN_AWAY"}
        lines = [{"sku": sku, "delta": delta, **place}]
        moves, effects = [Move(sku, source, target, units)], [Effect(house, "sound", sku, delta)]
        return Act("stockAdjust", {**fields, "lines": lines}, moves, effects, placed)

    await do_for_second(world, tablet, make)


async def decide_adjustments(world: World, chance: random.Random) -> None:
    """The second person at a desk. What was done and is refused is an error of the books; a disposal is done now or never."""
    found = await ask(world.second, world.tally, _ADJUSTMENTS, {})
    for one in found["adjustments"]["nodes"]:
        if not {one["id"]} & (world.waiting.keys() | world.allowed_later.keys()) or chance.random() < 0.5:
            continue
        async with world.alone(one["warehouse"]["code"]):
            verb = "adjustmentApprove" if chance.random() < 0.8 else "adjustmentReject"
            made = await world.tell(world.second, verb, "adjustment { id }", id=one["id"])
            if made["userErrors"]:
                verb = "adjustmentReject"
                await world.must(world.second, verb, "adjustment { id }", id=one["id"])
            if one["id"] in world.allowed_later:
                act = world.allowed_later.pop(one["id"])
                world.truth.move(act.moves if verb == "adjustmentApprove" else ())
                continue
            act, turn = world.waiting.pop(one["id"])
            if verb == "adjustmentReject":
                world.give_up(act, turn)


async def take_back(world: World, tablet: Tablet) -> None:
    """A return: of an order that was shipped, or just there at the dock; at times not what was sold, or unknown."""
    if tablet.chance.random() < 0.5:
        await _inspect(world, tablet)
    elif tablet.chance.random() < 0.5:
        await _authorize(world, tablet)
    else:
        await _accept_parcel(world, tablet)


async def _authorize(world: World, tablet: Tablet) -> None:
    """Support says that it comes. More than was shipped is refused."""
    ids = list(world.orders)[-60:]
    if not ids:
        return
    order = world.orders[tablet.chance.choice(ids)]
    sku = tablet.chance.choice(list(order.lines))
    name = {"channel": order.channel, "externalId": order.external_id}
    fields = {
        "warehouse": tablet.house,
        "order": name,
        "lines": [{"sku": sku, "quantity": tablet.chance.choice((1, 1, 2))}],
    }
    await world.tell(world.boss, "returnAuthorize", "return { id }", **fields)


async def _accept_parcel(world: World, tablet: Tablet) -> None:
    chance, house = tablet.chance, tablet.house
    found = await ask(
        tablet.client,
        world.tally,
        _RETURNS,
        {"f": {"warehouses": [house], "states": ["OPEN"], "custody": ["EXPECTED", "OVERDUE"]}},
    )
    fields: dict[str, Any] = {"warehouse": house}
    units = {chance.choice([*world.skus, *world.kits]): 1}
    if found["returns"]["nodes"] and chance.random() < 0.8:
        one = chance.choice(found["returns"]["nodes"])
        fields = {"id": one["id"]}
        if chance.random() > 0.15:  # else it is not what was expected
            units = _some_of_return(one, chance)
    if not units:
        return
    fields["lines"] = lines_of(units)
    if chance.random() < 0.05:
        fields["lines"].append({"quantity": 1, "unknownItem": "a blue thing"})
    came = unpack(world, units).items()
    moves = [Move(sku, CUSTOMER, dock(house), n) for sku, n in came]
    effects = [Effect(house, "quality_control", sku, n) for sku, n in came]
    await tablet.do(Act("returnReceive", fields, moves, effects), "return { id }")


def _some_of_return(one: Any, chance: random.Random) -> dict[str, int]:
    """What is still to come of it, or a part of that."""
    due = {line["sku"]["code"]: line["authorized"] - line["received"] for line in one["lines"] if line["sku"]}
    some = chance.random() < 0.3
    left = {sku: chance.randint(0, n) if some else n for sku, n in due.items() if n > 0}
    return {sku: n for sku, n in left.items() if n}


async def _inspect(world: World, tablet: Tablet) -> None:
    """Each unit by itself; what is all inspected is closed at times."""
    chance, house = tablet.chance, tablet.house
    found = await ask(
        tablet.client,
        world.tally,
        _RETURNS,
        {"f": {"warehouses": [house], "states": ["OPEN"], "custody": ["RECEIVED", "PARTLY_RECEIVED", "OVERDUE"]}},
    )
    if not found["returns"]["nodes"]:
        return
    one = chance.choice(found["returns"]["nodes"])
    for line in one["lines"]:
        if line["sku"] is None:
            continue
        sku = line["sku"]["code"]
        units = min(line["received"] - line["inspected"], world.truth.at(dock(house), sku))
        if units > 0:
            await _dispose_returned(world, tablet, one["id"], sku, units)
    if chance.random() < 0.5:
        await world.tell(tablet.client, "returnClose", "return { id }", id=one["id"])


async def _dispose_returned(world: World, tablet: Tablet, name: str, sku: str, units: int) -> None:
    house = tablet.house
    how = tablet.chance.choices(list(DISPOSITIONS), (6, 2, 1, 1, 1))[0]
    book, outside = DISPOSITIONS[how]
    target = outside or {"sound": shelf(house), "damaged": broken(house), "": dock(house)}[book]
    effects = [] if how == "QUALITY_CONTROL" else [Effect(house, "quality_control", sku, -units)]
    if book:
        effects.append(Effect(house, book, sku, units))
    moves = [] if how == "QUALITY_CONTROL" else [Move(sku, dock(house), target, units)]
    lines, placed = lines_of({sku: units}), list[Placed]()
    if how == "RESTOCK":
        lines, placed = put_somewhere(world, house, {sku: units}, tablet.chance)
    lines[0]["disposition"] = how
    await tablet.do(Act("returnInspect", {"id": name, "lines": lines}, moves, effects, placed), "return { id }")


async def buy_in(world: World, tablet: Tablet) -> None:
    """Requests are approved or not, and what was ordered comes in parts, some of it broken, at times too much."""
    if not tablet.online:
        return
    if tablet.chance.random() < 0.4:
        await _decide_request(world, tablet)
        return
    found = await ask(tablet.client, world.tally, _PURCHASES, {"f": {"warehouses": [tablet.house]}})
    open_ = [one for one in found["purchaseOrders"]["nodes"] if one["status"] in {"OPEN", "PARTLY_RECEIVED"}]
    if open_:
        await _receive_purchase(world, tablet, tablet.chance.choice(open_))


async def _decide_request(world: World, tablet: Tablet) -> None:
    found = await ask(tablet.client, world.tally, _REQUESTS, {"f": {"warehouses": [tablet.house]}})
    proposed = [one for one in found["replenishmentRequests"]["nodes"] if one["status"] == "PROPOSED"]
    if proposed:
        one, no = tablet.chance.choice(proposed), tablet.chance.random() < 0.2
        name = "replenishmentRequestReject" if no else "replenishmentRequestApprove"
        note = {"note": "Not now."} if no else {}
        await world.tell(world.boss, name, "request { id }", id=one["id"], **note)


async def _receive_purchase(world: World, tablet: Tablet, one: Any) -> None:
    chance, house = tablet.chance, tablet.house
    lines, moves, placed = [], [], list[Placed]()
    for line in one["lines"]:
        units = line["quantity"] - line["received"]
        units = units + 1 if chance.random() < 0.1 else chance.randint(0, units)
        hurt = int(units > 1 and chance.random() < 0.1)
        if units:
            put = some_bin(world, house, chance)
            lines.append({"sku": line["sku"], "quantity": units, "damaged": hurt, **put})
            if house == TIDY and put and units > hurt:
                placed.append(Placed(house, put["bin"], line["sku"], units - hurt))
            moves += [
                Move(line["sku"], SUPPLIER, place, n)
                for place, n in ((shelf(house), units - hurt), (broken(house), hurt))
                if n
            ]
    if not lines:
        return
    await tablet.aisle.enter(alone=False)
    try:
        fields = {"id": one["id"], "lines": lines, "allowOver": chance.random() < 0.7}
        made = await world.tell(tablet.client, "purchaseOrderReceive", "purchaseOrder { id }", **fields)
        if not made["userErrors"]:
            world.truth.move(moves)
            world.truth.place(placed)
    finally:
        await tablet.aisle.leave(alone=False)


async def lose(world: World, tablet: Tablet) -> None:
    """Stolen, or lost behind a shelf: nobody knows."""
    there = [sku for sku, _ in world.truth.stock(tablet.house)]
    if there and tablet.house != TIDY:
        few = [sku for sku in there if sku in SCARCE]
        sku = tablet.chance.choice(few if few and tablet.chance.random() < 0.4 else there)
        async with world.alone(tablet.house):
            if world.truth.at(shelf(tablet.house), sku):
                world.truth.move([Move(sku, shelf(tablet.house), LOST, 1)])
                world.truth.falsify(tablet.house, "sound", sku, 1, "lost and unseen")
