"""Lock a fulfilment order with its order, and write what was decided on it.

Locks are taken in the order of the house: the order's row, its fulfilment orders by id, then stock.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from domain.errors import Refusal, RefusalCode
from domain.fulfillment import FulfillmentStatus
from domain.identity import Principal
from domain.orders import LineCounts, OrderStatus, check_line_change, check_order_change, order_status
from domain.provenance import Provenance
from domain.work_lines import WorkLine

_FIND = """
SELECT f.order_id, f.warehouse_id, o.channel_id FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id
WHERE f.id = $1
"""
_LOCK_ORDER = """
SELECT o.id, o.name, o.external_id, o.status, o.payment, o.channel_id, o.channel_knows, c.kind AS channel_kind,
  c.status AS channel_status
FROM orders o JOIN channels c ON c.id = o.channel_id WHERE o.id = $1 FOR UPDATE OF o
"""
_LOCK = "SELECT * FROM fulfillment_orders WHERE id = $1 FOR UPDATE"
_LINES = """
SELECT line, sku_id, quantity, picked, shipped, cancelled, short, cancel_requested FROM fulfillment_order_lines
WHERE fulfillment_order_id = $1 ORDER BY line
"""
_SET_LINES = """
UPDATE fulfillment_order_lines l SET picked = g.picked, shipped = g.shipped, cancelled = g.cancelled, short = g.short
FROM unnest($2::int[], $3::int[], $4::int[], $5::int[], $6::int[]) AS g (line, picked, shipped, cancelled, short)
WHERE l.fulfillment_order_id = $1 AND l.line = g.line
"""
_COUNT = """
UPDATE order_lines l SET allocated = l.allocated - g.units, shipped = l.shipped + g.units
FROM unnest($2::int[], $3::int[]) AS g (line, units)
WHERE l.order_id = $1 AND l.line = g.line
"""
_COUNTS = "SELECT line, quantity, allocated, shipped, cancelled FROM order_lines WHERE order_id = $1"
_SET_ORDER = """
UPDATE orders SET status = $2, version = version + 1, updated_at = clock_timestamp() WHERE id = $1
"""
_NOTE = """
INSERT INTO order_events (order_id, at, actor, action, note, data) VALUES ($1, $2, $3, $4, $5, $6::json)
"""


@dataclass(frozen=True, slots=True)
class Work:
    """A locked fulfilment order. `order` and `row`: what is in the tables of it."""

    id: UUID
    order_id: UUID
    warehouse_id: int
    status: FulfillmentStatus
    held: bool
    order: Any
    row: Any
    lines: Sequence[WorkLine]


def work_not_found() -> Refusal:
    return Refusal(RefusalCode.FULFILLMENT_ORDER_NOT_FOUND, "There is no such fulfilment order.", ("id",))


async def lock_work(connection: Any, principal: Principal, work_id: UUID, expected_version: int | None = None) -> Work:
    """Raises `Refusal` FULFILLMENT_ORDER_NOT_FOUND (the same for hidden and unknown), STALE_VERSION."""
    found = await connection.fetchrow(_FIND, work_id)
    if (
        found is None
        or not principal.sees_warehouse(found["warehouse_id"])
        or not principal.sees_channel(found["channel_id"])
    ):
        raise work_not_found()
    order = await connection.fetchrow(_LOCK_ORDER, found["order_id"])
    row = await connection.fetchrow(_LOCK, work_id)
    if not principal.sees_warehouse(row["warehouse_id"]):
        raise work_not_found()
    if expected_version is not None and row["version"] != expected_version:
        message = f"It is at version {row['version']}, not {expected_version}: read it again and decide anew."
        raise Refusal(RefusalCode.STALE_VERSION, message, ("expectedVersion",))
    lines = [WorkLine(*line) for line in await connection.fetch(_LINES, work_id)]
    status, held = FulfillmentStatus(row["status"]), row["hold_reason"] is not None
    return Work(work_id, row["order_id"], row["warehouse_id"], status, held, order, row, lines)


async def set_work(connection: Any, work_id: UUID, **columns: Any) -> None:
    """Write these columns; the version goes up and whoever watches is told."""
    sets = "".join(f"{name} = ${number}, " for number, name in enumerate(columns, 2))
    await connection.execute(
        f"UPDATE fulfillment_orders SET {sets} version = version + 1, updated_at = clock_timestamp() WHERE id = $1",  # noqa: S608
        work_id,
        *columns.values(),
    )


async def set_lines(connection: Any, work: Work, after: Sequence[WorkLine]) -> None:
    """Write the lines that are not as they were."""
    changed = [line for line, before in zip(after, work.lines, strict=True) if line != before]
    if changed:
        columns = zip(*((x.line, x.picked, x.shipped, x.cancelled, x.short) for x in changed), strict=True)
        await connection.execute(_SET_LINES, work.id, *(list(column) for column in columns))


async def count_shipped(connection: Any, order: Any, units: Mapping[int, int]) -> OrderStatus:
    """Units by line of the order that are no longer allocated but shipped, and the order's status with them."""
    await connection.execute(_COUNT, order["id"], list(units), list(units.values()))
    counts = {row[0]: LineCounts(*row[1:]) for row in await connection.fetch(_COUNTS, order["id"])}
    for line, shipped in units.items():
        now = counts[line]
        check_line_change(now._replace(allocated=now.allocated + shipped, shipped=now.shipped - shipped), now)
    then = order_status(counts.values())
    check_order_change(OrderStatus(order["status"]), then)
    await connection.execute(_SET_ORDER, order["id"], then.value)
    return then


async def note_event(
    connection: Any,
    work: Work,
    provenance: Provenance,
    action: str,
    at: datetime.datetime,
    note: str | None = None,
    **data: Any,
) -> None:
    """A line of the order's history: who did what to which of its fulfilment orders."""
    by = {"fulfillmentOrder": str(work.id), "by": provenance.token_id, "requestId": provenance.request_id, **data}
    kept = orjson.dumps({name: value for name, value in by.items() if value is not None}, default=str).decode()
    await connection.execute(_NOTE, work.order_id, at, provenance.actor, action, note, kept)
