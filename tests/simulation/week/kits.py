"""Sets that are sold: of what, and that no part of one goes alone.

What is audited is reckoned from what the sets are made of, not by the code that keeps them whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tests.simulation.week.company import DIRECT, World

_PARTS = """
SELECT o.id AS order_id, f.id AS work, split_part(l.external_id, '#', 1) AS line, split_part(l.external_id, '#', 2) AS kit,
  split_part(l.external_id, '#', 3) AS component, w.shipped, w.quantity - w.shipped - w.cancelled - w.short AS bound
FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id JOIN order_lines l ON l.order_id = o.id
JOIN fulfillment_order_lines w ON w.fulfillment_order_id = f.id AND w.line = l.line
WHERE l.external_id LIKE '%#%#%'
"""
_ORDERED = """
SELECT o.id AS order_id, split_part(l.external_id, '#', 1) AS line, split_part(l.external_id, '#', 2) AS kit,
  split_part(l.external_id, '#', 3) AS component, l.quantity, l.cancelled
FROM order_lines l JOIN orders o ON o.id = l.order_id WHERE l.external_id LIKE '%#%#%'
"""
_HAS_KIT = "SELECT EXISTS (SELECT FROM order_lines WHERE order_id = $1 AND external_id LIKE '%#%#%')"
_PUBLISHED = """
SELECT s.code, l.desired FROM listings l JOIN channels c ON c.id = l.channel_id JOIN skus s ON s.id = l.sku_id
WHERE c.code = $1
"""
_AVAILABLE = """
SELECT w.code AS house, s.code AS sku, l.available FROM stock_levels l JOIN skus s ON s.id = l.sku_id
JOIN warehouses w ON w.id = l.warehouse_id WHERE w.status = 'LIVE'
"""


def unpack(world: World, units: Mapping[str, int]) -> dict[str, int]:
    """What stands there when somebody has these in hand: components in place of sets."""
    found: dict[str, int] = {}
    for code, n in units.items():
        for sku, each in world.kits.get(code, {code: 1}).items():
            found[sku] = found.get(sku, 0) + n * each
    return found


async def has_kit(world: World, order_id: str) -> bool:
    """Whether the papers of the order speak of a set. `order_id`: as in the database."""
    if order_id not in world.with_kit:
        world.with_kit[order_id] = await world.state.database.hot.fetchval(_HAS_KIT, order_id)
    return world.with_kit[order_id]


async def audit_kits(world: World) -> list[str]:
    """A sentence for each part of a set that is alone: in an order, in a work, shipped; and for each wrong number shown."""
    hot = world.state.database.hot
    problems = []
    for query, names in ((_PARTS, ("bound", "shipped")), (_ORDERED, ("quantity", "cancelled"))):
        for name in names:
            kits: dict[Any, dict[str, int]] = defaultdict(dict)
            for row in await hot.fetch(query):
                key = (row["order_id"], dict(row).get("work"), row["line"], row["kit"])
                kits[key][row["component"]] = row[name]
            problems += [
                f"part of {key[3]}, order {key[0]}, work {key[1]}: {name} is {units}, of {world.kits[key[3]]} each"
                for key, units in kits.items()
                if str(key[0]) not in world.broken and not _whole(world.kits[key[3]], units)
            ]
    return problems + await _audit_published(world)


def _whole(made_of: Mapping[str, int], units: Mapping[str, int]) -> bool:
    """Units of each component, all that a set has."""
    counts = {divmod(units.get(sku, 0), each) for sku, each in made_of.items()}
    return len(counts) == 1 and all(rest == 0 for _, rest in counts)


async def _audit_published(world: World) -> list[str]:
    """What stands in all that is LIVE; what a warehouse can make of a set is what its scarcest component makes."""
    hot = world.state.database.hot
    shown = {row["code"]: row["desired"] for row in await hot.fetch(_PUBLISHED, DIRECT)}
    there = {(row["house"], row["sku"]): row["available"] for row in await hot.fetch(_AVAILABLE)}
    houses = {house for house, _ in there}
    problems = []
    for kit, made_of in (world.kits | {sku: {sku: 1} for sku in world.skus}).items():
        made = sum(min(there.get((house, sku), 0) // n for sku, n in made_of.items()) for house in houses)
        if shown[kit] != made:
            problems.append(f"{kit} is shown as {shown[kit]}, and {made} are there or can be made")
    return problems
