"""Units of an order on record that somebody else shipped: its channel says that they left, and not in a parcel of ours.

What waits, or is promised by work that nobody has begun, is given back and counts as shipped. Work that was begun goes
on: whoever does it is first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from app.orders.lock_order import OrderNow
from app.orders.release_units import release_units
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from domain.provenance import Provenance

_SHIPPED = """
UPDATE order_lines l SET shipped = l.shipped + g.units, shipped_elsewhere = l.shipped_elsewhere + g.units
FROM unnest($2::int[], $3::int[]) AS g (line, units) WHERE l.order_id = $1 AND l.line = g.line
"""
_STATUS = "SELECT status FROM channels WHERE id = $1"


def count_elsewhere(order: OrderNow, gone: Mapping[str, int]) -> dict[int, int]:
    """`gone`: units that left, by the channel's line. A channel is told of our parcels after they are on record."""
    found = {}
    for line in order.lines.values():
        free = line.counts.backordered + sum(
            work.lines[line.line].open - work.lines[line.line].requested
            for work in order.works
            if not work.ended and work.free and line.line in work.lines
        )
        units = min(gone.get(line.external_id, 0) - line.counts.shipped, free)
        if units > 0:
            found[line.line] = units
    return found


async def is_watched_only(connection: Any, channel_id: int) -> bool:
    """Of a SHADOW channel somebody else tells parcels that may be ours."""
    return bool(await connection.fetchval(_STATUS, channel_id) == "SHADOW")


async def note_elsewhere(
    connection: Any, order: OrderNow, units: Mapping[int, int], who: Provenance
) -> tuple[dict[str, int], list[Problem]]:
    """On a transaction that holds the order, after all else was done to its lines. What it came to, by line."""
    waiting = {line: min(count, order.lines[line].counts.backordered) for line, count in units.items()}
    promised = {line: count - waiting[line] for line, count in units.items() if count > waiting[line]}
    released = await release_units(connection, order, promised, "SHIPPED_ELSEWHERE", who)
    done = Counter(waiting) + (released.units - released.cancelled)
    if not done:
        return {}, []
    await connection.execute(_SHIPPED, order.id, list(done), list(done.values()))
    for line, count in done.items():
        counts = order.lines[line].counts
        order.lines[line].counts = counts._replace(shipped=counts.shipped + count)
    told = {order.lines[line].external_id: count for line, count in done.items()}
    known = any(order.lines[line].sku_id is not None for line in done)
    return told, [_problem(order, told)] if known else []


def _problem(order: OrderNow, told: Mapping[str, int]) -> Problem:
    listed = ", ".join(f"{name}: {count}" for name, count in told.items())
    return Problem(
        CaseKind.CHANGE_REFUSED,
        Severity.MEDIUM,
        CauseClass.MAPPING,
        f"order:{order.id}",
        f"Units of order {order.label} were shipped by somebody else",
        f"Its channel says so, and no parcel of ours has them ({listed}): they are shipped by nobody here. If they "
        "came from a warehouse of yours, take them off its stock.",
        order.channel_id,
    )
