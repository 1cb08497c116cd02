"""What pickers and packers do: accept, pick with what goes wrong, pack, ship whole or in part, refuse, cancel."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.ids import decode_id
from tests.simulation.week.bins import some_bin, take_apart
from tests.simulation.week.company import TIDY, World
from tests.simulation.week.kits import has_kit
from tests.simulation.week.tablet import Act, Tablet, ask
from tests.simulation.week.truth import Effect, Picked, Placed, shelf

WORK = "fulfillmentOrder { id orderId status cancelRequestedAt lines { sku quantity picked shipped cancelled short cancelRequested } }"
OPEN = ["RELEASED", "ACCEPTED", "PICKING", "PICKED", "PACKED", "PARTLY_SHIPPED"]
ENDED = {"SHIPPED", "REJECTED", "CANCELLED"}
_QUEUE = f"""
query($f: FulfillmentOrderFilter) {{ fulfillmentOrders(filter: $f, first: 12) {{ nodes {{ {WORK[19:-2]} }} }} }}
"""
_ONE = f"query($id: ID!) {{ node(id: $id) {{ ... on FulfillmentOrder {{ {WORK[19:-2]} }} }} }}"
MISPICK = 0.05


async def work_orders(world: World, tablet: Tablet, taken: set[str]) -> None:
    """The next step of one fulfilment order that nobody of the house has in hand."""
    filter_ = {"warehouses": [tablet.house], "statuses": OPEN}
    found = await ask(tablet.client, world.tally, _QUEUE, {"f": filter_})
    free = [
        one for one in found["fulfillmentOrders"]["nodes"] if one["id"] not in taken | world.recorded_at(tablet.house)
    ]
    if not free:
        return
    work = tablet.chance.choice(free)
    taken.add(work["id"])
    try:
        await _step(world, tablet, work)
    finally:
        taken.discard(work["id"])


async def _step(world: World, tablet: Tablet, work: Any) -> None:
    chance, status = tablet.chance, work["status"]
    if work["cancelRequestedAt"] is not None and chance.random() < 0.7:
        await _do(world, tablet, work, "Cancel")
    elif status == "RELEASED":
        await _answer(world, tablet, work)
    elif status == "ACCEPTED" or (status == "PARTLY_SHIPPED" and chance.random() < 0.8):
        await _start(world, tablet, work)
    elif status == "PICKING":
        await _pick(world, tablet, work)
    elif status == "PICKED" and chance.random() < 0.5:
        await _do(world, tablet, work, "Pack")
    elif chance.random() < 0.06:
        await _do(world, tablet, work, "Reject", reason=chance.choice(("CANNOT_SHIP", "OTHER")))
    elif status in {"PICKED", "PACKED"}:
        await _ship(world, tablet, work)


async def _do(world: World, tablet: Tablet, work: Any, verb: str, **fields: Any) -> Any | None:
    """The work after it; None when it was refused. Answered at once, whatever the network; nobody counts meanwhile."""
    await tablet.aisle.enter(alone=False)
    try:
        made = await tablet.send(Act(f"fulfillmentOrder{verb}", {"id": work["id"], **fields}), WORK)
        if made is None:
            return None
        after = made["fulfillmentOrder"]
        if verb == "Reject":
            _note_rejection(world, tablet.house, after, fields["reason"])
        settle_table(world, after)
        return after
    finally:
        await tablet.aisle.leave(alone=False)


def _note_rejection(world: World, house: str, after: Any, reason: str) -> None:
    """What is refused as not there leaves the books, although some of it may stand there."""
    world.rejected.add(after["orderId"])
    if reason != "NOT_IN_STOCK":
        return
    world.short.add(after["orderId"])
    for line in after["lines"]:
        if line["short"]:
            world.truth.falsify(house, "sound", line["sku"], -line["short"], "refused as not in stock")


def settle_table(world: World, work: Any) -> None:
    """Back to the shelf with what this work does not ship any more."""
    keep = dict.fromkeys((line["sku"] for line in work["lines"]), 0)
    for line in work["lines"] if work["status"] not in ENDED else ():
        left = line["quantity"] - line["cancelled"] - line["short"]
        keep[line["sku"]] += min(line["picked"], left) - line["shipped"]
    for sku, units in keep.items():
        over = world.truth.labelled(work["id"], sku) - units
        if over > 0:
            world.truth.put_back(work["id"], sku, over)


async def settle_tables(world: World) -> None:
    """Of all works, when nothing is in hand."""
    for work in [work for work, units in world.truth.table.items() if units and not work.startswith("transfer")]:
        found = (await ask(world.boss, world.tally, _ONE, {"id": work}))["node"]
        settle_table(world, found)


async def _answer(world: World, tablet: Tablet, work: Any) -> None:
    lacking = _lacks(world, tablet, work)
    if tablet.chance.random() < 0.04:
        await _do(world, tablet, work, "Reject", reason="NO_CAPACITY")
    elif lacking and tablet.chance.random() < 0.2 and tablet.house != TIDY:
        await _do(world, tablet, work, "Reject", reason="NOT_IN_STOCK")
    else:
        await _do(world, tablet, work, "Accept")


def order_of(work: Any) -> str:
    """As in the database."""
    return str(UUID(decode_id(work["orderId"])[1]))


def _lacks(world: World, tablet: Tablet, work: Any) -> bool:
    """Whether the shelf has less than is to be picked."""
    wanted: dict[str, int] = {}
    for line in work["lines"]:
        wanted[line["sku"]] = wanted.get(line["sku"], 0) + _unpicked(line)
    return any(world.truth.at(shelf(tablet.house), sku) < n for sku, n in wanted.items())


async def _start(world: World, tablet: Tablet, work: Any) -> None:
    after = await _do(world, tablet, work, "StartPicking")
    if after is not None:
        await _pick(world, tablet, after)


def _unpicked(line: Any) -> int:
    return int(line["quantity"] - line["picked"] - line["cancelled"] - line["short"])


async def _pick(world: World, tablet: Tablet, work: Any) -> None:
    """What is on the shelf, at times from the shelf beside it. What is not there is short. At times in two goes."""
    if not tablet.online and _lacks(world, tablet, work) and await has_kit(world, order_of(work)):
        return  # what is left over of a set that is short is wanted back on the shelf at once: told with network
    await tablet.aisle.enter(alone=False)
    try:
        after = await _pick_inside(world, tablet, work)
        if after is not None:
            settle_table(world, after)  # before anybody counts: the books have it on the shelf already
    finally:
        await tablet.aisle.leave(alone=False)


def _take(world: World, tablet: Tablet, line: Any, wanted: int) -> list[Picked]:
    truth, house, chance = world.truth, tablet.house, tablet.chance
    taken: list[Picked] = []
    for _ in range(min(wanted, truth.at(shelf(house), line["sku"]))):
        others = [sku for sku, _ in truth.stock(house) if sku != line["sku"]]
        actual = chance.choice(others) if others and chance.random() < MISPICK else line["sku"]
        taken.append(Picked(line["sku"], actual))
    return taken


def _take_lines(
    world: World, tablet: Tablet, line: Any, wanted: int
) -> tuple[list[Picked], list[dict[str, Any]], list[Placed]]:
    """What is taken, the lines that say so, and what leaves bins. What is not there at all is short."""
    house, sku = tablet.house, line["sku"]
    there = world.truth.at(shelf(house), sku)
    if house != TIDY:
        taken, short = _take(world, tablet, line, wanted), max(0, wanted - there)
        place = some_bin(world, house, tablet.chance)
        return taken, [{"sku": sku, "quantity": len(taken), "short": short, **place}], []
    lines = take_apart(world, house, sku, min(wanted, there), tablet.chance)
    placed = [Placed(house, one["bin"], sku, -one["quantity"]) for one in lines if "bin" in one]
    taken = [Picked(sku, sku)] * sum(one["quantity"] for one in lines)
    if wanted > there:
        lines.append({"sku": sku, "quantity": 0, "short": wanted - there})
    return taken, lines, placed


async def _pick_inside(world: World, tablet: Tablet, work: Any) -> Any | None:
    truth, house = world.truth, tablet.house
    picked: list[Picked] = []
    placed: list[Placed] = []
    lines, effects = list[dict[str, Any]](), []
    for line in work["lines"]:
        wanted = _unpicked(line)
        if wanted <= 0:
            continue
        some = wanted if tablet.chance.random() < 0.8 else tablet.chance.randint(1, wanted)
        taken, said, left = _take_lines(world, tablet, line, some)
        short = sum(one.get("short", 0) for one in said)
        truth.pick(work["id"], house, taken)
        truth.place(left)
        picked, lines, placed = picked + taken, lines + said, placed + left
        if short:
            effects.append(Effect(house, "sound", line["sku"], -short))
    if not lines:
        return None
    truth.place(one._replace(units=-one.units) for one in placed)  # the act does it, and undoes it when refused
    act = Act("fulfillmentOrderPick", {"id": work["id"], "lines": lines}, (), effects, placed)
    if not tablet.online:
        tablet.record(act)
        note_short(world, work["orderId"], effects)
        await _ship_unseen(world, tablet, work, picked)
        return None
    made = await tablet.send(act, WORK)
    if made is None:
        for one in picked:
            truth.put_back(work["id"], one.label, 1)
        return None
    note_short(world, work["orderId"], effects)
    return made["fulfillmentOrder"]


def note_short(world: World, order: str, effects: list[Effect]) -> None:
    """What the picker did not find leaves the books."""
    for house, book, sku, units in effects:
        world.short.add(order)
        world.truth.falsify(house, book, sku, units, "picked short")


async def _ship_unseen(world: World, tablet: Tablet, work: Any, picked: list[Picked]) -> None:
    """Without network the parcel leaves as well: Onhand is told of both later."""
    units: dict[str, int] = {}
    for one in picked:
        units[one.label] = units.get(one.label, 0) + 1
    if not units:
        return
    await _record_parcel(world, tablet, work, units)


async def _record_parcel(world: World, tablet: Tablet, work: Any, units: dict[str, int]) -> None:
    """What is not all of the work may break a set; it has left, so it is taken as it is told."""
    bound = sum(line["quantity"] - line["cancelled"] - line["short"] - line["shipped"] for line in work["lines"])
    if bound != sum(units.values()) and await has_kit(world, order_of(work)):
        world.broken.add(order_of(work))
    for sku, n in units.items():
        world.truth.send(work["id"], sku, n)
    tablet.record(_parcel(world, tablet, work, units))


def _parcel(world: World, tablet: Tablet, work: Any, units: dict[str, int]) -> Act:
    lines = [{"sku": sku, "quantity": n} for sku, n in units.items()]
    fields = {"id": work["id"], "carrier": "DHL", "trackingNumber": world.key("T"), "lines": lines}
    return Act("fulfillmentOrderShip", fields, (), [Effect(tablet.house, "sound", sku, -n) for sku, n in units.items()])


async def _ship(world: World, tablet: Tablet, work: Any) -> None:
    """All that is on the table, or a part of it. A parcel that may not leave stays on the table."""
    await tablet.aisle.enter(alone=False)
    try:
        await _ship_inside(world, tablet, work)
    finally:
        await tablet.aisle.leave(alone=False)


async def _ship_inside(world: World, tablet: Tablet, work: Any) -> None:
    on_table = {line["sku"]: world.truth.labelled(work["id"], line["sku"]) for line in work["lines"]}
    units = {sku: n for sku, n in on_table.items() if n}
    if len(units) > 1 and tablet.chance.random() < 0.3:
        units.popitem()
    if not units:
        return
    if not tablet.online:
        await _record_parcel(world, tablet, work, units)
        return
    made = await tablet.send(_parcel(world, tablet, work, units), WORK)
    if made is not None:
        for sku, n in units.items():
            world.truth.send(work["id"], sku, n)
        settle_table(world, made["fulfillmentOrder"])
