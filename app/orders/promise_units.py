"""Promise units of an order from warehouses that people choose: stock, work and lines together, as routing does it.

What is chosen by hand goes to the warehouse at once, and takes no place of its day.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.postgres.ledger import Footing, write_book
from app.orders.lock_order import OrderNow, Work, WorkLine
from domain.fulfillment import FulfillmentStatus
from domain.provenance import Provenance, Remarks
from domain.stock import Book, Posting, StockKey

_WORKS = """
INSERT INTO fulfillment_orders (id, order_id, warehouse_id, status, release_at, ship_by)
SELECT id, $1, warehouse_id, 'SCHEDULED', now(), $4 FROM unnest($2::uuid[], $3::int[]) AS g (id, warehouse_id)
"""
_LINES = """
INSERT INTO fulfillment_order_lines AS l (fulfillment_order_id, line, sku_id, quantity)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[])
ON CONFLICT (fulfillment_order_id, line) DO UPDATE SET quantity = l.quantity + excluded.quantity
"""
_TOUCH = "UPDATE fulfillment_orders SET version = version + 1, updated_at = now() WHERE id = ANY($1::uuid[])"
_ORDER_LINES = """
UPDATE order_lines l SET allocated = l.allocated + g.units FROM unnest($2::int[], $3::int[]) AS g (line, units)
WHERE l.order_id = $1 AND l.line = g.line
"""


class Promise(NamedTuple):
    """Units of an order's line from one warehouse."""

    line: int
    warehouse_id: int
    units: int


async def promise_units(
    connection: Any, order: OrderNow, book: Book, promises: Sequence[Promise], reason: str, provenance: Provenance
) -> None:
    """Write promises, on a transaction that holds the order and the stock rows of `book`.

    Scheduled work at the same warehouse takes them on. Raises `Refusal` INSUFFICIENT_STOCK before anything is written;
    the caller writes the order's state (`write_state`).
    """
    if not promises:
        return
    for promise in promises:
        key = StockKey(_sku(order, promise.line), promise.warehouse_id)
        book.post(Posting(key, "available", "committed", promise.units))
    footing = Footing(provenance, Remarks(reason, reference=order.row["name"]), document=f"order:{order.id}")
    await write_book(connection, book, [footing] * len(promises), datetime.datetime.now(datetime.UTC))
    works = await _find_works(connection, order, {promise.warehouse_id for promise in promises})
    await connection.execute(
        _LINES,
        [works[promise.warehouse_id].id for promise in promises],
        [promise.line for promise in promises],
        [_sku(order, promise.line) for promise in promises],
        [promise.units for promise in promises],
    )
    given: Counter[int] = Counter()
    for promise in promises:
        given[promise.line] += promise.units
        _add_to(works[promise.warehouse_id], promise, _sku(order, promise.line))
    await connection.execute(_ORDER_LINES, order.id, list(given), list(given.values()))
    for number, units in given.items():
        counts = order.lines[number].counts
        order.lines[number].counts = counts._replace(allocated=counts.allocated + units)


async def _find_works(connection: Any, order: OrderNow, houses: set[int]) -> dict[int, Work]:
    """By warehouse: what is scheduled there already, or is made."""
    works = {
        work.warehouse_id: work
        for work in order.works
        if work.status is FulfillmentStatus.SCHEDULED and work.warehouse_id in houses
    }
    known: list[UUID] = [work.id for work in works.values()]
    missing = sorted(houses - works.keys())
    for house in missing:
        works[house] = Work(uuid7(), house, FulfillmentStatus.SCHEDULED, None, None, None, False)
        order.works.append(works[house])
    if missing:
        ids = [works[house].id for house in missing]
        await connection.execute(_WORKS, order.id, ids, missing, order.row["ship_by"])
    if known:
        await connection.execute(_TOUCH, known)
    return works


def _add_to(work: Work, promise: Promise, sku_id: int) -> None:
    known = work.lines.get(promise.line)
    if known is None:
        work.lines[promise.line] = WorkLine(promise.line, sku_id, promise.units, 0, 0, 0, 0, 0)
    else:
        known.quantity += promise.units


def _sku(order: OrderNow, line: int) -> int:
    sku_id = order.lines[line].sku_id
    assert sku_id is not None
    return sku_id
