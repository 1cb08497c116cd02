"""The one door by which promised units are given back: cancelled, edited away, refunded, rejected or found short.

It chooses what work they are taken from, the least advanced first, and changes work, order lines, stock and capacity
together. What the order then makes of the units, cancelled or to be promised anew, is the caller's.
"""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.orders.lock_order import OrderNow, Work
from domain.fulfillment import FulfillmentStatus
from domain.provenance import Provenance, Remarks
from domain.stock import Posting, StockKey

_S = FulfillmentStatus
_STEPS = (_S.SCHEDULED, _S.RELEASED, _S.ACCEPTED, _S.PICKING, _S.PICKED, _S.PACKED, _S.PARTLY_SHIPPED)
_WORK_LINES = """
UPDATE fulfillment_order_lines l SET
  cancelled = l.cancelled + CASE WHEN $4 THEN 0 ELSE g.units END,
  short = l.short + CASE WHEN $4 THEN g.units ELSE 0 END,
  picked = least(l.picked, l.quantity - l.cancelled - l.short - g.units),
  cancel_requested = greatest(0, least(l.cancel_requested, l.quantity - l.shipped - l.cancelled - l.short) - g.units)
FROM unnest($1::uuid[], $2::int[], $3::int[]) AS g (work, line, units)
WHERE l.fulfillment_order_id = g.work AND l.line = g.line
"""
_ORDER_LINES = """
UPDATE order_lines l SET allocated = l.allocated - g.units, cancelled = l.cancelled + g.cancelled
FROM unnest($2::int[], $3::int[], $4::int[]) AS g (line, units, cancelled)
WHERE l.order_id = $1 AND l.line = g.line
"""
_WORKS = """
UPDATE fulfillment_orders f SET status = g.status, version = f.version + 1, updated_at = now(),
  cancel_requested_at = CASE WHEN g.asked THEN f.cancel_requested_at END
FROM unnest($1::uuid[], $2::text[], $3::bool[]) AS g (id, status, asked) WHERE f.id = g.id
"""
_CAPACITY = """
UPDATE warehouse_days d SET taken = greatest(0, d.taken - g.taken), version = d.version + 1
FROM (SELECT * FROM unnest($1::int[], $2::date[], $3::int[]) AS g (warehouse_id, day, taken)
      ORDER BY warehouse_id, day) g
WHERE d.warehouse_id = g.warehouse_id AND d.day = g.day
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Units of one line taken from one piece of work."""

    work: Work
    line: int
    units: int


@dataclass(slots=True)
class Released:
    """`units`: given back, by line; what is missing of what was asked is in work that was not to be touched.

    `cancelled`: those of them that the warehouse had been asked to cancel: nobody wants them any more.
    """

    units: Counter[int] = field(default_factory=Counter)
    cancelled: Counter[int] = field(default_factory=Counter)
    ended: list[UUID] = field(default_factory=list)


async def release_units(
    connection: Any,
    order: OrderNow,
    units: Mapping[int, int],
    reason: str,
    provenance: Provenance,
    *,
    works: Collection[UUID] | None = None,
    started: bool = False,
    short: bool = False,
    target: str = "available",
    occurred_at: datetime.datetime | None = None,
) -> Released:
    """Give back up to `units` of each line, on a transaction that holds the order (`lock_order`).

    Work that nobody has begun gives first, SCHEDULED before RELEASED before ACCEPTED. `started`: also what is being
    picked or packed, and what a partner was told of: for work that its warehouse itself gives up. `works`: only from
    these. `short`: they were not found, and went to the bucket `target`. Units that a warehouse had been asked to
    cancel are cancelled with that; the others are backordered again. `occurred_at`: when, if not just now. `order` is
    changed along, so that the caller
    sees what is left; it writes the order's state (`write_state`).
    """
    chosen = _choose(order, units, works, started)
    if not chosen:
        return Released()
    await _post(connection, order, chosen, target, _footing(order, reason, provenance, occurred_at))
    await connection.execute(
        _WORK_LINES,
        [one.work.id for one in chosen],
        [one.line for one in chosen],
        [one.units for one in chosen],
        short,
    )
    released = Released()
    for one in chosen:
        _take(released, one, short)
    cancelled = [released.cancelled[number] for number in released.units]
    await connection.execute(_ORDER_LINES, order.id, list(released.units), list(released.units.values()), cancelled)
    for number, given in released.units.items():
        counts = order.lines[number].counts
        allocated, gone = counts.allocated - given, counts.cancelled + released.cancelled[number]
        order.lines[number].counts = counts._replace(allocated=allocated, cancelled=gone)
    released.ended = await _end_works(connection, {one.work.id: one.work for one in chosen})
    return released


def _take(released: Released, one: Taken, short: bool) -> None:
    line = one.work.lines[one.line]
    released.units[one.line] += one.units
    released.cancelled[one.line] += min(one.units, line.requested)
    line.cancel_requested = max(0, line.requested - one.units)
    if short:
        line.short += one.units
    else:
        line.cancelled += one.units
    line.picked = min(line.picked, line.quantity - line.cancelled - line.short)


def _choose(order: OrderNow, units: Mapping[int, int], works: Collection[UUID] | None, started: bool) -> list[Taken]:
    wanted, chosen = dict(units), []
    candidates = [
        work
        for work in order.works
        if not work.ended and (works is None or work.id in works) and (started or work.free)
    ]
    for work in sorted(candidates, key=lambda work: (_STEPS.index(work.status), work.id)):
        for number, line in work.lines.items():
            taken = min(wanted.get(number, 0), line.open)
            if taken > 0:
                wanted[number] -= taken
                chosen.append(Taken(work, number, taken))
    return chosen


def _footing(order: OrderNow, reason: str, provenance: Provenance, occurred_at: datetime.datetime | None) -> Footing:
    remarks = Remarks(reason, reference=order.row["name"])
    return Footing(provenance, remarks, document=f"order:{order.id}", effective_at=occurred_at)


async def _post(connection: Any, order: OrderNow, chosen: list[Taken], target: str, footing: Footing) -> None:
    keys = [StockKey(one.work.lines[one.line].sku_id, one.work.warehouse_id) for one in chosen]
    book = await lock_rows(connection, keys)
    for key, one in zip(keys, chosen, strict=True):
        book.post(Posting(key, "committed", target, one.units))
    await write_book(connection, book, [footing] * len(chosen), datetime.datetime.now(datetime.UTC))


async def _end_works(connection: Any, works: Mapping[UUID, Work]) -> list[UUID]:
    """Work with nothing left to do ends, and what it took of its warehouse's day is free again."""
    capacity: defaultdict[tuple[int, datetime.date], int] = defaultdict(int)
    ended = []
    for work in works.values():
        if any(line.open for line in work.lines.values()):
            if not any(line.requested for line in work.lines.values()):
                work.cancel_requested_at = None
            continue
        shipped = any(line.shipped for line in work.lines.values())
        work.status = _S.SHIPPED if shipped else _S.CANCELLED
        work.cancel_requested_at = None
        ended.append(work.id)
        if work.day is not None and not shipped:
            capacity[work.warehouse_id, work.day] += 1
    await connection.execute(
        _WORKS,
        list(works),
        [work.status.value for work in works.values()],
        [work.cancel_requested_at is not None for work in works.values()],
    )
    if capacity:
        await connection.execute(
            _CAPACITY, [house for house, _ in capacity], [day for _, day in capacity], list(capacity.values())
        )
    return ended
