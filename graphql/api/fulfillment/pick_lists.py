"""Pick lists: `pickListCreate`, `pickListCancel` and `pickLists`."""

from __future__ import annotations

import datetime
from enum import StrEnum
from functools import partial
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.fulfillment.act import FLOOR
from api.fulfillment.queries import READ
from api.fulfillment.states import FulfillmentStatus
from api.ids import decode_uuid, encode_id
from api.scalars import Counted, Edge, PageInfo, UserError, after_uuid, make_page, page_size
from api.stock.types import Node
from app.calls import make_call
from app.fulfillment.make_list import cancel_list, count_lists, make_list, read_list, read_lists


@strawberry.enum(description="DONE: nothing on it is left to be picked.")
class PickListStatus(StrEnum):
    OPEN = "OPEN"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


@strawberry.type(description="A fulfilment order on a pick list.")
class PickListOrder:
    position: int = strawberry.field(description="Its place on the trolley, from 1.")
    name: str | None
    status: FulfillmentStatus
    fulfillment_order_id: strawberry.ID


@strawberry.type(description="Take units from a bin for one order.")
class PickStep:
    zone: str | None
    bin: str | None = strawberry.field(description="Null: no bin is known to have it.")
    sku: str
    barcode: str | None
    title: str | None
    quantity: int
    position: int = strawberry.field(description="Of the order on the list.")


@strawberry.type(description="Orders that are picked on one walk.")
class PickList(Node):
    warehouse: str
    status: PickListStatus
    created_by: str
    created_at: datetime.datetime
    ended_at: datetime.datetime | None
    orders: list[PickListOrder]
    steps: list[PickStep] = strawberry.field(description="What is left, zone by zone and bin by bin.")


@strawberry.type
class PickListConnection(Counted):
    edges: list[Edge[PickList]]
    nodes: list[PickList]
    page_info: PageInfo


@strawberry.input
class PickListCreateInput:
    warehouse: str
    fulfillment_orders: list[strawberry.ID] | None = strawberry.field(
        default=None, description="ACCEPTED ones, in the order of the trolley; the most pressing ones, if not said."
    )
    orders_max: int = strawberry.field(default=12, description="How many, when they are chosen for you; up to 50.")
    idempotency_key: str | None = None


@strawberry.input
class PickListCancelInput:
    id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.input
class PickListFilter:
    warehouse: str | None = None
    statuses: list[PickListStatus] | None = None


@strawberry.type
class PickListPayload:
    user_errors: list[UserError]
    pick_list: PickList | None = None


@strawberry.type
class PickListCreatePayload(PickListPayload): ...


@strawberry.type
class PickListCancelPayload(PickListPayload): ...


_KEPT = ("warehouse", "status", "created_by", "created_at", "ended_at")


def list_from_row(row: Any) -> PickList:
    orders = [
        PickListOrder(
            position=found["position"],
            name=found["name"],
            status=found["status"],
            fulfillment_order_id=strawberry.ID(encode_id("FulfillmentOrder", str(found["id"]))),
        )
        for found in row["orders"]
    ]
    steps = [PickStep(**step) for step in row["steps"]]
    return PickList(key=str(row["id"]), orders=orders, steps=steps, **{name: row[name] for name in _KEPT})


async def _show(context: Context, key: str) -> dict[str, Any]:
    row = await read_list(
        context.state.database, context.principal, decode_uuid(encode_id("PickList", key), "PickList")
    )
    return {"pick_list": None if row is None else list_from_row(row)}


async def _create(context: Context, command: PickListCreateInput) -> dict[str, Any]:
    works = None
    if command.fulfillment_orders is not None:
        works = [
            decode_uuid(work, "FulfillmentOrder", ("fulfillmentOrders", str(index)))
            for index, work in enumerate(command.fulfillment_orders)
        ]
    given = (command.warehouse, works, command.orders_max)
    key = command.idempotency_key
    call = make_call(context.principal, "pickList:create", key, list(given))
    made = await make_list(context.state, context.principal, *given, context.provenance(key), call)
    return await _show(context, made["pick_list"])


async def _cancel(context: Context, command: PickListCancelInput) -> dict[str, Any]:
    list_id = decode_uuid(command.id, "PickList")
    call = make_call(context.principal, "pickList:cancel", command.idempotency_key, list_id)
    made = await cancel_list(context.state, context.principal, list_id, call)
    return await _show(context, made["pick_list"])


@strawberry.type
class PickListMutation:
    @strawberry.mutation(directives=FLOOR, description="Batch orders into one walk; picking of them starts.")
    async def pick_list_create(self, info: Info, input: PickListCreateInput) -> PickListCreatePayload:
        return await answer(PickListCreatePayload, _create(info.context, input))

    @strawberry.mutation(directives=FLOOR, description="Its orders stay where they are.")
    async def pick_list_cancel(self, info: Info, input: PickListCancelInput) -> PickListCancelPayload:
        return await answer(PickListCancelPayload, _cancel(info.context, input))


@strawberry.type
class PickListQuery:
    @strawberry.field(directives=READ, description="Newest first.")
    async def pick_lists(
        self, info: Info, filter: PickListFilter | None = None, first: int = 20, after: str | None = None
    ) -> PickListConnection:
        size, before = page_size(first), after_uuid(after, "PickListCursor")
        f = filter or PickListFilter()
        statuses = None if f.statuses is None else [status.value for status in f.statuses]
        database, principal = info.context.state.database, info.context.principal
        rows = await read_lists(database, principal, f.warehouse, statuses, before, size + 1)
        page = make_page([list_from_row(row) for row in rows], size, "PickListCursor", after)
        return PickListConnection(count=partial(count_lists, database, principal, f.warehouse, statuses), **page)
