"""`order`, `orders` and `orderContact`."""

from __future__ import annotations

import datetime
from functools import partial

import strawberry

from api.context import Info
from api.directives import EVERYONE, requires
from api.ids import decode_uuid
from api.orders.types import Order, OrderConnection, OrderContact, contact_from, order_from_row
from api.scalars import after_uuid, check_names, make_page, page_size
from app.calls import check_text
from app.orders.read_orders import OrderFilter as Chosen
from app.orders.read_orders import count_orders, read_order, read_orders
from app.orders.show_contact import show_contact
from domain.identity import Role
from domain.orders import OrderStatus

READ = requires(EVERYONE, "orders:read")
CONTACT = requires([Role.ADMIN, Role.OPERATIONS, Role.SUPPORT, Role.WAREHOUSE, Role.PARTNER], "orders:read")


@strawberry.input
class OrderFilter:
    statuses: list[OrderStatus] | None = None
    channels: list[str] | None = strawberry.field(default=None, description="Codes.")
    warehouses: list[str] | None = strawberry.field(default=None, description="Codes: with work of it there.")
    placed_from: datetime.datetime | None = None
    placed_to: datetime.datetime | None = strawberry.field(default=None, description="Exclusive.")
    search: str | None = strawberry.field(default=None, description="How its name begins, or its whole external id.")
    held: bool | None = None


def choose(chosen: OrderFilter | None, status: OrderStatus | None) -> Chosen:
    """Raises `Refusal` INVALID_INPUT for more names than a filter takes."""
    f = chosen or OrderFilter()
    check_names(f.channels, "channels")
    check_names(f.warehouses, "warehouses")
    check_text(f.search, "search", 200, path=("filter",))
    statuses = None if f.statuses is None else [one.value for one in f.statuses]
    if status is not None:
        statuses = [status.value] if statuses is None or status.value in statuses else []
    return Chosen(statuses, f.channels, f.warehouses, f.placed_from, f.placed_to, f.search, f.held)


@strawberry.type
class OrderQuery:
    @strawberry.field(directives=READ, description="By id, or by channel code and the channel's own id.")
    async def order(
        self,
        info: Info,
        id: strawberry.ID | None = None,
        channel: str | None = None,
        external_id: str | None = None,
    ) -> Order | None:
        key = None if id is None else decode_uuid(id, "Order")
        row = await read_order(info.context.state.database.hot, info.context.principal, key, channel, external_id)
        return None if row is None else order_from_row(row)

    @strawberry.field(directives=READ, description="Newest first.")
    async def orders(
        self,
        info: Info,
        filter: OrderFilter | None = None,
        status: OrderStatus | None = None,
        first: int = 50,
        after: str | None = None,
    ) -> OrderConnection:
        size, before = page_size(first), after_uuid(after, "OrderCursor")
        chosen, database, principal = choose(filter, status), info.context.state.database, info.context.principal
        rows = await read_orders(database, principal, chosen, before, size + 1)
        page = make_page([order_from_row(row) for row in rows], size, "OrderCursor", after)
        return OrderConnection(count=partial(count_orders, database, principal, chosen), **page)

    @strawberry.field(
        directives=CONTACT, description="Who it goes to. Null: nobody said, it was erased, or the order is not yours."
    )
    async def order_contact(self, info: Info, id: strawberry.ID) -> OrderContact | None:
        found = await show_contact(info.context.state, info.context.principal, decode_uuid(id, "Order"))
        return None if found is None else contact_from(found)
