"""Counts: what is on the shelf at that moment, by unit; and what Onhand must make of it.

The simulator knows by how much the books are wrong, so it knows each variance before Onhand tells it. A line whose
records are still in a tablet is reviewed when they have come.
"""

from __future__ import annotations

import random
from typing import Any

from tests.simulation.week.company import World
from tests.simulation.week.scans import Scan
from tests.simulation.week.tablet import Act, Tablet, ask
from tests.simulation.week.truth import shelf
from tests.simulation.week.untold import change_shelf, list_untold

LINES_MAX = 4
NODE = "id status warehouse lines { sku bin bucket status expected counted posted unposted cause scans }"
_ONE = f"query($id: ID!) {{ node(id: $id) {{ ... on Count {{ {NODE} }} }} }}"
_OPEN = f"""query($f: CountFilter) {{ counts(filter: $f, first: 20) {{ nodes {{ {NODE} }} }} }}"""


async def count(world: World, tablet: Tablet) -> None:
    """Begin one, or scan what is open: counts that Onhand planned as well."""
    filter_ = {"warehouses": [tablet.house], "statuses": ["PLANNED", "COUNTING"]}
    open_ = (await ask(tablet.client, world.tally, _OPEN, {"f": filter_}))["counts"]["nodes"]
    if not open_ or tablet.chance.random() < 0.1:
        skus = tablet.chance.sample(world.skus, min(LINES_MAX, len(world.skus)))
        fields = {"warehouse": tablet.house, "skus": skus}
        await world.tell(tablet.client, "countCreate", f"count {{ {NODE} }}", **fields)
        return
    one = tablet.chance.choice(open_)
    for line in [line for line in one["lines"] if line["status"] in {"OPEN", "RECOUNT"}][:LINES_MAX]:
        await _scan(world, tablet, one, line)


async def _scan(world: World, tablet: Tablet, one: Any, line: Any) -> None:
    """With nobody else at the shelves. What stands picked on a table is not counted. Without network it is told later."""
    house, sku = tablet.house, line["sku"]
    async with world.alone(house):
        found, wrong = world.truth.at(shelf(house), sku), world.truth.error[house, "sound", sku]
        scan = Scan(house, sku, found, wrong, wrong, next(world.turns))
        fields = {"id": one["id"], "lines": [{"sku": sku, "quantity": found}]}
        world.counted.made.append(scan)
        if not tablet.online:
            tablet.record(Act("countSubmit", fields, told=lambda: _note(world, one["id"], scan)))
            return
        made = await world.tell(tablet.client, "countSubmit", f"count {{ {NODE} }}", **fields)
        if made["userErrors"]:
            return
        _note(world, one["id"], scan)
        if made["count"]["status"] == "POSTED":
            _decide(world, made["count"], at_once=True)


async def check(world: World, tablet: Tablet) -> None:
    """What somebody sees left of a SKU: it must differ when the books are wrong, as Onhand knows them, and only then."""
    if not tablet.online:
        return
    house, sku = tablet.house, tablet.chance.choice(world.skus)
    async with world.alone(house):
        found, wrong = world.truth.at(shelf(house), sku), world.truth.error[house, "sound", sku]
        scan = Scan(house, sku, found, wrong, wrong, next(world.turns))
        world.counted.made.append(scan)
        before = await _find_line(world, house, sku)
        looked = {"warehouse": house, "lines": [{"sku": sku, "left": found}]}
        made = await world.tell(tablet.client, "countCheck", "results", **looked)
        if made["userErrors"]:
            return
        (result,) = made["results"]
        told_wrong = _wrong_as_told(world, scan)
        if result != ("COUNTING" if before else "DIFFERS" if told_wrong else "MATCHES"):
            world.counted.problems.append(f"{sku} in {house}: wrong by {told_wrong}, and a look at {found} {result}")
        if result == "MATCHES":
            world.unposted.discard((sku, house))
        after = before or await _find_line(world, house, sku)
        if after is not None:
            await _note_look(world, scan, *after)


async def _find_line(world: World, house: str, sku: str) -> tuple[str, int] | None:
    """The count that has it, and how often it was scanned."""
    filter_ = {"warehouses": [house], "sku": sku, "statuses": ["PLANNED", "COUNTING", "REVIEW"]}
    nodes = (await ask(world.boss, world.tally, _OPEN, {"f": filter_}))["counts"]["nodes"]
    lines = [(one["id"], line) for one in nodes for line in one["lines"] if line["sku"] == sku]
    open_ = [(name, line["scans"]) for name, line in lines if line["status"] in {"OPEN", "RECOUNT", "COUNTED"}]
    return open_[0] if open_ else None


async def _note_look(world: World, scan: Scan, count_id: str, scans: int) -> None:
    """It may have been a scan, and the last one that the count needed."""
    one = (await ask(world.boss, world.tally, _ONE, {"id": count_id}))["node"]
    (now,) = [line["scans"] for line in one["lines"] if line["sku"] == scan.sku]
    if now > scans or (count_id, scan.sku) not in world.counted.scans:
        _note(world, count_id, scan)
    if one["status"] == "POSTED":
        _decide(world, one, at_once=True)


