"""Orders as they came from the channels, with what became of them."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

import strawberry

from api.context import Info
from api.directives import EVERYONE, requires
from api.ids import decode_uuid
from api.scalars import Counted, Edge, PageInfo, after_uuid, make_page, page_size
from api.stock.types import Node
from app.orders.read_orders import count_orders, read_order, read_orders
from domain.orders import OrderStatus

strawberry.enum(OrderStatus, description="BACKORDERED: nothing that it still wants is promised from a warehouse.")


@strawberry.type(description="Units of an order line promised from one warehouse.")
class Allocation:
    warehouse: str
    quantity: int


@strawberry.type
class OrderLine:
    external_id: str
    sku: str | None = strawberry.field(description="Code; null when the channel sold something we do not know.")
    title: str | None
    quantity: int
    allocations: list[Allocation]


@strawberry.type
class Order(Node):
    channel: str
    external_id: str
    name: str | None
    status: OrderStatus
    placed_at: datetime.datetime
    problem: str | None
    lines: list[OrderLine]


@strawberry.type
class OrderConnection(Counted):
    edges: list[Edge[Order]]
    nodes: list[Order]
    page_info: PageInfo


READ = requires(EVERYONE, "orders:read")


def order_from_row(row: Any) -> Order:
    lines = [
        OrderLine(
            external_id=line["external_id"],
            sku=line["sku_code"],
            title=line["title"],
            quantity=line["quantity"],
            allocations=[Allocation(**found) for found in line["allocations"]],
        )
        for line in row["lines"]
    ]
    kept = {name: row[name] for name in ("channel", "external_id", "name", "status", "placed_at", "problem")}
    return Order(key=str(row["id"]), lines=lines, **kept)


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
        row = await read_order(info.context.state.database, info.context.principal, key, channel, external_id)
        return None if row is None else order_from_row(row)

    @strawberry.field(directives=READ, description="Newest first.")
    async def orders(
        self, info: Info, status: OrderStatus | None = None, first: int = 50, after: str | None = None
    ) -> OrderConnection:
        size, before = page_size(first), after_uuid(after, "OrderCursor")
        wanted = None if status is None else status.value
        database, principal = info.context.state.database, info.context.principal
        rows = await read_orders(database, principal, wanted, before, size + 1)
        page = make_page([order_from_row(row) for row in rows], size, "OrderCursor", after)
        return OrderConnection(count=partial(count_orders, database, principal, wanted), **page)
