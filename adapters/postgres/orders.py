"""Orders on record, locked before anything else of theirs: what routing must know to promise the rest of one."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from adapters.postgres.kit_parts import PART_COLUMNS, PART_JOIN
from domain.kits import Part

_READ = """
SELECT o.id, o.channel_id, o.external_id, o.name, o.status, o.placed_at, o.ship_by, o.deliver_by, o.total, o.currency,
  o.problem, o.version, o.destination::text AS destination
FROM orders o WHERE o.id = ANY($1::uuid[]) ORDER BY o.id
"""
_LINES = f"""
SELECT l.order_id, l.line, l.external_id, l.sku_id, l.sku_code, l.title, l.quantity, l.allocated, l.shipped,
  l.cancelled, {PART_COLUMNS} FROM order_lines l {PART_JOIN}
WHERE l.order_id = ANY($1::uuid[]) ORDER BY l.order_id, l.line
"""  # noqa: S608
_SCHEDULED = """
SELECT order_id, warehouse_id, id, day, version FROM fulfillment_orders
WHERE order_id = ANY($1::uuid[]) AND status = 'SCHEDULED' AND coalesce(hold_reason, 'ORDER_HELD') = 'ORDER_HELD'
  AND cancel_requested_at IS NULL
ORDER BY id
"""
"""The hold of an order stands on the order: its work takes on more meanwhile. One of its own keeps work as it is."""
_WORK_LINES = """
SELECT f.order_id, l.fulfillment_order_id, l.line, l.sku_id, l.quantity - l.shipped - l.cancelled - l.short
FROM fulfillment_orders f JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id
WHERE f.id = ANY($1::uuid[]) AND l.quantity > l.shipped + l.cancelled + l.short ORDER BY 2, 3
"""
_BARRED = """
SELECT DISTINCT order_id, warehouse_id, 'rejected it: ' || coalesce(reject_reason, 'no reason given')
FROM fulfillment_orders
WHERE order_id = ANY($1::uuid[]) AND (status = 'REJECTED' OR reject_reason IS NOT NULL) AND asked_again_at IS NULL
UNION ALL
SELECT DISTINCT f.order_id, f.warehouse_id, 'picked it short'
FROM fulfillment_orders f JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id
WHERE f.order_id = ANY($1::uuid[]) AND f.status <> 'REJECTED' AND f.reject_reason IS NULL AND l.short > 0
  AND f.asked_again_at IS NULL
"""
"""Who shipped a part and rejected the rest is SHIPPED, and does not get that rest again."""


class LineRow(NamedTuple):
    """Units of an order line. `name`: what people know it by."""

    line: int
    name: str
    sku_id: int | None
    quantity: int
    allocated: int
    shipped: int
    cancelled: int
    part: Part | None = None

    @property
    def backordered(self) -> int:
        return self.quantity - self.allocated - self.shipped - self.cancelled


@dataclass(slots=True)
class ScheduledWork:
    """Work that is promised and not released yet. `units`: (line, SKU id, units) that it still binds."""

    id: UUID
    warehouse_id: int
    day: datetime.date | None
    version: int
    units: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class OrderRow:
    """`barred`: warehouses that rejected work of this order or picked it short, with the reason,
    and that nobody said to ask again.

    `scheduled`: work of it that is not released yet, nor held by itself, nor asked to be cancelled.
    """

    id: UUID
    channel_id: int
    external_id: str
    name: str | None
    status: str
    placed_at: datetime.datetime
    ship_by: datetime.datetime | None
    deliver_by: datetime.datetime | None
    total: Decimal | None
    currency: str | None
    problem: str | None
    version: int
    destination: dict[str, Any]
    lines: list[LineRow] = field(default_factory=list)
    barred: dict[int, str] = field(default_factory=dict)
    scheduled: list[ScheduledWork] = field(default_factory=list)


async def lock_orders(connection: Any, order_ids: Collection[UUID]) -> dict[UUID, OrderRow]:
    """Lock the orders in the order of their ids, then their scheduled work, and read the rest of them."""
    return await _read(connection, order_ids, " FOR UPDATE")


async def see_orders(connection: Any, order_ids: Collection[UUID]) -> dict[UUID, OrderRow]:
    """The same without locks."""
    return await _read(connection, order_ids, "")


async def _read(connection: Any, order_ids: Collection[UUID], locking: str) -> dict[UUID, OrderRow]:
    if not order_ids:
        return {}
    wanted = sorted(set(order_ids))
    found = {
        row["id"]: OrderRow(**dict(row) | {"destination": orjson.loads(row["destination"] or "{}") or {}})
        for row in await connection.fetch(_READ + locking, wanted)
    }
    for row in await connection.fetch(_LINES, wanted):
        order_id, line, external_id, sku_id, code, title, quantity, allocated, shipped, cancelled, *kit = row
        part = None if kit[0] is None else Part(*kit)
        if order_id in found:
            name = code or title or external_id
            found[order_id].lines.append(LineRow(line, name, sku_id, quantity, allocated, shipped, cancelled, part))
    await _read_works(connection, found, locking)
    for order_id, warehouse_id, reason in await connection.fetch(_BARRED, wanted):
        if order_id in found:
            found[order_id].barred[warehouse_id] = reason
    return found


async def _read_works(connection: Any, found: dict[UUID, OrderRow], locking: str) -> None:
    works: dict[UUID, ScheduledWork] = {}
    for order_id, warehouse_id, work_id, day, version in await connection.fetch(_SCHEDULED + locking, sorted(found)):
        works[work_id] = ScheduledWork(work_id, warehouse_id, day, version)
        found[order_id].scheduled.append(works[work_id])
    if works:
        for _, work_id, *units in await connection.fetch(_WORK_LINES, sorted(works)):
            works[work_id].units.append((units[0], units[1], units[2]))
