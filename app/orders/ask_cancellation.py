"""Ask a warehouse to cancel work that it has begun. Until it answers, whoever is first wins.

The units stay promised. Shipping them wins: then the order is told that the cancellation came too late. The warehouse
agrees by giving the work up in whatever way: `release_units` cancels what had been asked for first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.orders.lock_order import OrderNow, Work
from app.orders.release_units import Released, release_units
from domain.provenance import Provenance

_ASK_LINES = """
UPDATE fulfillment_order_lines l SET cancel_requested = g.units
FROM unnest($1::uuid[], $2::int[], $3::int[]) AS g (work, line, units)
WHERE l.fulfillment_order_id = g.work AND l.line = g.line
"""
_ASK_WORKS = """
UPDATE fulfillment_orders f SET version = f.version + 1, updated_at = now(),
  cancel_requested_at = CASE WHEN g.asked THEN coalesce(f.cancel_requested_at, now()) END
FROM unnest($1::uuid[], $2::bool[]) AS g (id, asked) WHERE f.id = g.id
"""
_CANCELLED = """
UPDATE order_lines l SET cancelled = l.cancelled + g.units FROM unnest($2::int[], $3::int[]) AS g (line, units)
WHERE l.order_id = $1 AND l.line = g.line
"""


async def ask_cancellation(connection: Any, order: OrderNow, units: Mapping[int, int]) -> Counter[int]:
    """Ask for up to `units` of each line of whatever work is open; how many were asked for."""
    asked: Counter[int] = Counter()
    changed: list[tuple[Work, int]] = []
    for work in (work for work in order.works if not work.ended):
        for number, line in work.lines.items():
            more = min(units.get(number, 0) - asked[number], line.open - line.requested)
            if more > 0:
                line.cancel_requested = line.requested + more
                asked[number] += more
                changed.append((work, number))
    await _write(connection, changed)
    return asked


async def recall_cancellation(connection: Any, order: OrderNow, units: Mapping[int, int]) -> None:
    """The units are wanted after all: ask for so many less of each line."""
    left, changed = dict(units), list[tuple[Work, int]]()
    for work in (work for work in order.works if not work.ended):
        for number, line in work.lines.items():
            less = min(left.get(number, 0), line.requested)
            if less > 0:
                line.cancel_requested = line.requested - less
                left[number] -= less
                changed.append((work, number))
    await _write(connection, changed)


async def accept_cancellation(connection: Any, order: OrderNow, work_id: UUID, provenance: Provenance) -> Released:
    """The warehouse gives up what it was asked for of one piece of work: stock is free, the units are cancelled.

    On a transaction that holds the order; the caller then writes the order's state (`write_state`).
    """
    work = next(work for work in order.works if work.id == work_id)
    units = {number: line.requested for number, line in work.lines.items() if line.requested}
    return await release_units(connection, order, units, "ORDER_CANCELLED", provenance, works={work_id}, started=True)


async def cancel_units(connection: Any, order: OrderNow, units: Mapping[int, int]) -> None:
    """Units that are promised from nowhere are wanted no more."""
    chosen = {number: count for number, count in units.items() if count}
    if not chosen:
        return
    await connection.execute(_CANCELLED, order.id, list(chosen), list(chosen.values()))
    for number, count in chosen.items():
        line = order.lines[number]
        line.counts = line.counts._replace(cancelled=line.counts.cancelled + count)


async def _write(connection: Any, changed: list[tuple[Work, int]]) -> None:
    if not changed:
        return
    await connection.execute(
        _ASK_LINES,
        [work.id for work, _ in changed],
        [number for _, number in changed],
        [work.lines[number].cancel_requested for work, number in changed],
    )
    works = {work.id: any(line.requested for line in work.lines.values()) for work, _ in changed}
    await connection.execute(_ASK_WORKS, list(works), list(works.values()))
