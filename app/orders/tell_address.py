"""Say that an order goes elsewhere to those who were told where it goes: an event for partners, a case for labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.orders.keep_contact import Contact
from app.orders.lock_order import OrderNow
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity

ADDRESS = ("name", "lines", "city", "region", "postal_code", "country_code")
_MARK = """
UPDATE fulfillment_orders SET address_changed_at = clock_timestamp(), version = version + 1, updated_at = now()
WHERE order_id = $1 AND status NOT IN ('SCHEDULED', 'SHIPPED', 'REJECTED', 'CANCELLED')
"""
_LABELLED = """
SELECT w.id, w.code, f.status FROM fulfillment_orders f JOIN warehouses w ON w.id = f.warehouse_id
LEFT JOIN partner_orders g ON g.fulfillment_order_id = f.id LEFT JOIN partners p ON p.id = g.partner_id
WHERE f.order_id = $1 AND f.status NOT IN ('SHIPPED', 'REJECTED', 'CANCELLED')
  AND (f.status = 'PACKED' OR p.kind = 'CONNECT' AND (g.state = 'DELEGATED' OR g.attempts > 0))
ORDER BY w.code
"""
"""Parcels that are packed have their label, and the contract of partners that are called has no other address."""


def is_moved(kept: Contact, told: Contact) -> bool:
    """Whether a label would say something else. Who is known for the first time was on none."""
    return bool(kept) and any(kept.get(name) != told.get(name) for name in ADDRESS)


async def tell_address(connection: Any, order: OrderNow) -> list[Problem]:
    """On a transaction that holds the order: its work says so, and what people must see to is for `open_cases`."""
    await connection.execute(_MARK, order.id)
    rows = await connection.fetch(_LABELLED, order.id)
    return [_problem(order, rows)] if rows else []


def _problem(order: OrderNow, rows: list[Mapping[str, Any]]) -> Problem:
    houses = ", ".join(f"{row['code']} ({row['status']})" for row in rows)
    return Problem(
        CaseKind.CHANGE_REFUSED,
        Severity.HIGH,
        CauseClass.UNKNOWN,
        f"order:{order.id}",
        f"Order {order.label} goes to another address than its label says",
        f"Told before of the old one: {houses}. Have the label changed before it leaves, or hold the order meanwhile.",
        order.channel_id,
        None,
        rows[0]["id"] if len(rows) == 1 else None,
    )
