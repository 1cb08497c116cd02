"""`fulfillmentOrders`."""

from __future__ import annotations

from functools import partial

import strawberry

from api.context import Info
from api.directives import EVERYONE, requires
from api.fulfillment.states import FulfillmentStatus
from api.fulfillment.types import FulfillmentOrderConnection, work_from_row
from api.ids import decode_uuid
from api.scalars import after_uuid, check_names, make_page, page_size
from app.fulfillment.read_work import WorkFilter, count_works, read_works

READ = requires(EVERYONE, "fulfillment:read")


@strawberry.input
class FulfillmentOrderFilter:
    warehouses: list[str] | None = strawberry.field(default=None, description="Codes.")
    statuses: list[FulfillmentStatus] | None = None
    order: strawberry.ID | None = strawberry.field(default=None, description="Only of this order.")


@strawberry.type
class FulfillmentQuery:
    @strawberry.field(directives=READ, description="Oldest first.")
    async def fulfillment_orders(
        self, info: Info, filter: FulfillmentOrderFilter | None = None, first: int = 50, after: str | None = None
    ) -> FulfillmentOrderConnection:
        size, start = page_size(first), after_uuid(after, "FulfillmentOrderCursor")
        f = filter or FulfillmentOrderFilter()
        check_names(f.warehouses, "warehouses")
        statuses = None if f.statuses is None else [status.value for status in f.statuses]
        order_id = None if f.order is None else decode_uuid(f.order, "Order", ("filter", "order"))
        chosen = WorkFilter(f.warehouses, statuses, order_id)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_works(database, principal, chosen, start, size + 1)
        page = make_page([work_from_row(row) for row in rows], size, "FulfillmentOrderCursor", after)
        return FulfillmentOrderConnection(count=partial(count_works, database, principal, chosen), **page)
