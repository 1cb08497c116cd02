"""Show who an order goes to, to those who need it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.orders.keep_contact import Contact, open_contact
from app.orders.read_orders import read_order
from app.state import State
from domain.identity import Principal, Role

STAFF = frozenset({Role.ADMIN, Role.OPERATIONS, Role.SUPPORT, Role.WAREHOUSE})
_SEALED = "SELECT order_id, sealed FROM order_contacts WHERE order_id = ANY($1::uuid[]) AND sealed IS NOT NULL"


async def show_contact(state: State, principal: Principal, order_id: UUID) -> Contact | None:
    """None when there is none, it was erased, or the order is not theirs to see.

    A token that is limited to warehouses sees it while some of its own work of the order is not cancelled; partners
    see what is limited so, and nothing else.
    """
    if principal.warehouse_ids is None and principal.roles.isdisjoint(STAFF):
        return None
    order = await read_order(state.database.hot, principal, order_id)
    if order is None or (order["own"] and order["status"] == "CANCELLED"):
        return None
    return (await open_contacts(state, [order_id])).get(order_id)


async def open_contacts(state: State, order_ids: Sequence[UUID]) -> dict[UUID, Contact]:
    """Whoever may see them: for labels and for partners that are told where to ship."""
    rows = await state.database.hot.fetch(_SEALED, list(order_ids))
    found = {row[0]: open_contact(state.settings, row[1]) for row in rows}
    return {order_id: contact for order_id, contact in found.items() if contact is not None}
