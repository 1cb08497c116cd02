"""Write what an order has come to: its status from its lines, what else changed of it, and what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from app.orders.lock_order import OrderNow
from app.returns.lose_exchange import lose_exchange
from domain.orders import OrderStatus, check_line_change, check_order_change, order_status

_EVENTS = """
INSERT INTO order_events (order_id, actor, action, note, data)
SELECT $1, $2, action, note, data::json FROM unnest($3::text[], $4::text[], $5::text[]) AS g (action, note, data)
"""
COLUMNS = {
    "payment": "text",
    "hold_reason": "text",
    "cancel_requested_at": "timestamptz",
    "name": "text",
    "ship_by": "timestamptz",
    "deliver_by": "timestamptz",
    "told_ship_by": "timestamptz",
    "told_deliver_by": "timestamptz",
    "destination": "json",
    "total": "numeric",
    "currency": "text",
    "channel_version": "bigint",
    "problem": "text",
    "status": "text",
}
"""What may change of an order's row, with its type."""


class OrderEvent(NamedTuple):
    """Something that happened to an order, for its timeline. No personal data."""

    action: str
    note: str | None = None
    data: Mapping[str, Any] | None = None


async def write_state(
    connection: Any, order: OrderNow, changes: Mapping[str, Any], events: Sequence[OrderEvent], actor: str
) -> OrderStatus:
    """Bring the row up to date, on a transaction that holds it. `changes`: columns with their new values.

    An order without backordered units has no problem any more. Raises `Refusal` WRONG_STATE for a status, of the order
    or of a line, that cannot follow.
    """
    for line in order.lines.values():
        check_line_change(line.before, line.counts)
    status = order_status([line.counts for line in order.lines.values()]) if order.lines else order.status
    check_order_change(order.status, status)
    values = {**changes, "status": status.value}
    if not order.backordered:
        values.setdefault("problem", None)
    sets = ", ".join(f"{name} = ${n}::{COLUMNS[name]}" for n, name in enumerate(values, 2))
    await connection.execute(
        f"UPDATE orders SET {sets}, version = version + 1, updated_at = now() WHERE id = $1",  # noqa: S608
        order.id,
        *values.values(),
    )
    if status is OrderStatus.CANCELLED and order.status is not status and order.row["exchange_of"]:
        await lose_exchange(connection, order.id, order.label)
    order.row = {**order.row, **values}
    await note_events(connection, order.id, events, actor)
    return status


async def note_events(connection: Any, order_id: UUID, events: Sequence[OrderEvent], actor: str) -> None:
    if not events:
        return
    data = [None if event.data is None else orjson.dumps(event.data, default=str).decode() for event in events]
    await connection.execute(
        _EVENTS, order_id, actor, [event.action for event in events], [event.note for event in events], data
    )
