"""Units of an order on record that somebody else shipped: its channel says that they left, and not in a parcel of ours.

What waits, or is promised by work that nobody has begun, is given back and counts as shipped. Work that was begun goes
on until people say otherwise: the parcel may be the one that is being packed here, or a second one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

from app.orders.lock_order import OrderNow
from app.orders.release_units import release_units
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from domain.provenance import Provenance

BEGUN = "BEGUN_SHIPPED_ELSEWHERE"
_SHIPPED = """
UPDATE order_lines l SET shipped = l.shipped + g.units, shipped_elsewhere = l.shipped_elsewhere + g.units
FROM unnest($2::int[], $3::int[]) AS g (line, units) WHERE l.order_id = $1 AND l.line = g.line
"""
_TOLD = "SELECT data::text FROM order_events WHERE order_id = $1 AND action = $2 ORDER BY id DESC LIMIT 1"
_STATUS = "SELECT status FROM channels WHERE id = $1"


def count_elsewhere(order: OrderNow, gone: Mapping[str, int]) -> dict[int, int]:
    """`gone`: units that left, by the channel's line. A channel is told of our parcels after they are on record."""
    found = {}
    for line in order.lines.values():
        free = line.counts.backordered + _count_open(order, line.line, begun=False)
        units = min(gone.get(line.external_id, 0) - line.counts.shipped, free)
        if units > 0:
            found[line.line] = units
    return found


def count_begun(order: OrderNow, gone: Mapping[str, int], elsewhere: Mapping[int, int]) -> dict[int, int]:
    """Units by line that left with somebody else, and that a warehouse is at work on. `elsewhere`: what nobody was."""
    found = {}
    for line in order.lines.values():
        left = gone.get(line.external_id, 0) - line.counts.shipped - elsewhere.get(line.line, 0)
        units = min(left, _count_open(order, line.line, begun=True))
        if units > 0:
            found[line.line] = units
    return found


def _count_open(order: OrderNow, line: int, *, begun: bool) -> int:
    return sum(
        work.lines[line].open - work.lines[line].requested
        for work in order.works
        if not work.ended and work.free is not begun and line in work.lines
    )


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


async def find_begun(
    connection: Any, order: OrderNow, units: Mapping[int, int]
) -> tuple[dict[str, int], list[Problem]]:
    """By the channel's line, and the case: told once, however often the channel says it."""
    told = {order.lines[line].external_id: count for line, count in units.items()}
    if not told or orjson.loads(await connection.fetchval(_TOLD, order.id, BEGUN) or "null") == told:
        return {}, []
    title = f"Units of order {order.label} that are being packed here left with somebody else"
    detail = (
        "Its channel says so, and no parcel of ours has them ({}). If it is the parcel that is being packed, go on; if "
        "not, stop it: have the work rejected (fulfillmentOrderReject), so that nothing is sent twice."
    )
    return told, [_describe(order, title, detail, told)]


def _problem(order: OrderNow, told: Mapping[str, int]) -> Problem:
    detail = (
        "Its channel says so, and no parcel of ours has them ({}): they are shipped by nobody here. If they came from "
        "a warehouse of yours, take them off its stock."
    )
    return _describe(order, f"Units of order {order.label} were shipped by somebody else", detail, told)


def _describe(order: OrderNow, title: str, detail: str, told: Mapping[str, int]) -> Problem:
    listed = ", ".join(f"{name}: {count}" for name, count in told.items())
    subject, channel = f"order:{order.id}", order.channel_id
    kind, cause = CaseKind.CHANGE_REFUSED, CauseClass.MAPPING
    return Problem(kind, Severity.MEDIUM, cause, subject, title, detail.format(listed), channel)