def _wrong_as_told(world: World, scan: Scan) -> int:
    return scan.wrong - change_shelf(list_untold(world, scan.house, scan.turn), scan.house, scan.sku)


def _note(world: World, count_id: str, scan: Scan) -> None:
    """Onhand has it now, and holds it against what it knows of the time before it. What was seen last stays on record."""
    scan.told_wrong = _wrong_as_told(world, scan)
    known = world.counted.scans.get((count_id, scan.sku))
    if known is None or known.turn < scan.turn:
        world.counted.scans[count_id, scan.sku] = scan
    world.counted.told.add(count_id)


async def settle_counts(world: World) -> None:
    """Of those that tablets told: which were posted at once, because every line is as the books had it then."""
    told = sorted(world.counted.told)
    world.counted.told.difference_update(told)
    for name in told:
        one = (await ask(world.boss, world.tally, _ONE, {"id": name}))["node"]
        if one["status"] == "POSTED":
            _decide(world, one, at_once=True)


def is_known(world: World, scan: Scan) -> bool:
    """Whether all that was done before it is known to Onhand, or given up."""
    pending = [
        effect for tablet in world.tablets for one in tablet.queue if one.at < scan.turn for effect in one.act.effects
    ]
    pending += [effect for act, turn in world.waiting.values() if turn < scan.turn for effect in act.effects]
    held = {one.act.fields.get("id") for tablet in world.tablets for one in tablet.queue if one.at < scan.turn}
    on_tables = any(world.truth.table_house.get(str(name)) == scan.house for name in held)
    return not on_tables and all((one.house, one.sku) != (scan.house, scan.sku) for one in pending)


async def review(world: World, chance: random.Random) -> None:
    """By somebody who scanned nothing, as soon as all that was done before the scans is known."""
    found = await ask(world.second, world.tally, _OPEN, {"f": {"statuses": ["REVIEW"]}})
    for one in found["counts"]["nodes"]:
        scans = [world.counted.scans.get((one["id"], line["sku"])) for line in one["lines"]]
        if chance.random() < 0.3 or not all(scan is not None and is_known(world, scan) for scan in scans):
            continue
        async with world.alone(one["warehouse"]):
            if not all(scan is not None and is_known(world, scan) for scan in scans):
                continue
            made = await world.must(world.second, "countReview", f"count {{ {NODE} }}", id=one["id"])
            _decide(world, made["count"])


def _decide(world: World, one: Any, *, at_once: bool = False) -> None:
    """What Onhand found must be what the books were wrong by, and what it posts makes them right.

    `at_once`: every line was as the books had it then, so nobody reviewed it and nothing that is told later counts.
    """
    if one["id"] in world.counted.decided:
        return
    world.counted.decided.add(one["id"])
    for line in one["lines"]:
        scan = world.counted.scans[one["id"], line["sku"]]
        said, wrong = line["counted"] - line["expected"], scan.told_wrong if at_once else scan.wrong
        if said != -wrong or line["counted"] != scan.counted:
            world.counted.problems.append(
                f"count {one['id']} of {scan.sku} in {scan.house}: the books were wrong by {wrong}, {scan.counted}"
                f" on the shelf; Onhand counted {line['counted']}, expected {line['expected']}"
            )
        world.counted.lines.setdefault(scan.house, []).append((scan.counted + wrong, scan.counted))
        if line["posted"]:
            world.truth.error[scan.house, "sound", scan.sku] += line["posted"]
        key = (scan.sku, scan.house)
        (world.unposted.add if line["unposted"] else world.unposted.discard)(key)


ACCURACY = "{ inventoryAccuracy { warehouse lines linesRight units unitsWrong } }"


async def audit_accuracy(world: World) -> tuple[list[str], dict[str, int]]:
    """What Onhand computes against what the simulator knows; problems, and the sums."""
    problems, sums = list(world.counted.problems), dict.fromkeys(("lines", "linesRight", "units", "unitsWrong"), 0)
    found = (await ask(world.boss, world.tally, ACCURACY, {}))["inventoryAccuracy"]
    said = {row.pop("warehouse"): row for row in found}
    for house in sorted(set(said) | set(world.counted.lines)):
        pairs = world.counted.lines.get(house, [])
        known = {
            "lines": len(pairs),
            "linesRight": sum(books == found for books, found in pairs),
            "units": sum(max(pair) for pair in pairs),
            "unitsWrong": sum(abs(books - found) for books, found in pairs),
        }
        sums = {name: sums[name] + known[name] for name in sums}
        if said.get(house) != known:
            problems.append(f"accuracy of {house}: Onhand says {said.get(house)}, the simulator knows {known}")
    return problems, sums
